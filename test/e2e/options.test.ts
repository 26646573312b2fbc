/** Options of `sync`, each seen to have its effect and no other. */
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BytePath } from '../../src/platform/core/byte-path.ts';
import { openFileSystem } from '../../src/platform/open-filesystem.ts';
import { Ground, LOCAL, type Pair, shown, TO_SSH, WIRINGS } from '../support/situations.ts';
import { type RunResult, tidemark } from '../support/tidemark.ts';
import { rsyncDifferences, snapshotOf } from '../support/trees.ts';
import { itWith } from './skips.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

describe.each(WIRINGS)('--dry-run, $name', (wiring) => {
  it('shows the plan of the real run and touches nothing at all', async () => {
    const pair = ground.pair(wiring);
    await pair.start('a=one b=two c=three d/x=four e=five');
    pair.alpha.edit('a=more b!600 d=>f n=new -e');
    pair.beta.edit('c=changed m/y=new l->a');
    const before = everything(pair);
    const dry = await pair.sync('--dry-run');
    expect(dry.code, shown(dry)).toBe(0);
    expect(dry.summary.result).toBe('dry-run');
    expect(everything(pair)).toEqual(before);
    const real = await pair.syncWell();
    expect(planOf(dry)).toEqual(planOf(real));
    expect(planOf(dry).length).toBeGreaterThan(5);
    pair.expectEqual();
  });

  it('of a pair never synced leaves no trace either', async () => {
    const pair = ground.pair(wiring);
    pair.alpha.edit('a=one d/x=two');
    const before = everything(pair);
    const dry = await pair.sync('-n');
    expect(dry.code, shown(dry)).toBe(0);
    expect(everything(pair)).toEqual(before);
    expect(existsSync(pair.beta.root)).toBe(false);
    expect(planOf(dry)).toEqual(planOf(await pair.syncWell()));
  });
});

describe('--dry-run', () => {
  it('answers for conflicts it saw', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one');
    pair.beta.edit('a=two');
    const dry = await pair.sync('-n');
    expect([dry.code, dry.summary.result]).toEqual([1, 'dry-run']);
    expect(dry.summary.conflicts.map(({ path }) => path)).toEqual(['a']);
  });
});

describe('what is read', () => {
  it('--checksum reads every file again', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one b=two c=three');
    await pair.syncWell('--checksum');
    const plain = await pair.syncWell();
    expect(plain.summary.hashed).toMatchObject({ alpha: 0, beta: 0 });
    const again = await pair.syncWell('--checksum');
    expect(again.summary.hashed).toMatchObject({ alpha: 3, beta: 3 });
    pair.expectBoth('a=one b=two c=three');
  });

  it.each([[], ['--checksum']])('an edit that keeps size and mtime is found (%s)', async (...options) => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one@1000000000 b=two');
    pair.alpha.edit('a=two@1000000000');
    await pair.syncWell(...options);
    pair.expectBoth('a=two@1000000000 b=two');
  });

  it('--digest sha256, also on a pair that began without', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one b=two c=three');
    await pair.expectIdle(0, '--digest', 'sha256');
    pair.alpha.edit('a=two b@1000000000');
    pair.beta.edit('c=other');
    const run = await pair.syncWell('--digest', 'sha256');
    expect(run.summary.beta).toMatchObject({ modified: 1, metadata: 1 });
    pair.expectBoth('a=two b=two@1000000000 c=other');
    await pair.expectIdle(0, '--digest', 'sha256');
    await pair.expectIdle();
  });
});

