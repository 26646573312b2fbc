/**
 * Metadata merges apart from content, attribute by attribute, so that a chmod here and an edit there both arrive.
 *
 * An attribute (mode, owner, xattrs, linkTo) takes the value of the side that changed it since the archive. Where both
 * changed it differently, `clash` says who wins. Without an archive entry of the same kind alpha's values hold, or those
 * of the side whose content wins. So does a single attribute that the archive's entry does not know, as after its option
 * was turned on; but extended attributes that only one side has go to the other.
 *
 * A link goes with its content: an interrupted run leaves names of one file with different contents, and that is no
 * change of links. A modification time (of a file or symlink) goes with its content, too; where contents are the same it
 * merges like an attribute, the later one winning a clash. Attributes that are not synced, and optional ones that a side
 * does not know (undefined), stay as each side has them.
 */

import type { DirectoryEntry, FileEntry, Side, TrackedEntry } from '../../journal/core/entry.ts';
import { otherSide } from '../../journal/core/entry.ts';
import type { MetadataOptions } from '../../journal/core/look.ts';
import { compareContent } from './compare.ts';

export type AttributeName = 'mode' | 'owner' | 'xattrs' | 'linkTo';

/** The synced attributes of an entry in comparable form: mode masked, `linkTo` empty where there is none. */
export type Attributes = { readonly [name in AttributeName]?: string | number };

export interface MergeInput {
  readonly ancestor: TrackedEntry | null;
  /** Both of the same kind. */
  readonly alpha: TrackedEntry;
  readonly beta: TrackedEntry;
  /** The side whose content goes to the other; null where contents are the same. */
  readonly winner: Side | null;
  /** Who wins an attribute that both changed differently. */
  readonly clash: Side | 'conflict';
  /** True: alpha's metadata always (one-way modes). */
  readonly alphaOnly: boolean;
}

/** What each side is to hold, or the attribute that both changed and nobody wins. */
export type Merged =
  | { readonly kind: 'merged'; readonly alpha: TrackedEntry; readonly beta: TrackedEntry }
  | { readonly kind: 'clash'; readonly attribute: AttributeName };

const ATTRIBUTES: readonly AttributeName[] = ['mode', 'owner', 'xattrs', 'linkTo'];

/** Merges two entries of one kind. */
export function mergeEntries(input: MergeInput, options: MetadataOptions): Merged {
  const own = { alpha: attributesOf(input.alpha, options), beta: attributesOf(input.beta, options) };
  const ancestor = input.ancestor?.kind === input.alpha.kind && !input.alphaOnly ? input.ancestor : null;
  const base = ancestor === null ? null : attributesOf(ancestor, options);
  const fallback = input.alphaOnly ? 'alpha' : (input.winner ?? 'alpha');
  const merged: { [name in AttributeName]?: string | number } = {};
  for (const name of ATTRIBUTES) {
    const pair = { alpha: own.alpha[name], beta: own.beta[name] };
    if (name === 'linkTo' && input.winner !== null) {
      const link = pair[input.winner];
      if (link !== undefined) merged[name] = link;
      continue;
    }
    const past = base?.[name];
    const isOptional = name === 'xattrs' && !input.alphaOnly;
    const value = past === undefined ? pickValue(pair, fallback, isOptional) : mergeValue(pair, past, input.clash);
    if (value === CLASH) return { kind: 'clash', attribute: name };
    if (value !== undefined) merged[name] = value;
  }
  const mtimeNs = mergeMtime(input, ancestor, options);
  return {
    kind: 'merged',
    alpha: entryFor('alpha', input, merged, mtimeNs, options),
    beta: entryFor('beta', input, merged, mtimeNs, options),
  };
}

/** True where `entry` needs no change to be `wanted`, content aside. */
export function sameMetadata(entry: TrackedEntry, wanted: TrackedEntry, options: MetadataOptions): boolean {
  const left = attributesOf(entry, options);
  const right = attributesOf(wanted, options);
  if (ATTRIBUTES.some((name) => left[name] !== right[name])) return false;
  return !options.times || mtimeOf(entry) === mtimeOf(wanted);
}

