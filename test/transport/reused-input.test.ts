import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reusedInput } from '../../src/transport/reused-input.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-input-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A pipe through which another process sends `bytes`. */
function pipeWith(bytes: Buffer): number {
  const pipe = join(folder, 'pipe');
  writeFileSync(join(folder, 'bytes'), bytes);
  expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
  const fd = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  spawn('sh', ['-c', 'cat bytes > pipe'], { cwd: folder });
  return fd;
}

test.skipIf(process.platform === 'win32')(
  'brings what a pipe brings, to a slow reader too, in little memory',
  async () => {
    const bytes = randomBytes(5_000_001);
    const hash = createHash('sha256');
    const memory = new Set<ArrayBufferLike>();
    for await (const chunk of reusedInput(pipeWith(bytes))) {
      hash.update(chunk);
      memory.add(chunk.buffer);
      if (memory.size % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(memory.size).toBeLessThan(40);
  },
);

test.skipIf(process.platform === 'win32')('ends when it is closed', async () => {
  const input = reusedInput(pipeWith(randomBytes(1_000_000)));
  for await (const chunk of input) if (chunk.length > 0) input.close();
});