describe('metadata', () => {
  itWith('addon')('--xattrs brings user attributes, and only them', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one b=two d/x=three');
    setXattr(pair, 'alpha', 'a', 'user.colour', 'blue');
    setXattr(pair, 'alpha', 'd', 'user.kind', 'folder');
    await pair.syncWell();
    expect(rsyncDifferences(`${pair.alpha.root}/`, `${pair.beta.root}/`).length).toBe(2);
    await pair.syncWell('--xattrs');
    pair.expectEqual();
    setXattr(pair, 'beta', 'b', 'user.bytes', '\xff\0x');
    pair.alpha.edit('b!600');
    await pair.syncWell('--xattrs');
    pair.expectEqual();
    expect(rsyncDifferences(`${pair.beta.root}/`, `${pair.alpha.root}/`)).toEqual([]);
    await pair.expectIdle(0, '--xattrs');
  });

  itWith('addon')('--acls', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one b=two');
    setXattr(pair, 'alpha', 'a', 'system.posix_acl_access', ACL_FOR_1234);
    await pair.syncWell('--acls');
    expect(getXattr(pair, 'beta', 'a', 'system.posix_acl_access')).toBe(ACL_FOR_1234);
    pair.expectEqual();
    await pair.expectIdle(0, '--acls');
  });

  itWith('root')('--owner', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one d/x=two');
    chownSync(pair.alpha.at('a'), 1234, 5678);
    await pair.syncWell();
    expect(statSync(pair.beta.at('a')).uid).toBe(0);
    await pair.syncWell('--owner');
    expect(statSync(pair.beta.at('a'))).toMatchObject({ uid: 1234, gid: 5678 });
    chownSync(pair.beta.at('d'), 1234, 1234);
    await pair.syncWell('--owner');
    pair.expectEqual();
    await pair.expectIdle(0, '--owner');
  });

  it('--hard-links', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one c=two d/');
    linkSync(pair.alpha.at('a'), pair.alpha.at('b'));
    linkSync(pair.alpha.at('a'), pair.alpha.at('d/e'));
    await pair.syncWell('--hard-links');
    expect(statSync(pair.beta.at('a'))).toMatchObject({ nlink: 3, ino: statSync(pair.beta.at('b')).ino });
    pair.expectEqual();
    await pair.expectIdle(0, '--hard-links');
    pair.alpha.edit('a=changed');
    await pair.syncWell('--hard-links');
    pair.expectEqual();
    pair.beta.edit('-b');
    linkSync(pair.beta.at('c'), pair.beta.at('b'));
    await pair.syncWell('--hard-links');
    pair.expectEqual();
    await pair.expectIdle(0, '--hard-links');
  });

  it('without --hard-links an edit of one name does not reach the other through the link', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one k=');
    linkSync(pair.beta.at('a'), join(pair.folder, 'elsewhere'));
    pair.alpha.edit('a=two');
    await pair.syncWell();
    expect(statSync(join(pair.folder, 'elsewhere')).size).toBe(3);
    expect(readFileSync(join(pair.folder, 'elsewhere'), 'utf8')).toBe('one');
  });

  it('nanoseconds of times', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one');
    spawnSync('touch', ['-d', '@1600000000.123456789', join(pair.alpha.root, 'a')]);
    await pair.syncWell();
    expect(lstatSync(pair.beta.at('a'), { bigint: true }).mtimeNs).toBe(1600000000123456789n);
  });
});

describe('old versions', () => {
  it('are kept of what is overwritten and deleted, and not with --no-backup', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one b=two c=three');
    pair.alpha.edit('a=changed -b');
    await pair.syncWell();
    expect(versionsOf(pair)).toEqual(['one', 'two']);
    pair.alpha.edit('-c a=again');
    await pair.syncWell('--no-backup');
    expect(versionsOf(pair)).toEqual(['one', 'two']);
  });
});

