/**
 * Small trees in text, rows from three of them, and an executor of decisions that refuses whatever a real one would.
 *
 * Notation, separated by blanks: `a=text` file, `d/` directory, `l->target` symlink, `x~ignored` (fifo, socket, mount …)
 * untracked, `p~problem`; after any of them `!755` mode, `@7` mtime, `+k` xattrs, `^a` linkTo, `%0:0` owner. Directories
 * above a path are made as needed. The root is a directory unless the text begins with `.missing` or `.file=text`.
 */

import type { Digests, Entry, FileEntry, Side, TrackedEntry, UntrackedEntry } from '../../src/journal/core/entry.ts';
import { isTracked, otherSide, UNKNOWN_DIGESTS } from '../../src/journal/core/entry.ts';
import type { MetadataOptions } from '../../src/journal/core/look.ts';
import { type BytePath, comparePaths, fromText, isWithin, parentOf, ROOT } from '../../src/platform/core/byte-path.ts';
import { digestsNeeded } from '../../src/sync/core/compare.ts';
import { agreedEntry } from '../../src/sync/core/compare-metadata.ts';
import type { Decision, ReconcileOptions, Row } from '../../src/sync/core/plan.ts';
import { stageOf } from '../../src/sync/core/plan-order.ts';

export type Tree = ReadonlyMap<BytePath, Entry>;
export type TrackedTree = ReadonlyMap<BytePath, TrackedEntry>;

/** Both sides and what they agreed on. `identities` name the objects, also those that are gone. */
export interface World {
  readonly ancestor: TrackedTree;
  readonly alpha: Tree;
  readonly beta: Tree;
  readonly identities?: { readonly [side in Side]: ReadonlyMap<BytePath, string> };
}

export const ALL_METADATA: MetadataOptions = {
  perms: true,
  times: true,
  setid: false,
  owner: false,
  xattrs: true,
  acls: false,
  hardLinks: true,
};

export const NO_METADATA: MetadataOptions = {
  ...ALL_METADATA,
  perms: false,
  times: false,
  xattrs: false,
  hardLinks: false,
};

export function optionsWith(changes: Partial<ReconcileOptions> = {}): ReconcileOptions {
  return {
    mode: 'two-way-safe',
    conflict: 'report',
    metadata: ALL_METADATA,
    digest: 'xxh64',
    conflictTime: '20250102T030405Z',
    isTaken: () => false,
    collisions: new Map(),
    ...changes,
  };
}

/** Digests as if `text` were the content. */
export function digestsOf(text: string): Digests {
  return { fast: text.padEnd(8, '#'), strong: text.padEnd(32, '#') };
}

export function fileOf(text: string, changes: Partial<FileEntry> = {}): FileEntry {
  return { kind: 'file', mode: 0o644, mtimeNs: 1n, sizeBytes: text.length, digests: digestsOf(text), ...changes };
}

/** The text behind a file of the model. */
export function textOf(entry: FileEntry): string {
  return (entry.digests.strong ?? '?').replace(/#+$/, '');
}

export function directoryOf(mode = 0o755): TrackedEntry {
  return { kind: 'directory', mode };
}

/** The tree that `text` describes. */
export function tree(text: string): Tree {
  const entries = new Map<BytePath, Entry>([[ROOT, directoryOf()]]);
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const { path, entry } = parseWord(word);
    if (path === '.missing') entries.delete(ROOT);
    else if (path === '.file') entries.set(ROOT, entry);
    else {
      addParents(entries, path);
      entries.set(path, entry);
    }
  }
  return entries;
}

/** What an archive can hold of a tree. */
export function trackedOf(entries: Tree): TrackedTree {
  const tracked = new Map<BytePath, TrackedEntry>();
  for (const [path, entry] of entries) if (isTracked(entry)) tracked.set(path, entry);
  return tracked;
}

export function world(ancestor: string, alpha: string, beta: string): World {
  return { ancestor: ancestor === '-' ? new Map() : trackedOf(tree(ancestor)), alpha: tree(alpha), beta: tree(beta) };
}

