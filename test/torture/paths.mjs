/**
 * Names are bytes. Here they are strings of one character per byte (latin1), so that they can be compared, cut and used
 * as keys; every call into the file system turns them back with {@link bytes}.
 */

export function bytes(path) {
  return Buffer.from(path, 'latin1');
}

export function joined(parent, name) {
  return parent === '' ? name : `${parent}/${name}`;
}

/** The path of a JSON object: text, or base64 where it is not valid UTF-8. */
export function pathOf(object, key = 'path') {
  const encoded = object[`${key}Bytes`];
  if (encoded !== undefined) return Buffer.from(encoded, 'base64').toString('latin1');
  return object[key] === undefined || object[key] === null ? null : Buffer.from(object[key], 'utf8').toString('latin1');
}

export function parentOf(path) {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export function nameOf(path) {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function depthOf(path) {
  return path === '' ? 0 : path.split('/').length;
}

export function isWithin(path, top) {
  return top === '' || path === top || path.startsWith(`${top}/`);
}

/** For people: what is no plain character as `%xx`. */
export function shown(path) {
  return path.replace(/[^\x21-\x7e]/g, (letter) => `%${letter.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
