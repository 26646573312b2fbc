import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FolderLock } from '../../../src/journal/store/folder-lock.ts';
import { ROOT } from '../../../src/platform/core/byte-path.ts';
import { portableFileSystem } from '../../../src/platform/portable-filesystem.ts';
import { type OpenSession, Sessions } from '../../../src/sync/store/sessions.ts';

const fileSystem = portableFileSystem();
let state: string;
let sessions: Sessions;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'tidemark-sessions-'));
  sessions = new Sessions(fileSystem, join(state, 'state'));
});

afterEach(() => rmSync(state, { recursive: true }));

const ADDRESSES = { alpha: '/a', beta: 'ssh://host/b' };
const IDENTITIES = { alpha: 'id:aa', beta: 'id:bb' };
const PAIR = { addresses: ADDRESSES, identities: IDENTITIES, named: ADDRESSES };
const KEPT = { scratch: false };

/** Opens, records a settled run of these roots, closes; the id. */
function run(
  addresses = ADDRESSES,
  identities: { alpha: string | null; beta: string | null } = IDENTITIES,
  named = addresses,
): string {
  const session = sessions.open({ addresses, identities, named }, KEPT);
  settle(session, addresses, { alpha: identities.alpha ?? 'id:new-a', beta: identities.beta ?? 'id:new-b' });
  session.close();
  return session.id;
}

function settle(session: OpenSession, addresses: typeof ADDRESSES, identities: typeof IDENTITIES): void {
  const side = (name: 'alpha' | 'beta') => ({
    address: addresses[name],
    identity: identities[name],
    kind: 'directory' as const,
    cursor: 'a.1',
    entries: 0,
  });
  session.archive.writeSession({ session: session.id, alpha: side('alpha'), beta: side('beta') });
}

describe('Sessions', () => {
  test('finds a pair again by its addresses, then by its identities', () => {
    const id = run();
    expect(run()).toBe(id);
    expect(run({ alpha: '/moved', beta: ADDRESSES.beta })).toBe(id);
    expect(sessions.list()).toEqual([
      {
        id,
        addresses: { alpha: '/moved', beta: ADDRESSES.beta },
        identities: IDENTITIES,
        named: { alpha: '/moved', beta: ADDRESSES.beta },
      },
    ]);
    const other = run(ADDRESSES, { alpha: 'id:cc', beta: 'id:bb' });
    expect(other).not.toBe(id);
    expect(run(ADDRESSES, IDENTITIES)).toBe(other);
    expect(run({ alpha: ADDRESSES.beta, beta: ADDRESSES.alpha }, { alpha: 'id:bb', beta: 'id:aa' })).not.toBe(id);
  });

  test('roots that do not exist yet have no identity; it is noted after the first run', () => {
    const id = run(ADDRESSES, { alpha: 'id:aa', beta: null });
    const elsewhere = { alpha: '/x', beta: '/y' };
    const pair = { addresses: elsewhere, named: elsewhere };
    expect(sessions.find({ ...pair, identities: { alpha: 'id:aa', beta: 'id:new-b' } })?.id).toBe(id);
    expect(sessions.find({ ...pair, identities: { alpha: null, beta: null } })).toBeNull();
  });

  test('a name that leads to another directory finds the pair it led to', () => {
    const named = { alpha: '/link', beta: ADDRESSES.beta };
    const id = run(ADDRESSES, IDENTITIES, named);
    const addresses = { alpha: '/other', beta: ADDRESSES.beta };
    const identities = { alpha: 'id:cc', beta: 'id:bb' };
    expect(sessions.find({ addresses, identities, named })?.id).toBe(id);
    expect(sessions.find({ addresses, identities, named: addresses })).toBeNull();
    run(ADDRESSES, IDENTITIES, ADDRESSES);
    expect(sessions.find({ addresses, identities, named })).toBeNull();
  });

  test('one run at a time, and the second is told who the first is', () => {
    const session = sessions.open(PAIR, KEPT);
    expect(() => sessions.open(PAIR, KEPT)).toThrow(
      expect.objectContaining({
        fault: 'locked',
        message: expect.stringContaining(`process ${process.pid}, since 20`),
      }),
    );
    session.close();
    session.close();
    sessions.open(PAIR, KEPT).close();
    expect(FolderLock.holder(fileSystem, join(sessions.folder, session.id))).toBeNull();
  });

  test('a lock ends with its process, even by SIGKILL', async () => {
    const id = run();
    const lock = join(sessions.folder, id, 'lock');
    const holder = spawn(
      'perl',
      [
        '-e',
        `use Fcntl ":flock"; open(my $f, "+<", $ARGV[0]) or die; flock($f, LOCK_EX) or die; $| = 1; print "held\n"; sleep 60`,
        lock,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(holder.stdout, 'data');
    expect(() => sessions.open(PAIR, KEPT)).toThrow(expect.objectContaining({ fault: 'locked' }));
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(run()).toBe(id);
  });

  test('a dry run leaves nothing behind for a pair that is not known', () => {
    const session = sessions.open(PAIR, { scratch: true });
    expect([...session.archive.subtree(ROOT)]).toEqual([]);
    session.close();
    expect(readdirSync(state)).toEqual([]);
  });

  test('folders are closed to others; foreign things in the way are refused', () => {
    const id = run();
    expect(statSync(sessions.folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(sessions.folder, id)).mode & 0o777).toBe(0o700);
    for (const name of ['session.json', 'lock', 'archive/data.mdb', 'archive/lock.mdb']) {
      expect(`${name} ${(statSync(join(sessions.folder, id, name)).mode & 0o777).toString(8)}`).toBe(`${name} 600`);
    }
    chmodSync(sessions.folder, 0o777);
    expect(() => run()).toThrow('others may write to it');
    chmodSync(sessions.folder, 0o700);
    rmSync(join(sessions.folder, id, 'lock'));
    symlinkSync('/dev/null', join(sessions.folder, id, 'lock'));
    expect(() => run()).toThrow();
  });

  test('an archive that is a symlink, or no store, is refused', () => {
    const id = run();
    const archive = join(sessions.folder, id, 'archive');
    rmSync(archive, { recursive: true });
    mkdirSync(join(state, 'elsewhere'));
    symlinkSync(join(state, 'elsewhere'), archive);
    expect(() => run()).toThrow(expect.objectContaining({ fault: 'unavailable' }));
    rmSync(archive);
    mkdirSync(archive);
    writeFileSync(join(archive, 'data.mdb'), 'x'.repeat(10_000));
    expect(() => run()).toThrow(expect.objectContaining({ code: 'state-damaged' }));
  });

  test('a session file that makes no sense counts as none', () => {
    const id = run();
    writeFileSync(join(sessions.folder, id, 'session.json'), '{"format":1,"addresses":[]}');
    expect(sessions.list()).toEqual([]);
    expect(run()).toBe(id);
    expect(sessions.list()).toHaveLength(1);
  });

  test('removing forgets a session, but not one that is held', () => {
    const id = run();
    const held = sessions.openById(id);
    expect(() => sessions.remove(id)).toThrow(expect.objectContaining({ fault: 'locked' }));
    held.close();
    sessions.remove(id);
    expect(sessions.list()).toEqual([]);
    expect(readdirSync(sessions.folder)).toEqual([]);
    expect(() => sessions.openById(id)).toThrow(expect.objectContaining({ code: 'no-session' }));
    expect(() => sessions.openById('../x')).toThrow(expect.objectContaining({ code: 'no-session' }));
  });
});