/** A row for every path anybody holds, in path order. */
export function rowsOf({ ancestor, alpha, beta, identities }: World): Row[] {
  const paths = [...new Set([...ancestor.keys(), ...alpha.keys(), ...beta.keys()])].sort(comparePaths);
  return paths.map((path) => ({
    path,
    ancestor: ancestor.get(path) ?? null,
    alpha: alpha.get(path) ?? null,
    beta: beta.get(path) ?? null,
    alphaIdentity: identities?.alpha.get(path) ?? null,
    betaIdentity: identities?.beta.get(path) ?? null,
  }));
}

/** Only the rows an engine would bring: without those that are the same everywhere, except where structure differs above. */
export function sparseRowsOf(whole: World): Row[] {
  const questioned: BytePath[] = [];
  return rowsOf(whole).filter(({ path, ancestor, alpha, beta }) => {
    if (questioned.some((directory) => isWithin(path, directory))) return true;
    const kinds = [ancestor, alpha, beta].filter((entry) => entry?.kind === 'directory').length;
    if (kinds === 1 || kinds === 2) questioned.push(path);
    return !(sameEntry(ancestor, alpha) && sameEntry(alpha, beta));
  });
}

/** The row with no digest known but those it needs, as after the engine's asking. Throws where asking does not end. */
export function withNeededDigests(full: Row, options: { readonly digest: 'xxh64' | 'sha256' }): Row {
  let row: Row = { ...full, alpha: undigested(full.alpha), beta: undigested(full.beta) };
  for (let pass = 0; pass <= 2; pass++) {
    const needs = digestsNeeded(row, options);
    if (needs.length === 0) return row;
    for (const { side, strong } of needs) {
      const [known, entry] = [full[side], row[side]];
      if (known?.kind !== 'file' || entry?.kind !== 'file') throw new Error('digest of something that is no file');
      const { fast, strong: sha256 } = known.digests;
      row = { ...row, [side]: { ...entry, digests: { fast, strong: strong ? sha256 : entry.digests.strong } } };
    }
  }
  throw new Error('more than two rounds of digests');
}

/** A run that was killed: only the first `steps` were done, and of those the archive knows only if `isRecorded`. */
export interface Interruption {
  readonly steps: number;
  readonly isRecorded: boolean;
}

/** Carries out decisions in stages, records after the renames. Throws where a real executor would have to refuse. */
export function applyAll(
  start: World,
  decisions: readonly Decision[],
  metadata: MetadataOptions = ALL_METADATA,
  { steps, isRecorded }: Interruption = { steps: Number.POSITIVE_INFINITY, isRecorded: true },
): World {
  const state: State = {
    ancestor: new Map(start.ancestor),
    alpha: new Map(start.alpha),
    beta: new Map(start.beta),
    touched: new Set<BytePath>(),
  };
  for (const decision of inOrderOfExecution(decisions).slice(0, steps)) carryOut(state, decision);
  if (!isRecorded) return { ancestor: start.ancestor, alpha: state.alpha, beta: state.beta };
  for (const path of state.touched) {
    const [alpha, beta] = [state.alpha.get(path) ?? null, state.beta.get(path) ?? null];
    if ((alpha !== null && !isTracked(alpha)) || (beta !== null && !isTracked(beta))) continue;
    const agreed = agreedEntry(state.ancestor.get(path) ?? null, alpha, beta, metadata);
    setOrDelete(state.ancestor, path, agreed);
  }
  return { ancestor: state.ancestor, alpha: state.alpha, beta: state.beta };
}

function inOrderOfExecution(decisions: readonly Decision[]): Decision[] {
  const stages = ['arrange', 'note', 'fill', 'clear'] as const;
  return stages.flatMap((stage) => decisions.filter((decision) => stageOf(decision) === stage));
}

/** Decisions as short text, for tables: `put beta a create`, `remove alpha d/x`, `conflict a (modified file | deleted)`. */
export function decisionText(decision: Decision): string {
  switch (decision.kind) {
    case 'put':
      return `put ${decision.side} ${wordOf(decision.path, decision.after)} ${decision.reason}${isAnew(decision) ? ' anew' : ''}`;
    case 'remove':
      return `remove ${decision.side} ${decision.path}${decision.makesRoom ? ' for room' : ''}`;
    case 'record':
      return `record ${decision.entry === null ? `-${decision.path}` : wordOf(decision.path, decision.entry)}`;
    case 'conflict':
      return `conflict ${decision.path} (${decision.alphaText} | ${decision.betaText})`;
    case 'problem':
      return `problem ${decision.side} ${decision.path}`;
    case 'rename':
      return `rename ${decision.side} ${decision.from} ${decision.to}`;
    case 'record-rename':
      return `record-rename ${decision.from} ${decision.to}`;
    case 'keep-loser':
      return `keep-loser ${decision.side} ${decision.path} ${decision.to}`;
  }
}

