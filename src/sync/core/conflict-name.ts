/** Names for the losers of conflicts. */

import type { Side } from '../../journal/core/entry.ts';
import { type BytePath, joinPath, MAX_NAME_BYTES, nameOf, parentOf } from '../../platform/core/byte-path.ts';

/** A longer last part after a dot is not an extension but part of the name. */
const MAX_EXTENSION_BYTES = 16;

/**
 * `name.conflict-<side>-<time>.ext` in the same directory, with `-2`, `-3`, … after the time until `isTaken` is false.
 * The stem is cut, never inside a UTF-8 character, so that the name keeps to 255 bytes; the extension stays.
 */
export function conflictPath(
  path: BytePath,
  side: Side,
  time: string,
  isTaken: (candidate: BytePath) => boolean,
): BytePath {
  const { stem, extension } = splitName(nameOf(path));
  for (let count = 1; ; count++) {
    const tail = `.conflict-${side}-${time}${count === 1 ? '' : `-${count}`}${extension}`;
    const candidate = joinPath(parentOf(path), cutName(stem, MAX_NAME_BYTES - tail.length) + tail);
    if (!isTaken(candidate)) return candidate;
  }
}

function splitName(name: string): { readonly stem: string; readonly extension: string } {
  const dot = name.lastIndexOf('.');
  if (dot <= 0 || name.length - dot > MAX_EXTENSION_BYTES) return { stem: name, extension: '' };
  return { stem: name.slice(0, dot), extension: name.slice(dot) };
}

/** At most `maxBytes` of a byte string; continuation bytes that lost their rest go too. */
function cutName(name: string, maxBytes: number): string {
  if (name.length <= maxBytes) return name;
  let end = maxBytes;
  while (end > 0 && (name.charCodeAt(end) & 0xc0) === 0x80) end--;
  return name.slice(0, end);
}