/** The attributes of an entry that this session syncs. */
export function attributesOf(entry: TrackedEntry, options: MetadataOptions): Attributes {
  const attributes: { [name in AttributeName]?: string | number } = {};
  if (options.owner && entry.owner !== undefined) attributes.owner = entry.owner;
  if (entry.kind === 'symlink') return attributes;
  if (options.perms) attributes.mode = maskMode(entry.mode, options);
  if ((options.xattrs || options.acls) && entry.xattrs !== undefined) attributes.xattrs = entry.xattrs;
  if (options.hardLinks && entry.kind === 'file') attributes.linkTo = entry.linkTo ?? '';
  return attributes;
}

/** `entry` as another side is to create it: special mode bits only with --setid, a link only with --hard-links. */
export function entryToCreate(entry: TrackedEntry, options: MetadataOptions): TrackedEntry {
  if (entry.kind === 'symlink') return entry;
  const mode = maskMode(entry.mode, options);
  if (entry.kind === 'directory') return { ...entry, mode };
  const { linkTo, ...rest } = entry;
  return options.hardLinks && linkTo !== undefined ? { ...rest, mode, linkTo } : { ...rest, mode };
}

/**
 * What both sides agree on, given what each really holds after the run (or null): the archive's next entry.
 *
 * Contents differ, or are not known to be the same: nothing new is agreed, the archive keeps `ancestor`. An attribute on which they still differ keeps
 * the ancestor's value, so that the change is seen again, as does one that a side does not know; without an ancestor nothing is agreed (null). Times that
 * differ although neither is the ancestor's come from a file system with coarser times: the later one is taken, which
 * settles at the coarser at the next look.
 */
export function agreedEntry(
  ancestor: TrackedEntry | null,
  alpha: TrackedEntry | null,
  beta: TrackedEntry | null,
  options: MetadataOptions,
): TrackedEntry | null {
  if (alpha === null && beta === null) return null;
  if (alpha === null || beta === null) return ancestor;
  if (compareContent(alpha, beta, 'change', 'xxh64') !== 'same') return ancestor;
  const base = ancestor?.kind === alpha.kind ? ancestor : null;
  const left = attributesOf(alpha, options);
  const right = attributesOf(beta, options);
  const known = base === null ? null : attributesOf(base, options);
  const agreed: { [name in AttributeName]?: string | number } = {};
  for (const name of ATTRIBUTES) {
    const value = agreedValue(left[name], right[name], known === null ? undefined : known[name]);
    if (value === CLASH) return ancestor;
    if (value !== undefined) agreed[name] = value;
  }
  return rebuild(withoutOptional(withDigestsOf(alpha, beta)), agreed, agreedMtime(alpha, beta, base, options), true);
}

const CLASH = Symbol('clash');

function maskMode(mode: number, options: MetadataOptions): number {
  return mode & (options.setid ? 0o7777 : 0o777);
}

type Value = string | number | undefined;
type ValuePair = { readonly [side in Side]: Value };

/** Without a common past: the value of `side`, where both know one; an optional one that is empty there, the other's. */
function pickValue(pair: ValuePair, side: Side, isOptional: boolean): Value {
  if (pair.alpha === undefined || pair.beta === undefined) return undefined;
  return isOptional ? pair[side] || pair[otherSide(side)] : pair[side];
}

function mergeValue(pair: ValuePair, ancestor: Value, clash: Side | 'conflict'): Value | typeof CLASH {
  if (pair.alpha === undefined || pair.beta === undefined) return undefined;
  if (pair.alpha === pair.beta || pair.beta === ancestor) return pair.alpha;
  if (pair.alpha === ancestor) return pair.beta;
  return clash === 'conflict' ? CLASH : pair[clash];
}

function mergeMtime(input: MergeInput, ancestor: TrackedEntry | null, options: MetadataOptions): bigint | null {
  const { winner } = input;
  const [alpha, beta] = [mtimeOf(input.alpha), mtimeOf(input.beta)];
  if (alpha === null || beta === null) return null;
  if (winner !== null) return winner === 'alpha' ? alpha : beta;
  if (!options.times) return null;
  if (input.alphaOnly) return alpha;
  const known = mtimeOf(ancestor);
  if (alpha === known) return beta;
  if (beta === known) return alpha;
  return later(alpha, beta);
}