/** The other way round: alpha for beta. */
export function swapped<T extends World | Row>(value: T): T {
  const { alpha, beta } = value;
  return { ...value, alpha: beta, beta: alpha };
}

/** The tree in the notation, with metadata only where it is not the usual. */
export function treeText(entries: Tree): string {
  const words = [...entries].sort(([left], [right]) => comparePaths(left, right));
  return words
    .filter(([path]) => path !== ROOT)
    .map(([path, entry]) => wordOf(path, entry))
    .join(' ');
}

interface State {
  readonly ancestor: Map<BytePath, TrackedEntry>;
  readonly alpha: Map<BytePath, Entry>;
  readonly beta: Map<BytePath, Entry>;
  readonly touched: Set<BytePath>;
}

function carryOut(state: State, decision: Decision): void {
  switch (decision.kind) {
    case 'put': {
      const entries = state[decision.side];
      expectHeld(entries, decision.path, decision.before);
      expectParent(entries, decision.path);
      if (decision.before?.kind === 'directory' && decision.after.kind !== 'directory')
        expectEmpty(entries, decision.path);
      if (decision.before !== null && !isTracked(decision.before))
        refuse('put over something untracked', decision.path);
      const changesContent = decision.reason !== 'metadata' && decision.after.kind === 'file';
      if (changesContent !== (decision.source !== null) && !isAnew(decision)) refuse('source', decision.path);
      if (decision.source !== null) expectSource(state[otherSide(decision.side)], decision.path, decision.source);
      const origin = state[decision.source === null ? decision.side : otherSide(decision.side)].get(decision.path);
      entries.set(decision.path, asRead(decision.after, origin));
      state.touched.add(decision.path);
      return;
    }
    case 'remove':
      expectHeld(state[decision.side], decision.path, decision.before);
      expectEmpty(state[decision.side], decision.path);
      state[decision.side].delete(decision.path);
      state.touched.add(decision.path);
      return;
    case 'rename':
      expectHeld(state[decision.side], decision.from, decision.before);
      move(state[decision.side], decision.from, decision.to);
      expectParent(state[decision.side], decision.to);
      move(state.ancestor, decision.from, decision.to);
      return;
    case 'record-rename':
      move(state.ancestor, decision.from, decision.to);
      return;
    case 'keep-loser':
      expectHeld(state[decision.side], decision.path, decision.before);
      move(state[decision.side], decision.path, decision.to);
      return;
    case 'record':
      setOrDelete(state.ancestor, decision.path, decision.entry);
      return;
    case 'conflict':
    case 'problem':
      return;
  }
}

/** A put that only gives a name a file of its own. */
function isAnew({ reason, before, after, source }: Extract<Decision, { kind: 'put' }>): boolean {
  const isLinked = before?.kind === 'file' && before.linkTo !== undefined;
  return reason === 'metadata' && source !== null && isLinked && after.kind === 'file' && after.linkTo === undefined;
}

function move<E>(entries: Map<BytePath, E>, from: BytePath, to: BytePath): void {
  if (entries.has(to)) refuse('rename onto something', to);
  for (const [path, entry] of [...entries]) {
    if (!isWithin(path, from)) continue;
    entries.delete(path);
    entries.set((to + path.slice(from.length)) as BytePath, entry);
  }
}

/** Compares without digests: rows may know fewer of them. */
function expectHeld(entries: ReadonlyMap<BytePath, Entry>, path: BytePath, before: Entry | null): void {
  if (!sameEntry(undigested(entries.get(path) ?? null), undigested(before))) refuse('changed since', path);
}

function expectParent(entries: ReadonlyMap<BytePath, Entry>, path: BytePath): void {
  if (path !== ROOT && entries.get(parentOf(path))?.kind !== 'directory') refuse('no directory above', path);
}

function expectEmpty(entries: ReadonlyMap<BytePath, Entry>, path: BytePath): void {
  for (const other of entries.keys()) if (other !== path && isWithin(other, path)) refuse('not empty', path);
}

