import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { namedRoot } from '../../src/daemon/named-root.ts';
import { fromText } from '../../src/platform/core/byte-path.ts';

let folder: string;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'tidemark-named-')));
  mkdirSync(join(folder, 'real/sub'), { recursive: true });
  mkdirSync(Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9])]));
  symlinkSync('real', join(folder, 'link'));
  writeFileSync(join(folder, 'file'), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const unknown = () => false;

test.each(['real', 'real/', './real/.', 'real/sub/..', 'link', 'link/sub/..', 'real//'])('%s', (path) => {
  expect(namedRoot(fromText(`${folder}/${path}`), unknown)).toBe(fromText(`${folder}/real`));
});

test('relative to the working directory; bytes stay', () => {
  expect(namedRoot('.', unknown)).toBe(fromText(realpathSync('.')));
  expect(namedRoot(`${fromText(folder)}/caf\xe9`, unknown)).toBe(`${fromText(folder)}/caf\xe9`);
});

test.each([
  ['', 'bad-root', 'usage'],
  ['missing', 'root-missing', 'unavailable'],
  ['file', 'root-type', 'unavailable'],
  ['file/x', 'root-missing', 'unavailable'],
  ['x'.repeat(300), 'bad-root', 'usage'],
])('refused: %j', (name, code, fault) => {
  const path = name === '' ? '' : fromText(`${folder}/${name}`);
  expect(() => namedRoot(path, unknown)).toThrow(expect.objectContaining({ code, fault }));
});

test('one that vanished can be named where it is known', () => {
  const gone = fromText(`${folder}/gone`);
  expect(namedRoot(`${gone}/`, (root) => (root as string) === gone)).toBe(gone);
});