describe('output', () => {
  it('for people goes to stdout without --json, and names what was done', async () => {
    const pair = ground.pair(TO_SSH);
    pair.alpha.edit('new%0afile=one d/x=two');
    const words = ['sync', ...pair.addresses, ...ground.sshOptions];
    const first = await tidemark(words, pair.settings);
    expect(first.code, shown(first)).toBe(0);
    expect(first.stdout).toMatch(/d\/x/);
    expect(first.stdout).not.toMatch(/new\nfile/);
    const second = await tidemark(words, pair.settings);
    expect(second.stdout).toMatch(/nothing to do/);
    const quiet = await tidemark([...words, '-q'], pair.settings);
    expect([quiet.code, quiet.stdout, quiet.stderr]).toEqual([0, '', '']);
  });

  it('--json prints nothing else on stdout, the summary last', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one');
    const run = await pair.syncWell();
    const lines = run.stdout.trimEnd().split('\n');
    expect(run.events.length).toBe(lines.length);
    expect(Object.keys(run.summary).sort()).toEqual(
      [
        'type',
        'result',
        'mode',
        'alpha',
        'beta',
        'conflicts',
        'deferred',
        'failed',
        'halt',
        'bytes',
        'scanned',
        'hashed',
        'elapsedMs',
      ].sort(),
    );
    expect(Object.keys(run.summary.hashed).sort()).toEqual(['alpha', 'beta']);
    expect(Object.keys(run.summary.alpha).sort()).toEqual(
      ['root', 'backend', 'cursor', 'created', 'modified', 'deleted', 'renamed', 'metadata'].sort(),
    );
  });

  it('--log-file gets the same facts', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one');
    const file = join(pair.folder, 'log');
    await pair.syncWell('--log-file', file);
    expect(readFileSync(file, 'utf8')).toMatch(/"path":"a"/);
  });
});

describe('configuration', () => {
  it('options of the file hold, flags win', async () => {
    const pair = ground.pair(LOCAL);
    mkdirSync(pair.home, { mode: 0o700 });
    writeFileSync(join(pair.home, 'config.toml'), 'ignore = ["*.o"]\nconflict = "alpha"\n');
    await pair.start('a=one', '--conflict', 'report');
    pair.alpha.edit('x.o=one a=two');
    pair.beta.edit('a=three');
    const reported = await pair.sync('--conflict', 'report');
    expect(reported.code).toBe(1);
    await pair.syncWell();
    expect(pair.beta.list()).toEqual(pair.beta.expected('a=two'));
  });
});

/** Access for user 1234: the attribute's binary form, version 2. */
const ACL_FOR_1234 = Buffer.from(
  '02000000' + '01000600ffffffff' + '02000400d2040000' + '04000400ffffffff' + '10000400ffffffff' + '20000400ffffffff',
  'hex',
).toString('latin1');

/** Both roots, both homes; not the agent's own folder, whose mark of use may change. */
function everything(pair: Pair): string[] {
  const roots = [pair.alpha.root, pair.beta.root, pair.home, join(ground.farHome, 'state')];
  return roots.flatMap((root) => snapshotOf(root));
}

function planOf({ events }: RunResult): string[] {
  const actions = events.filter(({ type }) => type === 'action');
  return actions.map(({ side, operation, path }) => `${side} ${operation} ${path}`).sort();
}

function withRoot<T>(root: string, work: (files: ReturnType<typeof openFileSystem>['fileSystem'], fd: number) => T): T {
  const { fileSystem } = openFileSystem();
  const fd = fileSystem.openRoot(Buffer.from(root));
  try {
    return work(fileSystem, fd);
  } finally {
    fileSystem.close(fd);
  }
}

function setXattr(pair: Pair, side: 'alpha' | 'beta', path: string, name: string, value: string): void {
  withRoot(pair[side].root, (files, fd) => files.setXattr(fd, path as BytePath, name, value));
}

function getXattr(pair: Pair, side: 'alpha' | 'beta', path: string, name: string): string | undefined {
  return withRoot(pair[side].root, (files, fd) => files.getXattrs(fd, path as BytePath).get(name));
}

/** Contents of all regular files below the versions folder of beta that are no bookkeeping. */
function versionsOf(pair: Pair): string[] {
  const found: string[] = [];
  const visit = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else {
        const text = readFileSync(path, 'utf8');
        if (/^[a-z]+$/.test(text)) found.push(text);
      }
    }
  };
  visit(join(pair.beta.root, '.tidemark/versions'));
  return found.sort();
}
