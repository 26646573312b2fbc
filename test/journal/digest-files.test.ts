import { appendFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { digestFiles } from '../../src/journal/digest-files.ts';
import { hashBytes, initHashing } from '../../src/journal/hash.ts';
import { packStat } from '../../src/platform/core/stat-codec.ts';
import { noise } from '../support/delta-tools.ts';
import { bytePath, FILE_SYSTEMS, Folder } from '../support/supply-tools.ts';

beforeAll(initHashing);

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.close());

describe.each(FILE_SYSTEMS.map((fileSystem) => [fileSystem.kind, fileSystem] as const))(
  'on the %s file system',
  (_, fileSystem) => {
    const statOf = (name: string) => {
      const stat = fileSystem.stat(folder.root, bytePath(name));
      if (stat === null) throw new Error(`no ${name}`);
      return packStat(stat);
    };

    test.each([0, 1, 262_144, 262_145, 1_000_000])(
      '%d bytes: fast always, strong where asked for or compared by',
      (size) => {
        const bytes = noise(size, 1);
        writeFileSync(folder.at('f'), bytes);
        const packedStat = statOf('f');
        const both = hashBytes(bytes, 'both');
        const request = { path: bytePath('f'), packedStat, strong: false };
        const answer = (strong: boolean, digest: 'xxh64' | 'sha256', stat: Uint8Array | null) =>
          digestFiles(fileSystem, folder.root, [{ ...request, strong, packedStat: stat }], digest)[0];
        expect(answer(false, 'xxh64', packedStat)).toMatchObject({
          digests: { ...both, strong: null },
          packedStat,
          problem: null,
        });
        expect(answer(true, 'xxh64', packedStat)).toMatchObject({ digests: both });
        expect(answer(false, 'sha256', null)).toMatchObject({ digests: both, packedStat });
      },
    );

    test('answers in order; a file that is gone or changed is a problem of its own', () => {
      for (const name of ['a', 'b', 'c']) writeFileSync(folder.at(name), name);
      const requests = ['a', 'b', 'missing', 'c'].map((name) => ({
        path: bytePath(name),
        packedStat: name === 'b' ? statOf('b') : null,
        strong: false,
      }));
      appendFileSync(folder.at('b'), 'x');
      expect(digestFiles(fileSystem, folder.root, requests, 'xxh64')).toMatchObject([
        { path: 'a', digests: { fast: hashBytes(Buffer.from('a'), 'both').fast } },
        { path: 'b', problem: { code: 'changed' } },
        { path: 'missing', problem: { code: 'changed' } },
        { path: 'c', problem: null },
      ]);
    });
  },
);
