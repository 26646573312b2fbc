import { afterEach, describe, expect, it } from 'vitest';
import { NOTICE } from '../../src/journal/core/kinds.ts';
import { placeAt } from '../../src/journal/core/tree-key.ts';
import { EVENT } from '../../src/platform/fanotify.ts';
import { Ground, type GroundOptions } from './absorbing.ts';

let grounds: Ground[] = [];
afterEach(() => {
  for (const ground of grounds) ground.dispose();
  grounds = [];
});

function groundWith(paths: readonly string[], options: GroundOptions = {}): Ground {
  const ground = new Ground(options);
  grounds.push(ground);
  for (const path of paths) ground.record(path);
  return ground;
}

const brief = (ground: Ground, sequence: number) =>
  ground
    .told(sequence)
    .map(
      ({ path, kinds, renamedFrom }) => `${path} ${kinds.join('+')}${renamedFrom === null ? '' : ` < ${renamedFrom}`}`,
    );

describe('events of files', () => {
  it.each([
    ['a write', EVENT.modify, NOTICE.content],
    ['a last close after writing', EVENT.closeWrite, NOTICE.content],
    ['a new name', EVENT.create, NOTICE.content],
    ['attributes', EVENT.attributes, NOTICE.metadata],
    ['a name less', EVENT.remove, NOTICE.removed],
    ['all in one', EVENT.create | EVENT.modify | EVENT.remove, NOTICE.content | NOTICE.removed],
  ])('%s is noticed at its place', (_, mask, kinds) => {
    const ground = groundWith(['a/', 'a/f']);
    expect(ground.absorb(ground.event(mask, 'a', 'f'))).toEqual([]);
    expect(ground.noticed('a/f')).toBe(kinds);
  });

  it('names the directories that are not ours', () => {
    const ground = groundWith([]);
    expect(ground.absorb(ground.event(EVENT.modify, 'elsewhere', 'f'))).toEqual(['elsewhere']);
  });

  it('moves the row of a renamed file, and looks at both places', () => {
    const ground = groundWith(['a/', 'a/f', 'b/']);
    ground.absorb(ground.rename('a/f', 'b/g', 'file', false));
    expect(ground.tree()).toEqual(['a/ a', 'b/ b', 'b/g']);
    expect(ground.noticed('b/g')).toBe(NOTICE.moved);
    expect(ground.noticed('a/f')).toBe(NOTICE.removed);
  });

  it('carries what waits at the old place to the new one', () => {
    const ground = groundWith(['f']);
    ground.absorb(ground.event(EVENT.modify, 'root', 'f'), ground.rename('root/f', 'root/g', 'file', false));
    expect(ground.noticed('g') & NOTICE.content).toBe(NOTICE.content);
  });

  it('takes what comes from out of sight for new content, and what leaves for removed', () => {
    const ground = groundWith(['f']);
    ground.absorb(
      ground.rename('elsewhere/x', 'root/g', 'x', false),
      ground.rename('root/f', 'elsewhere/y', 'f', false),
    );
    expect(ground.noticed('g')).toBe(NOTICE.content);
    expect(ground.noticed('f')).toBe(NOTICE.removed);
  });
});

describe('the hidden folder', () => {
  it('is not there', () => {
    const ground = groundWith([]);
    ground.absorb(ground.event(EVENT.create | EVENT.directory, 'root', '.tidemark', 'own'));
    expect(ground.tree()).toEqual([]);
  });

  it('renamed, it does not make its directory a foreign one', () => {
    const ground = groundWith([]);
    expect(ground.absorb(ground.rename('root/.tidemark', 'root/other', 'own', true))).toEqual([]);
    expect(ground.absorb(ground.rename('root/.tidemark', 'elsewhere/x', 'own', true))).toEqual(['elsewhere']);
    expect(ground.scans()).toEqual(['other']);
  });
});

