import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_XATTR_BYTES } from '../../../src/journal/core/limits.ts';
import { isSyncedXattr, packXattrs, unpackXattrs } from '../../../src/journal/core/xattrs.ts';
import { MalformedError } from '../../../src/platform/core/bytes.ts';

const byteString = (constraints: { maxLength: number }) =>
  fc.uint8Array(constraints).map((bytes) => Buffer.from(bytes).toString('latin1'));
const name = byteString({ maxLength: 20 }).map((text) => `user.x${text.replaceAll('\0', '')}`);

describe('extended attributes', () => {
  test('come back as they were, and equal sets are equal strings', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, byteString({ maxLength: 50 }))), (pairs) => {
        const packed = packXattrs(new Map(pairs));
        if (packed === null) throw new Error('too large');
        expect(unpackXattrs(packed)).toEqual(new Map(pairs));
        const unique = [...new Map(pairs)];
        expect(packXattrs(new Map(unique.reverse()))).toBe(packed);
      }),
    );
    expect(packXattrs(new Map())).toBeUndefined();
    expect(packXattrs(new Map([['user.a', 'x'.repeat(MAX_XATTR_BYTES)]]))).toBeNull();
  });

  test.each([
    ['user.a', true, false],
    ['user.', false, false],
    ['user', false, false],
    ['system.posix_acl_access', false, true],
    ['system.posix_acl_default', false, true],
    ['system.nfs4_acl', false, false],
    ['trusted.overlay.opaque', false, false],
    ['security.capability', false, false],
    ['', false, false],
  ])('%s', (attribute, xattrs, acls) => {
    expect(isSyncedXattr(attribute, { xattrs: true, acls: false })).toBe(xattrs);
    expect(isSyncedXattr(attribute, { xattrs: false, acls: true })).toBe(acls);
    expect(isSyncedXattr(attribute, { xattrs: false, acls: false })).toBe(false);
  });

  const packed = (attribute: string, value = '') =>
    `${String.fromCharCode(attribute.length)}${attribute}${String.fromCharCode(value.length)}\0\0\0${value}`;
  test.each([
    ['out of order', packed('user.b') + packed('user.a')],
    ['twice', packed('user.a') + packed('user.a')],
    ['never synced', packed('security.capability')],
    ['empty name', packed('')],
    ['NUL', packed('user.\0x')],
    ['cut short', packed('user.a', 'x').slice(0, -1)],
    ['too large', 'x'.repeat(MAX_XATTR_BYTES + 1)],
  ])('a peer’s attributes are refused: %s', (_, text) => {
    expect(() => unpackXattrs(text)).toThrow(MalformedError);
  });
});
