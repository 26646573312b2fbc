/** Generators of correlated trees: one is made by random edits, and both sides are edited further. */
import fc from 'fast-check';
import type { Entry, Side } from '../../src/journal/core/entry.ts';
import { isTracked } from '../../src/journal/core/entry.ts';
import { type BytePath, isWithin, parentOf, ROOT } from '../../src/platform/core/byte-path.ts';
import { directoryOf, fileOf, trackedOf, type World } from './tree-model.ts';

/** What a person or a program does to a tree. Edits that make no sense where they come are left out. */
export type Edit =
  | { readonly kind: 'write'; readonly path: BytePath; readonly text: string; readonly mtime: number }
  | { readonly kind: 'mkdir' | 'remove'; readonly path: BytePath }
  | { readonly kind: 'chmod'; readonly path: BytePath; readonly mode: number }
  | { readonly kind: 'touch'; readonly path: BytePath; readonly mtime: number }
  | { readonly kind: 'link'; readonly path: BytePath; readonly target: string }
  | { readonly kind: 'block'; readonly path: BytePath; readonly what: 'ignored' | 'fifo' | 'problem' }
  /** Of what is there the one at `pick`, in whatever order. */
  | { readonly kind: 'move'; readonly pick: number; readonly path: BytePath };

export interface WorldShape {
  /** Ignored things, fifos, problems. */
  readonly blocks: boolean;
  readonly metadata: boolean;
  readonly moves: boolean;
  /** Share of worlds without an archive. */
  readonly firstSyncs: boolean;
}

const NAMES = ['a', 'b'];
const paths = fc
  .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 })
  .map((names) => names.join('/') as BytePath);
const mtimes = fc.integer({ min: 1, max: 4 });
/** One size for most, so that digests matter. */
const texts = fc.constantFrom('1', '2', '3', '4', '55', '');

function edits(shape: WorldShape): fc.Arbitrary<Edit> {
  const kinds: fc.WeightedArbitrary<Edit>[] = [
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('write'), path: paths, text: texts, mtime: mtimes }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('mkdir'), path: paths }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('remove'), path: paths }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('link'), path: paths, target: fc.constantFrom('x', 'y') }) },
  ];
  if (shape.metadata) {
    const mode = fc.constantFrom(0o600, 0o644, 0o700);
    kinds.push({ weight: 2, arbitrary: fc.record({ kind: fc.constant('chmod'), path: paths, mode }) });
    kinds.push({ weight: 1, arbitrary: fc.record({ kind: fc.constant('touch'), path: paths, mtime: mtimes }) });
  }
  if (shape.blocks) {
    const what = fc.constantFrom<'ignored' | 'fifo' | 'problem'>('ignored', 'fifo', 'problem');
    kinds.push({ weight: 1, arbitrary: fc.record({ kind: fc.constant('block'), path: paths, what }) });
  }
  if (shape.moves) {
    const targets = fc.constantFrom(...['a', 'b', 'c', 'a/c', 'b/a', 'b/c', 'c/a'].map((path) => path as BytePath));
    kinds.push({ weight: 8, arbitrary: fc.record({ kind: fc.constant('move'), pick: fc.nat(30), path: targets }) });
  }
  return fc.oneof(...kinds);
}

/** A tree with the objects in it: what stays the same object when it moves. */
interface Disk {
  readonly entries: Map<BytePath, Entry>;
  readonly objects: Map<BytePath, string>;
}

/** Three correlated trees; identities as an index would know them, those of removed objects included. */
export function worlds(shape: WorldShape): fc.Arbitrary<World> {
  const script = (maxLength: number) => fc.array(edits(shape), { maxLength });
  const calm = fc.array(edits({ ...shape, blocks: false }), { maxLength: 14 });
  const first = shape.firstSyncs ? fc.boolean() : fc.constant(false);
  return fc.tuple(calm, script(6), script(6), first).map(([base, forAlpha, forBeta, isFirst]) => {
    const start = edited({ entries: new Map([[ROOT, directoryOf()]]), objects: new Map() }, base, 'base');
    const alpha = edited(start, forAlpha, 'alpha');
    const beta = edited(start, forBeta, 'beta');
    return {
      ancestor: isFirst ? new Map() : trackedOf(start.entries),
      alpha: alpha.entries,
      beta: beta.entries,
      identities: { alpha: identitiesOf('alpha', start, alpha), beta: identitiesOf('beta', start, beta) },
    };
  });
}

function identitiesOf(side: Side, before: Disk, after: Disk): Map<BytePath, string> {
  const identities = new Map<BytePath, string>();
  for (const [path, object] of [...before.objects, ...after.objects]) identities.set(path, `${side}:${object}`);
  return identities;
}