describe('events of directories', () => {
  it('numbers a new one before anything in it', () => {
    const ground = groundWith([]);
    ground.absorb(
      ground.event(EVENT.create | EVENT.directory, 'root', 'd', 'D'),
      ground.event(EVENT.create | EVENT.directory, 'D', 'e', 'E'),
      ground.event(EVENT.create, 'E', 'f'),
    );
    expect(ground.tree()).toEqual(['d/ D', 'd/e/ E']);
    expect(ground.noticed('d/e/f')).toBe(NOTICE.content);
    expect(ground.scans()).toEqual([]);
  });

  it('scans a new one that needs a mark, under the name it has by then', () => {
    const ground = groundWith(['a/'], { seesNewDirectories: false });
    ground.absorb(
      ground.event(EVENT.create | EVENT.directory, 'root', 'd', 'D'),
      ground.rename('root/d', 'a/e', 'D', true),
    );
    expect(ground.scans()).toContain('a/e');
    expect(ground.noticed('a/e') & NOTICE.subtree).toBe(NOTICE.subtree);
  });

  it('scans what was moved in and renamed at once under its new name', () => {
    const ground = groundWith([]);
    ground.absorb(ground.rename('elsewhere/x', 'root/d', 'D', true), ground.rename('root/d', 'root/e', 'D', true));
    expect(ground.tree()).toEqual(['e/ D']);
    expect(ground.scans()).toContain('e');
  });

  it('finds, after a crash, that what was moved in is still to be scanned', () => {
    const ground = groundWith([]);
    ground.absorb(ground.rename('elsewhere/x', 'root/d', 'D', true), ground.rename('root/d', 'root/e', 'D', true));
    const waiting = [...ground.store.dirty()].map(({ key, row }) => `${key.slice(5)} ${row.kinds & NOTICE.subtree}`);
    expect(waiting).toContain(`e ${NOTICE.subtree}`);
  });

  it('takes what is known of a directory along: an attribute changed before it was renamed', () => {
    const ground = groundWith(['d/']);
    ground.absorb(
      ground.event(EVENT.attributes | EVENT.directory, 'd', '', 'd'),
      ground.rename('root/d', 'root/e', 'd', true),
    );
    expect(ground.noticed('e') & NOTICE.metadata).toBe(NOTICE.metadata);
  });

  it('keeps everything while the root itself is renamed', () => {
    const ground = groundWith(['f']);
    ground.absorb(ground.rename('elsewhere/root', 'elsewhere/away', 'root', true));
    expect(ground.tree()).toEqual(['f']);
    expect(brief(ground, 0)).toEqual([]);
  });

  it('drops a tree that was moved out of sight, and tells it', () => {
    const ground = groundWith(['d/', 'd/f', 'd/e/']);
    ground.absorb(ground.rename('root/d', 'elsewhere/x', 'd', true));
    expect(ground.tree()).toEqual([]);
    expect(brief(ground, 0)).toEqual(['d removed']);
  });

  it('scans a directory that is recorded elsewhere, as when a scan was ahead of the events', () => {
    const ground = groundWith(['b/', 'b/f']);
    ground.absorb(ground.event(EVENT.create | EVENT.directory, 'root', 'a', 'b'));
    expect(ground.scans()).toEqual(['a']);
  });

  it.each(['at once', 'with a crash between', 'replayed after a crash'])('exchanges two, %s', (how) => {
    const ground = groundWith(['a/', 'a/x', 'b/', 'b/y']);
    const halves = [
      ground.rename('root/a', 'root/b', 'a', true),
      ground.rename('root/b', 'root/a', 'b', true),
    ] as const;
    ground.absorb(halves[0]);
    if (how === 'with a crash between') ground.crash();
    ground.absorb(halves[1]);
    if (how === 'replayed after a crash') {
      ground.crash();
      ground.absorb(...halves);
    }
    expect(ground.tree()).toEqual(['a/ b', 'a/y', 'b/ a', 'b/x']);
    expect(brief(ground, 0)).toEqual(['a entries < b', 'b entries < a']);
  });

  it('tells where a file of an exchanged directory came from', () => {
    const ground = groundWith(['a/', 'a/x', 'b/', 'b/x']);
    ground.absorb(ground.rename('root/a', 'root/b', 'a', true), ground.rename('root/b', 'root/a', 'b', true));
    // The directory that was b.
    ground.absorb(ground.rename('b/x', 'root/c', 'file', false));
    expect(brief(ground, 0)).toContain('c entries < b/x');
  });

  it('exchanges a file and a directory', () => {
    const ground = groundWith(['a', 'd/', 'd/x']);
    ground.absorb(ground.rename('root/a', 'root/d', 'file', false), ground.rename('root/d', 'root/a', 'd', true));
    expect(ground.tree()).toEqual(['a/ d', 'a/x', 'd']);
    expect(brief(ground, 0)).toEqual(['a entries < d', 'd entries < a']);
  });

  it('tells all of a directory that was nowhere when the cursor was given', () => {
    const ground = groundWith(['a/', 'b/', 'b/y']);
    ground.absorb(ground.rename('root/a', 'root/b', 'a', true));
    const { sequence } = ground.store.log;
    ground.absorb(ground.rename('root/b', 'root/a', 'b', true));
    expect(brief(ground, sequence)).toEqual(['a entries+subtree']);
  });

  it('tells that a file left for a directory that is parked', () => {
    const ground = groundWith(['a/', 'b/', 'f']);
    ground.absorb(
      ground.rename('root/a', 'root/b', 'a', true),
      ground.rename('root/f', 'b/f', 'file', false),
      ground.rename('root/b', 'root/a', 'b', true),
    );
    expect(brief(ground, 0)).toContain('f removed');
    expect(brief(ground, 0)).toContain('a/f entries < f');
  });

  it('clears what is parked and nobody came to fetch', () => {
    const ground = groundWith(['a/', 'b/']);
    ground.absorb(ground.rename('root/a', 'root/b', 'a', true));
    ground.absorber.clear(ground.absorber.parked());
    expect(ground.store.parked()).toEqual([]);
    expect(ground.store.numberOfHandle('b')).toBe(0);
  });

  it('never makes a ring of them, whatever merged events say', () => {
    const ground = groundWith(['x/', 'x/y/']);
    ground.absorb(ground.rename('root/x', 'y/w', 'x', true));
    expect(ground.absorber.takeScans().map((key) => ground.store.pathOf(placeAt(key, 0)))).toEqual(['']);
    expect(ground.tree()).toEqual(['x/ x', 'x/y/ y']);
  });
});

describe('several renames of one object', () => {
  it('merged into the first of them, leave both places to be looked at', () => {
    const ground = groundWith(['a']);
    ground.absorb(ground.rename('root/a', 'root/b', 'file', false), ground.rename('root/b', 'root/a', 'file', false));
    expect(ground.noticed('a')).not.toBe(0);
    expect(ground.noticed('b')).not.toBe(0);
  });

  it('replayed, come to the same tree', () => {
    const ground = groundWith(['d/', 'd/f']);
    const events = [ground.rename('root/d', 'root/e', 'd', true), ground.rename('root/e', 'root/g', 'd', true)];
    ground.absorb(...events);
    ground.crash();
    ground.absorb(...events);
    expect(ground.tree()).toEqual(['g/ d', 'g/f']);
  });

  it('are traced to the name at the cursor', () => {
    const ground = groundWith(['d/', 'd/f']);
    ground.absorb(ground.rename('root/d', 'root/e', 'd', true), ground.rename('d/f', 'root/g', 'file', false));
    ground.absorb(ground.rename('root/g', 'root/h', 'file', false));
    expect(brief(ground, 0)).toContain('h entries < d/f');
    expect(brief(ground, 0)).toContain('e entries < d');
  });
});
