import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ROOT } from '../../src/platform/core/byte-path.ts';
import { LocalRoot } from '../../src/sync/root.ts';
import { BOTH_KINDS } from './apply/kinds.ts';

describe.each(BOTH_KINDS)('$name', ({ fileSystem }) => {
  let directory: string;
  const opened: LocalRoot[] = [];
  beforeEach(() => {
    directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'tidemark-root-')));
  });
  afterEach(() => {
    for (const root of opened.splice(0)) root.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  function open(path: string, writable = true): LocalRoot {
    const root = LocalRoot.open(Buffer.from(join(directory, path)), { writable, fileSystem, addonMissing: null });
    opened.push(root);
    return root;
  }

  function mkdir(path: string): void {
    fs.mkdirSync(join(directory, path));
  }

  test('kinds, and where they are opened', () => {
    mkdir('dir');
    fs.writeFileSync(join(directory, 'file'), 'x');
    fs.symlinkSync('dir', join(directory, 'link'));
    fs.symlinkSync('nowhere', join(directory, 'dangling'));
    const kinds = ['dir', 'file', 'link', 'missing', 'no/where'].map((path) => {
      const root = open(path);
      const { kind, parentExists, isEmpty } = root.describe().root;
      return [path, kind, parentExists, isEmpty, root.only];
    });
    expect(kinds).toEqual([
      ['dir', 'directory', true, true, null],
      ['file', 'file', true, false, 'file'],
      ['link', 'directory', true, true, null],
      ['missing', 'missing', true, false, 'missing'],
      ['no/where', 'missing', false, false, 'where'],
    ]);
    expect(open('link').describe().root.canonicalPath).toBe(join(directory, 'dir'));
    expect(open('link/').describe().root.hostId).toBe(open('dir').describe().root.hostId);
    expect(open('missing/').describe().root.canonicalPath).toBe(join(directory, 'missing'));
  });

  test('a special file is another kind', () => {
    const root = LocalRoot.open(Buffer.from('/dev/null'), { writable: false, fileSystem });
    expect(root.describe().root.kind).toBe('other');
    root.close();
  });

  test('looking changes nothing, a root that must stay as it is gets nothing', () => {
    mkdir('dir');
    const root = open('dir', false);
    root.describe();
    expect(root.prepare('directory')).toMatch(/^fs:[0-9a-f]+-[0-9a-f]+$/);
    open('dir').describe();
    expect(open('missing', false).prepare('directory')).toMatch(/^fs:/);
    expect([fs.readdirSync(join(directory, 'dir')), fs.readdirSync(directory)]).toEqual([[], ['dir']]);
  });

  test('the marker gives an identity that outlives everything else', () => {
    mkdir('dir');
    const first = open('dir');
    const identity = first.prepare('directory');
    expect(identity).toMatch(/^id:[0-9a-f]{32}$/);
    expect(first.describe().root.identity).toBe(identity);
    first.close();
    fs.renameSync(join(directory, 'dir'), join(directory, 'moved'));
    expect(open('moved', false).describe().root.identity).toBe(identity);
    const again = open('moved');
    expect(again.prepare('directory')).toBe(identity);
    expect(again.describe().root.isEmpty).toBe(true);
    const hidden = join(directory, 'moved/.tidemark');
    expect(fs.readdirSync(hidden).sort()).toEqual(['id', 'lock', 'staging', 'versions']);
    expect(fs.statSync(hidden).mode & 0o7777).toBe(0o700);
  });

  test('a file root has its directory, the name and an identity of its own', () => {
    for (const name of ['a', 'b']) fs.writeFileSync(join(directory, name), name);
    const first = open('a');
    const identity = first.prepare('file');
    first.close();
    expect(identity).toMatch(/^id:[0-9a-f]{32}\/61$/);
    expect(open('b').prepare('file')).toBe(identity.replace(/61$/, '62'));
  });

  test('a missing root is made', () => {
    const root = open('new');
    expect(root.describe().root).toMatchObject({ kind: 'missing', identity: null });
    expect(root.prepare('directory')).toMatch(/^id:/);
    expect(root.only).toBe(null);
    expect(fileSystem.stat(root.fd, ROOT)?.mode).toBe(fs.statSync(join(directory, 'new')).mode);
    root.close();
    const file = open('later');
    expect(file.prepare('file')).toMatch(/^id:[0-9a-f]+\/6c61746572$/);
    expect([file.only, fs.existsSync(join(directory, 'later'))]).toEqual(['later', false]);
  });

  test('a root without a parent cannot be made', () => {
    expect(() => open('no/where').prepare('directory')).toThrow(
      expect.objectContaining({ code: 'root-parent-missing' }),
    );
  });

  test('one run at a time', () => {
    mkdir('dir');
    const first = open('dir');
    first.prepare('directory');
    expect(() => open('dir').prepare('directory')).toThrow(expect.objectContaining({ fault: 'locked' }));
    first.close();
    expect(open('dir').prepare('directory')).toMatch(/^id:/);
  });

  test('files in one directory share its hidden folder, each with one run at a time', () => {
    const first = open('one');
    first.prepare('file');
    const staged = join(directory, '.tidemark/staging/staged-by-the-first');
    fs.writeFileSync(staged, '');
    const second = open('two');
    second.prepare('file');
    expect(fs.existsSync(staged)).toBe(true);
    expect(() => open('one').prepare('file')).toThrow(expect.objectContaining({ fault: 'locked' }));
    expect(() => open('').prepare('directory')).toThrow(expect.objectContaining({ fault: 'locked' }));
    first.close();
    expect(() => open('').prepare('directory')).toThrow(expect.objectContaining({ fault: 'locked' }));
    second.close();
    open('one').prepare('file');
    expect(fs.existsSync(staged)).toBe(false);
  });

  test.each([
    ['a symlink', (path: string) => fs.symlinkSync('/tmp', path)],
    ['a file', (path: string) => fs.writeFileSync(path, '')],
    ['a directory others can write to', openDirectory],
  ])('a hidden folder that is %s is refused', (_what, make) => {
    mkdir('dir');
    make(join(directory, 'dir/.tidemark'));
    expect(() => open('dir').prepare('directory')).toThrow(expect.objectContaining({ code: 'hidden-folder' }));
    expect(() => open('dir').describe()).toThrow(expect.objectContaining({ code: 'hidden-folder' }));
  });

  test.skipIf(process.geteuid?.() !== 0)('a hidden folder of somebody else is refused (needs root)', () => {
    mkdir('dir');
    mkdir('dir/.tidemark');
    fs.chownSync(join(directory, 'dir/.tidemark'), 65_534, 65_534);
    expect(() => open('dir').prepare('directory')).toThrow(expect.objectContaining({ code: 'hidden-folder' }));
    fs.chownSync(join(directory, 'dir'), 65_534, 65_534);
    expect(open('dir').prepare('directory')).toMatch(/^id:/);
  });

  test('a damaged marker is refused', () => {
    mkdir('dir');
    open('dir').prepare('directory');
    for (const content of ['', 'short\n', `${'g'.repeat(32)}\n`, `${'a'.repeat(33)}\n`]) {
      fs.writeFileSync(join(directory, 'dir/.tidemark/id'), content);
      expect(() => open('dir').describe()).toThrow(expect.objectContaining({ code: 'marker-damaged' }));
    }
  });

  test('the same place and places inside each other are recognised', () => {
    mkdir('dir');
    mkdir('dir/inner');
    fs.symlinkSync('dir', join(directory, 'link'));
    const [outer, inner, through] = ['dir', 'dir/inner', 'link/inner'].map((path) => open(path).describe().root);
    expect(through?.hostId).toBe(inner?.hostId);
    expect(inner?.ancestorIds).toContain(outer?.hostId);
    expect(outer?.ancestorIds).not.toContain(inner?.hostId);
    const missing = [open('dir/x'), open('link/x')].map((root) => root.describe().root);
    expect(missing[0]?.hostId).toBe(missing[1]?.hostId);
    expect(missing[0]?.ancestorIds).toContain(outer?.hostId);
  });

  test('traits by looking and by trying', () => {
    mkdir('dir');
    fs.writeFileSync(join(directory, 'dir/Name'), '');
    fs.writeFileSync(join(directory, 'dir/\u00e9'), '');
    const root = open('dir');
    const looked = root.describe();
    root.prepare('directory');
    const tried = root.describe();
    for (const traits of [looked, tried]) {
      expect(traits).toMatchObject({ foldsCase: false, foldsNormalization: false, readOnly: false, maxNameBytes: 255 });
    }
    expect(tried.canExchange).toBe(fileSystem.kind === 'native');
    expect(fs.readdirSync(join(directory, 'dir/.tidemark/staging'))).toEqual([]);
    expect(looked.freeBytes).toBeGreaterThan(0);
  });

  test('names that are no UTF-8', () => {
    const path = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0xfe])]);
    fs.mkdirSync(path);
    const root = LocalRoot.open(path, { writable: true, fileSystem });
    opened.push(root);
    expect(root.describe().root).toMatchObject({ kind: 'directory', canonicalPath: path.toString('latin1') });
    expect(root.prepare('directory')).toMatch(/^id:/);
  });
});

function openDirectory(path: string): void {
  fs.mkdirSync(path);
  fs.chmodSync(path, 0o777);
}