function edited(start: Disk, script: readonly Edit[], by: string): Disk {
  const disk = { entries: new Map(start.entries), objects: new Map(start.objects) };
  script.forEach((edit, index) => {
    carryOut(disk, edit, `${by}${index}`);
  });
  return disk;
}

function carryOut(disk: Disk, edit: Edit, object: string): void {
  const { entries, objects } = disk;
  const entry = entries.get(edit.path);
  if (MAKES_PARENTS.has(edit.kind)) makeParents(disk, edit.path, object);
  if (entries.get(parentOf(edit.path))?.kind !== 'directory') return;
  switch (edit.kind) {
    case 'write':
      if (entry?.kind === 'directory') drop(disk, edit.path);
      entries.set(edit.path, fileOf(edit.text, { mtimeNs: BigInt(edit.mtime) }));
      if (entry?.kind !== 'file') objects.set(edit.path, object);
      return;
    case 'mkdir':
      if (entry?.kind === 'directory') return;
      entries.set(edit.path, directoryOf());
      objects.set(edit.path, object);
      return;
    case 'remove':
      drop(disk, edit.path);
      return;
    case 'chmod':
      if (entry?.kind === 'file' || entry?.kind === 'directory') entries.set(edit.path, { ...entry, mode: edit.mode });
      return;
    case 'touch':
      if (entry?.kind === 'file') entries.set(edit.path, { ...entry, mtimeNs: BigInt(edit.mtime) });
      return;
    case 'link':
      if (entry?.kind === 'directory') return;
      entries.set(edit.path, { kind: 'symlink', target: edit.target });
      objects.set(edit.path, object);
      return;
    case 'block':
      drop(disk, edit.path);
      entries.set(edit.path, blockOf(edit.what));
      return;
    case 'move':
      move(disk, pickedFrom(disk, edit.pick), edit.path);
  }
}

const MAKES_PARENTS: ReadonlySet<Edit['kind']> = new Set(['write', 'mkdir', 'link', 'block']);

function makeParents({ entries, objects }: Disk, path: BytePath, object: string): void {
  const parent = parentOf(path);
  if (parent === ROOT) return;
  makeParents({ entries, objects }, parent, object);
  if (entries.has(parent) || entries.get(parentOf(parent))?.kind !== 'directory') return;
  entries.set(parent, directoryOf());
  objects.set(parent, `${object}:${parent}`);
}

function blockOf(what: 'ignored' | 'fifo' | 'problem'): Entry {
  return what === 'problem' ? { kind: 'problem', code: 'EACCES', message: 'no access' } : { kind: 'untracked', what };
}

function drop(disk: Disk, path: BytePath): void {
  for (const held of [...disk.entries.keys()]) {
    if (!isWithin(held, path)) continue;
    disk.entries.delete(held);
    disk.objects.delete(held);
  }
}

function pickedFrom({ entries }: Disk, pick: number): BytePath {
  return [...entries.keys()][pick % entries.size] ?? ROOT;
}

function move(disk: Disk, from: BytePath, to: BytePath): void {
  const { entries, objects } = disk;
  if (
    from === ROOT ||
    !isTracked(entries.get(from) ?? null) ||
    isWithin(to, from) ||
    entries.has(to) ||
    entries.get(parentOf(to))?.kind !== 'directory'
  )
    return;
  for (const [path, entry] of [...entries]) {
    if (!isWithin(path, from)) continue;
    const moved = (to + path.slice(from.length)) as BytePath;
    const object = objects.get(path);
    entries.delete(path);
    objects.delete(path);
    entries.set(moved, entry);
    if (object !== undefined) objects.set(moved, object);
  }
}

/** A content of a side. `isOld`: the archive's, of that path or of one that the side moved away from. */
export interface HeldContent {
  readonly text: string;
  readonly isOld: boolean;
  /** The archive has it at some path. */
  readonly isArchived: boolean;
}

/** Every file content of a side. */
export function contentsOf(whole: World, side: Side): HeldContent[] {
  const { ancestor, [side]: held } = whole;
  const archived = [...ancestor.values()].map(strongOf);
  const left = [...ancestor].filter(([path]) => !held.has(path)).map(([, entry]) => strongOf(entry));
  return [...held].flatMap(([path, entry]) => {
    const text = strongOf(entry);
    if (text === null) return [];
    const isOld = strongOf(ancestor.get(path)) === text || left.includes(text);
    return [{ text, isOld, isArchived: archived.includes(text) }];
  });
}

function strongOf(entry: Entry | undefined): string | null {
  return entry?.kind === 'file' ? entry.digests.strong : null;
}