function expectSource(entries: ReadonlyMap<BytePath, Entry>, path: BytePath, source: FileEntry): void {
  if (!sameEntry(undigested(entries.get(path) ?? null), undigested(source))) refuse('source changed', path);
}

/** What arrives carries the digests of what was read. */
function asRead(after: TrackedEntry, origin: Entry | undefined): TrackedEntry {
  return after.kind === 'file' && origin?.kind === 'file' ? { ...after, digests: origin.digests } : after;
}

function refuse(why: string, path: BytePath): never {
  throw new Error(`executor refuses: ${why} at "${path}"`);
}

export function sameEntry(left: Entry | null, right: Entry | null): boolean {
  return inspectable(left) === inspectable(right);
}

function inspectable(entry: Entry | null): string {
  if (entry === null) return '';
  return JSON.stringify(Object.entries(entry).sort(), (_key, value) =>
    typeof value === 'bigint' ? `${value}n` : value,
  );
}

function undigested(entry: Entry | null): Entry | null {
  return entry?.kind === 'file' ? { ...entry, digests: UNKNOWN_DIGESTS } : entry;
}

function setOrDelete<E>(entries: Map<BytePath, E>, path: BytePath, entry: E | null): void {
  if (entry === null) entries.delete(path);
  else entries.set(path, entry);
}

function addParents(entries: Map<BytePath, Entry>, path: BytePath): void {
  for (let parent = parentOf(path); parent !== ROOT; parent = parentOf(parent)) {
    if (!entries.has(parent)) entries.set(parent, directoryOf());
  }
}

const WORD =
  /^(?<path>[^=~!@+^%]+?)(?:(?<directory>\/)|=(?<text>[^!@+^%]*)|->(?<target>[^!@+^%]+)|~(?<what>\w+))?(?<rest>[!@+^%].*)?$/;

function parseWord(word: string): { path: BytePath; entry: Entry } {
  const groups = WORD.exec(word)?.groups;
  if (groups?.path === undefined) throw new Error(`tree notation: ${word}`);
  return { path: fromText(groups.path), entry: parseEntry(groups) };
}

function parseEntry(groups: Record<string, string | undefined>): Entry {
  const marks = new Map((groups.rest ?? '').match(/[!@+^%][^!@+^%]*/g)?.map((mark) => [mark[0], mark.slice(1)]));
  const mode = marks.get('!');
  const owner = marks.get('%');
  const common = owner === undefined ? {} : { owner };
  const xattrs = marks.get('+');
  const metadata = {
    ...common,
    ...(xattrs === undefined ? {} : { xattrs }),
    ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
  };
  if (groups.what === 'problem') return { kind: 'problem', code: 'EACCES', message: 'no access' };
  if (groups.what !== undefined) return { kind: 'untracked', what: groups.what as UntrackedEntry['what'] };
  if (groups.target !== undefined) return { kind: 'symlink', target: groups.target, ...common };
  if (groups.directory !== undefined) return { kind: 'directory', mode: 0o755, ...metadata };
  const mtime = marks.get('@');
  const link = marks.get('^');
  return fileOf(groups.text ?? '', {
    ...metadata,
    ...(mtime === undefined ? {} : { mtimeNs: BigInt(mtime) }),
    ...(link === undefined ? {} : { linkTo: link }),
  });
}

function wordOf(path: BytePath, entry: Entry): string {
  switch (entry.kind) {
    case 'untracked':
      return `${path}~${entry.what}`;
    case 'problem':
      return `${path}~problem`;
    case 'symlink':
      return `${path}->${entry.target}${mark('%', entry.owner)}`;
    case 'directory':
      return `${path}/${mark('!', entry.mode === 0o755 ? undefined : entry.mode.toString(8))}${mark('+', entry.xattrs)}`;
    case 'file':
      return `${path}=${textOf(entry)}${mark('!', entry.mode === 0o644 ? undefined : entry.mode.toString(8))}${mark('@', entry.mtimeNs === 1n ? undefined : `${entry.mtimeNs}`)}${mark('+', entry.xattrs)}${mark('^', entry.linkTo)}${mark('%', entry.owner)}`;
  }
}

function mark(sign: string, value: string | undefined): string {
  return value === undefined ? '' : sign + value;
}
