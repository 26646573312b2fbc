#!/usr/bin/env node
// Starts the built program, or says why it cannot. Kept to syntax that old versions of Node understand.
import { existsSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

// Chunks of content die young, but not as young as V8 expects: with its slow growth of the young generation they are
// promoted, and collecting them there costs a third of the time of a large copy.
setFlagsFromString('--semi-space-growth-factor=16');
// What lives long is a few dozen megabytes; by itself the heap would grow to four times that before it is collected.
setFlagsFromString('--heap-growing-percent=100');

const [major, minor] = process.versions.node.split('.').map(Number);
const bundle = new URL('../dist/cli.js', import.meta.url);

if (major < 20 || (major === 20 && minor < 19)) {
  refuse(`Node ${process.versions.node} is too old`, 'Install Node 20.19 or later.');
} else if (!existsSync(bundle)) {
  refuse('not built yet', 'Run npm ci in the checkout (or npm run build), then try again.');
} else {
  import(bundle.href)
    .then((program) => program.main())
    .then((code) => process.exit(code))
    .catch((error) => {
      if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
      refuse(error.message.split(' imported from')[0], 'Run npm ci in the checkout, or install tidemark again.');
    });
}

function refuse(message, remedy) {
  console.error(`tidemark: ${message}\n  ${remedy}`);
  process.exit(4);
}