/** The merged entry of one side: the winner's content, the merged attributes, its own for all that is not merged. */
function entryFor(
  side: Side,
  input: MergeInput,
  merged: Attributes,
  mtimeNs: bigint | null,
  options: MetadataOptions,
): TrackedEntry {
  const own = input[side];
  const content = input[input.winner ?? side];
  const base = content === own ? withDigestsOf(own, input.winner === null ? input[otherSide(side)] : own) : content;
  return rebuild(keepUnsynced(base, own), merged, mtimeNs, options.hardLinks);
}

/** The content of `content` under the metadata of `own`. */
function keepUnsynced(content: TrackedEntry, own: TrackedEntry): TrackedEntry {
  if (content === own || content.kind !== own.kind) return content;
  if (content.kind === 'file' && own.kind === 'file') {
    const { linkTo: _linkTo, ...metadata } = own;
    return { ...metadata, sizeBytes: content.sizeBytes, digests: content.digests, mtimeNs: content.mtimeNs };
  }
  if (content.kind === 'symlink' && own.kind === 'symlink') {
    const { mtimeNs: _mtimeNs, ...metadata } = own;
    return {
      ...metadata,
      target: content.target,
      ...(content.mtimeNs === undefined ? {} : { mtimeNs: content.mtimeNs }),
    };
  }
  return own;
}

function rebuild(entry: TrackedEntry, attributes: Attributes, mtimeNs: bigint | null, mayLink: boolean): TrackedEntry {
  const owner = attributes.owner === undefined ? {} : { owner: String(attributes.owner) };
  if (entry.kind === 'symlink') return { ...entry, ...owner, ...(mtimeNs === null ? {} : { mtimeNs }) };
  const xattrs = attributes.xattrs === undefined ? {} : { xattrs: String(attributes.xattrs) };
  const mode = typeof attributes.mode === 'number' ? attributes.mode : entry.mode;
  if (entry.kind === 'directory') return { ...entry, mode, ...owner, ...xattrs } satisfies DirectoryEntry;
  const { linkTo: _linkTo, ...rest } = entry;
  const linkTo = mayLink && attributes.linkTo ? { linkTo: String(attributes.linkTo) } : {};
  return { ...rest, mode, ...owner, ...xattrs, ...linkTo, mtimeNs: mtimeNs ?? entry.mtimeNs } satisfies FileEntry;
}

/** Equal contents share what is known of their digests. */
function withDigestsOf(entry: TrackedEntry, twin: TrackedEntry): TrackedEntry {
  if (entry.kind !== 'file' || twin.kind !== 'file' || entry === twin) return entry;
  const { fast, strong } = entry.digests;
  return { ...entry, digests: { fast: fast ?? twin.digests.fast, strong: strong ?? twin.digests.strong } };
}

function agreedValue(alpha: Value, beta: Value, ancestor: Value): Value | typeof CLASH {
  if (alpha === undefined || beta === undefined) return ancestor;
  if (alpha === beta) return alpha;
  return ancestor === undefined ? CLASH : ancestor;
}

function withoutOptional(entry: TrackedEntry): TrackedEntry {
  const { owner: _owner, ...rest } = entry;
  if (rest.kind === 'symlink') return { kind: 'symlink', target: rest.target };
  const { xattrs: _xattrs, ...bare } = rest;
  return bare;
}

function agreedMtime(
  alpha: TrackedEntry,
  beta: TrackedEntry,
  ancestor: TrackedEntry | null,
  options: MetadataOptions,
): bigint | null {
  const [left, right, known] = [mtimeOf(alpha), mtimeOf(beta), mtimeOf(ancestor)];
  if (left === null || right === null) return known;
  if (options.times && known !== null && (left === known || right === known)) return known;
  return later(left, right);
}

/** The time that is synced; null for directories, and where it is not known. */
function mtimeOf(entry: TrackedEntry | null): bigint | null {
  return entry === null || entry.kind === 'directory' ? null : (entry.mtimeNs ?? null);
}

function later(left: bigint, right: bigint): bigint {
  if (left > right) return left;
  return right;
}
