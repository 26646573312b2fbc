import { closeSync, openSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { initHashing } from '../../src/journal/hash.ts';
import { MAX_BASIS_BYTES } from '../../src/sync/core/signature.ts';
import { createDeltaEngine } from '../../src/sync/delta-engine.ts';
import { signFile } from '../../src/sync/signature-file.ts';
import { noise, signatureOf } from '../support/delta-tools.ts';
import { FILE_SYSTEMS, Folder } from '../support/supply-tools.ts';

beforeAll(initHashing);

const fileSystem = FILE_SYSTEMS[0] as (typeof FILE_SYSTEMS)[number];
let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.close());

function signed(bytes: Buffer, sizeBytes = bytes.length): Buffer | null {
  writeFileSync(folder.at('f'), bytes);
  const fd = openSync(folder.at('f'), 'r');
  try {
    return signFile(fileSystem, fd, sizeBytes, 5n);
  } finally {
    closeSync(fd);
  }
}

test.each([0, 1, 704, 705, 1_048_576, 3_333_333])('%d bytes read in slices have the signature of the whole', (size) => {
  const bytes = noise(size, 1);
  expect(signed(bytes)).toEqual(signatureOf(bytes, createDeltaEngine(null).signBlocks, 5n));
});

test('a file that became shorter, or is too large for a signature, is no basis', () => {
  expect(signed(noise(1000, 1), 1001)).toBeNull();
  expect(signed(noise(1000, 1), MAX_BASIS_BYTES + 1)).toBeNull();
});
