import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../../src/platform/core/byte-path.ts';
import { fromText, toBuffer } from '../../../src/platform/core/byte-path.ts';
import { displayPath, displayText, isValidUtf8, jsonPath } from '../../../src/platform/core/display.ts';

const paths = fc
  .oneof(
    fc.uint8Array(),
    fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  )
  .map((bytes) => Buffer.from(bytes).toString('latin1') as BytePath);

describe('displayPath', () => {
  it.each([
    ['plain/path.txt', 'plain/path.txt'],
    [fromText('Grüße/日本語'), 'Grüße/日本語'],
    ['a\\b', 'a\\\\b'],
    ['a\nb\tc\rd', 'a\\nb\\tc\\rd'],
    ['\x1b[31m\x7f', '\\x1b[31m\\x7f'],
    ['caf\xe9', 'caf\\xe9'],
    ['\x9b2J', '\\x9b2J'],
    [fromText('\u009b2J'), '\\u{9b}2J'],
    [fromText('a\u202egpj'), 'a\\u{202e}gpj'],
    [fromText('\u2066\u200b\ufeff\u00ad\u2028'), '\\u{2066}\\u{200b}\\u{feff}\\u{ad}\\u{2028}'],
    [fromText('\u{e0041}\u{fffff}\uffff'), '\\u{e0041}\\u{fffff}\\u{ffff}'],
    ['\xed\xa0\x80', '\\xed\\xa0\\x80'],
    ['\xc0\xaf\xf5\xe2\x82', '\\xc0\\xaf\\xf5\\xe2\\x82'],
  ])('%j is shown as %j', (path, shown) => {
    expect(displayPath(path as BytePath)).toBe(shown);
  });

  it('is one to one: the bytes can be had back', () => {
    fc.assert(fc.property(paths, (path) => void expect(parse(displayPath(path))).toEqual(toBuffer(path))));
  });

  it('never lets through what a terminal obeys', () => {
    const dangerous = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
    fc.assert(fc.property(paths, (path) => void expect(displayPath(path)).not.toMatch(dangerous)));
    // The control: the plain text does.
    expect(toBuffer(fromText('a\u202e')).toString()).toMatch(dangerous);
  });
});

describe('displayText', () => {
  it.each([
    ['plain \\ text', 'plain \\ text'],
    ['two\nlines\x1b[2J', 'two\\nlines\\x1b[2J'],
    ['\u009b\u202e\ud800é', '\\u{9b}\\u{202e}\\u{d800}é'],
  ])('%j is shown as %j', (text, shown) => {
    expect(displayText(text)).toBe(shown);
  });
});

describe('jsonPath', () => {
  it('agrees with the platform on what is UTF-8', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    fc.assert(
      fc.property(paths, (path) => {
        let valid = true;
        try {
          decoder.decode(toBuffer(path));
        } catch {
          valid = false;
        }
        expect(isValidUtf8(path)).toBe(valid);
        const { path: text, pathBytes } = jsonPath(path);
        expect(pathBytes === undefined).toBe(valid);
        expect(pathBytes === undefined ? Buffer.from(text) : Buffer.from(pathBytes, 'base64')).toEqual(toBuffer(path));
      }),
    );
  });

  it('leaves escaping of text to JSON', () => {
    expect(jsonPath(fromText('a\\b\n\u202e'))).toEqual({ path: 'a\\b\n\u202e' });
    expect(jsonPath('a\\\xff' as BytePath)).toEqual({ path: 'a\\\\\\xff', pathBytes: 'YVz/' });
  });
});

/** Undoes the escaping of displayPath. */
function parse(shown: string): Buffer {
  const pieces: Buffer[] = [];
  const pattern = /\\(?:\\|n|r|t|x([0-9a-f]{2})|u\{([0-9a-f]+)\})|[^\\]+/gu;
  const short = new Map([
    ['\\\\', '\\'],
    ['\\n', '\n'],
    ['\\r', '\r'],
    ['\\t', '\t'],
  ]);
  for (const [match, byte, code] of shown.matchAll(pattern)) {
    if (byte !== undefined) pieces.push(Buffer.from(byte, 'hex'));
    else if (code !== undefined) pieces.push(Buffer.from(String.fromCodePoint(Number.parseInt(code, 16))));
    else pieces.push(Buffer.from(short.get(match) ?? match));
  }
  return Buffer.concat(pieces);
}
