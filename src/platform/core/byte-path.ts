/**
 * Names and paths as bytes.
 *
 * A file name on Linux is any byte string without `/` and NUL, and need not be UTF-8. Node's string APIs decode names
 * and so turn two different names into one. Here a name is a *byte string*: a JavaScript string in which every code
 * unit is one byte (0–255, "latin1"). Such strings are compact, compare with `<` in byte order, work as `Map` keys and
 * pass through the addon unchanged. Text appears only at the display edge, through {@link displayPath}.
 */

declare const nameBrand: unique symbol;
declare const pathBrand: unique symbol;

/** One path component: 1–255 bytes, neither `.` nor `..`, without `/` and NUL. */
export type ByteName = string & { readonly [nameBrand]: true };

/** Components joined by `/`, relative to a root; the empty string is the root itself. */
export type BytePath = string & { readonly [pathBrand]: true };

/** The root of a tree. */
export const ROOT = '' as BytePath;

/** Longest name any of the supported file systems takes, in bytes. */
export const MAX_NAME_BYTES = 255;

/** Deepest path accepted from a peer or a disk: a bound for recursion and stacks, far above what people make. */
export const MAX_DEPTH = 4096;

/** Why `name` cannot be a path component, or null where it can. */
export function nameFault(name: string): string | null {
  if (name.length === 0) return 'empty name';
  if (name.length > MAX_NAME_BYTES) return `name of ${name.length} bytes, more than ${MAX_NAME_BYTES}`;
  if (name === '.' || name === '..') return `name "${name}"`;
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index);
    if (code === 0x2f || code === 0 || code > 0xff) return 'name with a slash, NUL or wide character';
  }
  return null;
}

/** The bytes of a text path (`a/b`) as a {@link BytePath}; for paths typed by people and for tests. Not validated. */
export function fromText(text: string): BytePath {
  return Buffer.from(text, 'utf8').toString('latin1') as BytePath;
}

/** The raw bytes of a byte string. */
export function toBuffer(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1');
}

/** `directory/name`. */
export function joinPath(directory: BytePath, name: string): BytePath {
  return (directory === '' ? name : `${directory}/${name}`) as BytePath;
}

/** The directory that holds `path`; the root's parent is the root. */
export function parentOf(path: BytePath): BytePath {
  const slash = path.lastIndexOf('/');
  return (slash < 0 ? '' : path.slice(0, slash)) as BytePath;
}

/** The last component of `path`. */
export function nameOf(path: BytePath): ByteName {
  return path.slice(path.lastIndexOf('/') + 1) as ByteName;
}

/** The components of `path`; none for the root. */
export function componentsOf(path: BytePath): ByteName[] {
  return path === '' ? [] : (path.split('/') as ByteName[]);
}

/** True where `path` is `ancestor` or lies below it. */
export function isWithin(path: BytePath, ancestor: BytePath): boolean {
  return (
    ancestor === '' || path === ancestor || (path.startsWith(ancestor) && path.charCodeAt(ancestor.length) === 0x2f)
  );
}

/**
 * Path order: depth-first, a directory directly before what it holds, names in byte order.
 * It is byte order with `/` taken as lower than every byte of a name.
 */
export function comparePaths(left: BytePath, right: BytePath): number {
  const shorter = Math.min(left.length, right.length);
  for (let index = 0; index < shorter; index++) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a === b) continue;
    if (a === 0x2f) return -1;
    if (b === 0x2f) return 1;
    return a - b;
  }
  return left.length - right.length;
}
