/**
 * The program that starts the agent on the other host, and receives it first where it is missing or damaged.
 *
 * It travels inside the start command (see bootstrap.ts), runs under any Node.js from 20.19, and gets the digest of
 * the agent and the folder of all agents as arguments. It reads standard input with exact counts and not a byte more:
 * what follows the files belongs to the agent, which it then loads into the same process.
 *
 * Input: eight hexadecimal digits with the length of a JSON header, the header
 * `{"files":[{"name","sizeBytes","wireBytes","encoding","sha256"}]}`, then the files one after the other.
 * A file is whole or not there: everything is written into a new folder, checked, flushed, and renamed into place.
 */
export const BOOTSTRAP_SCRIPT = withoutComments(`
const fs = require('fs');
const { dirname, join } = require('path');
const { createHash } = require('crypto');
const zlib = require('zlib');
const { pathToFileURL } = require('url');
const [program, , digest, agents] = process.argv;
const place = join(agents, digest);
const MAX_FILES = 8;
const MAX_FILE_BYTES = 128 * 1024 * 1024;
const HOUR_MS = 3600 * 1000;

try {
  if (!isWhole(place)) {
    say('need ' + process.version + ' ' + process.platform + ' ' + process.arch + ' ' + libc());
    install(receive());
    tidyUp();
  }
} catch (error) {
  say('failed ' + String(error.message).replace(/[^ -~]/g, ' ').slice(0, 1000));
  process.exit(1);
}
// From here on it is as if the agent had been started by itself.
process.argv = [program, join(place, 'agent.js')];
process.execArgv = [];
import(pathToFileURL(process.argv[1]).href).catch((error) => {
  console.error(error);
  process.exit(1);
});

function say(text) {
  fs.writeSync(1, 'tidemark-bootstrap ' + text + '\\n');
}

function libc() {
  if (process.platform !== 'linux') return 'none';
  // Looking up network names for the report can take seconds.
  process.report.excludeNetwork = true;
  return process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
}

function receive() {
  const length = parseInt(read(8).toString('latin1'), 16);
  if (!(length > 0 && length <= 65536)) throw new Error('bad header length');
  const { files } = JSON.parse(read(length).toString('utf8'));
  if (!Array.isArray(files) || files.length < 1 || files.length > MAX_FILES) throw new Error('bad number of files');
  const received = files.map(receiveFile);
  if (digestOf(received) !== digest) throw new Error('the files do not make up the agent that was announced');
  if (!received.some((file) => file.name === 'agent.js')) throw new Error('no agent.js');
  return received;
}

// A few megabytes: reading them all takes some ten milliseconds.
function isWhole(folder) {
  try {
    const names = fs.readdirSync(folder).filter((name) => name !== 'used');
    return digestOf(names.map((name) => ({ name, sha256: sha256(fs.readFileSync(join(folder, name))) }))) === digest;
  } catch {
    return false;
  }
}

function digestOf(files) {
  return sha256(files.map((file) => file.sha256 + '  ' + file.name + '\\n').sort().join(''));
}

function receiveFile(file) {
  const { name, sizeBytes, wireBytes, encoding } = file;
  if (!/^[a-z][a-z0-9-]{0,40}[.](js|node)$/.test(name)) throw new Error('bad file name');
  for (const size of [sizeBytes, wireBytes]) {
    if (!Number.isInteger(size) || size < 0 || size > MAX_FILE_BYTES) throw new Error('bad file size');
  }
  const wire = read(wireBytes);
  const bytes = encoding === 'brotli' ? zlib.brotliDecompressSync(wire, { maxOutputLength: sizeBytes }) : wire;
  if (bytes.length !== sizeBytes) throw new Error(name + ' has another size than announced');
  if (sha256(bytes) !== file.sha256) throw new Error(name + ' was damaged on its way');
  return { name, bytes, sha256: file.sha256 };
}

function read(length) {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; ) {
    const got = readSome(bytes, at);
    if (got === 0) throw new Error('the files end too early');
    at += got;
  }
  return bytes;
}

// Standard input blocks as a rule; where someone made it non-blocking, waiting a moment is all that is left.
function readSome(bytes, at) {
  for (;;) {
    try {
      return fs.readSync(0, bytes, at, Math.min(bytes.length - at, 1 << 20), null);
    } catch (error) {
      if (error.code === 'EOF') return 0;
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function install(files) {
  makeFolders(agents);
  const facts = fs.lstatSync(agents);
  if (!facts.isDirectory() || facts.uid !== process.getuid() || facts.mode & 0o022)
    throw new Error(agents + ' is not a folder that only its owner may write to');
  const fresh = fs.mkdtempSync(join(agents, '.new-'));
  try {
    for (const { name, bytes } of files) writeFile(join(fresh, name), bytes);
    flush(fresh);
    moveIntoPlace(fresh);
    flush(agents);
  } finally {
    fs.rmSync(fresh, { recursive: true, force: true });
  }
}

// Node's own way of making parents does not return where the file system lets nothing be made.
function makeFolders(folder) {
  try {
    fs.mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (error.code === 'EEXIST') return;
    if (error.code !== 'ENOENT' || dirname(folder) === folder || fs.existsSync(dirname(folder))) throw error;
    makeFolders(dirname(folder));
    makeFolders(folder);
  }
}

function writeFile(file, bytes) {
  const descriptor = fs.openSync(file, 'wx', 0o600);
  fs.writeFileSync(descriptor, bytes);
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
}

// Another session may have installed the same agent meanwhile: then its copy is used. A damaged one makes room.
function moveIntoPlace(fresh) {
  for (let attempt = 0; ; attempt++) {
    try {
      return fs.renameSync(fresh, place);
    } catch (error) {
      if (isWhole(place)) return;
      if (attempt > 0 || !fs.existsSync(place)) throw error;
      fs.renameSync(place, fresh.replace('.new-', '.old-'));
    }
  }
}

function flush(folder) {
  const descriptor = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(descriptor);
  } catch {
    // Not every file system can flush a folder.
  }
  fs.closeSync(descriptor);
}

// Keeps the three versions used last; what an interrupted installation left goes after an hour.
function tidyUp() {
  try {
    const names = fs.readdirSync(agents);
    const others = names.filter((name) => /^[0-9a-f]{64}$/.test(name) && name !== digest);
    others.sort((a, b) => lastUse(b) - lastUse(a));
    const old = others.slice(2);
    const litter = names.filter((name) => /^[.](new|old)-/.test(name) && lastUse(name) < Date.now() - HOUR_MS);
    for (const name of [...old, ...litter]) fs.rmSync(join(agents, name), { recursive: true, force: true });
  } catch {
    // Tidying up is not worth failing for.
  }
}

function lastUse(name) {
  const times = ['used', '.'].map((entry) => fs.statSync(join(agents, name, entry), { throwIfNoEntry: false }));
  return Math.max(...times.map((facts) => (facts ? facts.mtimeMs : 0)));
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}
`);

function withoutComments(script: string): string {
  return script
    .replace(/^ *\/\/.*\n/gm, '')
    .replace(/^ +/gm, '')
    .trim();
}
