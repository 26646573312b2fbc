import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeFolders } from '../../src/platform/make-folders.ts';

let ground: string;
beforeAll(() => {
  ground = mkdtempSync(join(tmpdir(), 'tidemark-folders-'));
});
afterAll(() => rmSync(ground, { recursive: true }));

describe('makeFolders', () => {
  test('makes what is missing, and again nothing', () => {
    const folder = join(ground, 'a/b/c');
    makeFolders(folder, 0o700);
    makeFolders(folder, 0o755);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(ground, 'a')).mode & 0o777).toBe(0o700);
  });

  test('fails where a file stands in the way', () => {
    writeFileSync(join(ground, 'file'), '');
    expect(() => makeFolders(join(ground, 'file/x/y'), 0o700)).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
  });

  test.runIf(process.platform === 'linux')('comes back from a file system that lets nothing be made', () => {
    expect(() => makeFolders('/proc/no/such', 0o700)).toThrow();
  });
});
