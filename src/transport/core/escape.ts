/** Foreign bytes and texts made fit for a line of a message. */

/** `bytes` as printable ASCII, at most `maxLength` characters of it, with an ellipsis where it was cut. */
export function escapeBytes(bytes: Uint8Array, maxLength: number): string {
  let text = '';
  for (const byte of bytes) {
    if (text.length >= maxLength) return `${text}…`;
    text += escapeByte(byte);
  }
  return text;
}

/** `text` without control and direction-override characters, at most `maxLength` long; line feeds stay. */
export function cleanText(text: string, maxLength: number): string {
  let clean = '';
  for (const character of text.slice(0, maxLength)) {
    const code = character.codePointAt(0) as number;
    clean += isHarmless(code) ? character : `\\u{${code.toString(16)}}`;
    if (clean.length >= maxLength) break;
  }
  return clean.slice(0, maxLength);
}

function escapeByte(byte: number): string {
  if (byte === 0x0a) return '\\n';
  if (byte === 0x0d) return '\\r';
  if (byte === 0x09) return '\\t';
  if (byte === 0x5c) return '\\\\';
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}

function isHarmless(code: number): boolean {
  if (code === 0x0a) return true;
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
  if (code >= 0xd800 && code <= 0xdfff) return false;
  const isDirection = code === 0x061c || code === 0x200e || code === 0x200f;
  return !isDirection && !(code >= 0x202a && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069);
}
