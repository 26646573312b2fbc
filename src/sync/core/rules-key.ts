/**
 * The options that decide what a run wants of an entry which did not change: how the mode judges it, and which of its
 * metadata count. A run under other ones than the last must look at every entry again, because what it would do now
 * stands in no log of changes.
 *
 * Not among them: what decides how a tree is *seen* (ignore rules, kinds of symlinks, digests), since the scan notes the
 * entries that look different, and the conflict policy, since conflicts are looked at in every run.
 */
import type { MetadataOptions } from '../../journal/core/look.ts';
import type { Mode } from '../options.ts';

/** The same text for the same options, whatever order their fields are in. */
export function rulesKeyOf({ mode, metadata }: { readonly mode: Mode; readonly metadata: MetadataOptions }): string {
  const { perms, times, setid, owner, xattrs, acls, hardLinks } = metadata;
  const chosen = Object.entries({ perms, times, setid, owner, xattrs, acls, hardLinks }).filter(([, isOn]) => isOn);
  return [mode, ...chosen.map(([name]) => name)].join(' ');
}
