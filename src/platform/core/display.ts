/**
 * Untrusted text on its way to people: names and messages may hold terminal commands, line breaks, reversed reading
 * direction or bytes that are no text at all. What comes out is one line of visible characters.
 */
import type { BytePath } from './byte-path.ts';

/** Nothing in it needs escaping. */
const PLAIN = /^[\x20-\x5b\x5d-\x7e]*$/;

/**
 * Controls (C0, DEL, C1), format characters (bidi overrides, joiners, tags), line and paragraph separators, lone
 * surrogates, private use, and whatever renderers show as nothing.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}]/u;
const ALL_UNSAFE = new RegExp(UNSAFE, 'gu');

const SHORT = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/**
 * A path for a terminal or a log. Backslash is doubled, unsafe characters are `\n`, `\r`, `\t`, `\xNN` (below 0x80) or
 * `\u{N}`, bytes that are not UTF-8 are `\xNN` (0x80 and above): two different paths never look the same by escaping.
 */
export function displayPath(path: BytePath): string {
  if (PLAIN.test(path)) return path;
  let shown = '';
  for (let at = 0; at < path.length; ) {
    const length = sequenceLength(path, at);
    shown += length === 0 ? hexByte(path.charCodeAt(at)) : displaySequence(path.slice(at, at + length));
    at += Math.max(1, length);
  }
  return shown;
}

/** Other untrusted text, such as the message of a peer, as one safe line. Backslashes stay single. */
export function displayText(text: string): string {
  return PLAIN.test(text) ? text : text.replace(ALL_UNSAFE, escapeCharacter);
}

/** True where the bytes of `path` are well-formed UTF-8. */
export function isValidUtf8(path: BytePath): boolean {
  for (let at = 0; at < path.length; ) {
    const length = sequenceLength(path, at);
    if (length === 0) return false;
    at += length;
  }
  return true;
}

/**
 * A path for JSON output: the plain text where it is UTF-8 (JSON does its own escaping), else the escaped form with the
 * raw bytes in base64 beside it.
 */
export function jsonPath(path: BytePath): { path: string; pathBytes?: string } {
  if (isValidUtf8(path)) return { path: decode(path) };
  return { path: displayPath(path), pathBytes: Buffer.from(path, 'latin1').toString('base64') };
}

/** A character given as its UTF-8 bytes. */
function displaySequence(bytes: string): string {
  const character = decode(bytes);
  if (character === '\\') return '\\\\';
  return UNSAFE.test(character) ? escapeCharacter(character) : character;
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return SHORT.get(character) ?? (code < 0x80 ? hexByte(code) : `\\u{${code.toString(16)}}`);
}

function hexByte(code: number): string {
  return `\\x${code.toString(16).padStart(2, '0')}`;
}

function decode(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/**
 * Bytes of the well-formed UTF-8 sequence at `at`, 0 where there is none (table 3-7 of the Unicode standard: no
 * overlong forms, no surrogates, nothing above U+10FFFF).
 */
function sequenceLength(bytes: string, at: number): number {
  const first = bytes.charCodeAt(at);
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const second = bytes.charCodeAt(at + 1);
  if (second < lowestSecond(first) || second > highestSecond(first)) return 0;
  for (let index = at + 2; index < at + length; index++) if ((bytes.charCodeAt(index) & 0xc0) !== 0x80) return 0;
  return length;
}

function lowestSecond(first: number): number {
  if (first === 0xe0) return 0xa0;
  return first === 0xf0 ? 0x90 : 0x80;
}

function highestSecond(first: number): number {
  if (first === 0xed) return 0x9f;
  return first === 0xf4 ? 0x8f : 0xbf;
}
