/**
 * Extended attributes of one entry in one canonical byte string, so that equal sets are equal strings.
 *
 * Form: for each attribute in byte order of the names: u8 length of the name, name, u32 length of the value, value.
 */
import { ByteReader, ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import { MAX_XATTR_BYTES } from './limits.ts';

/** XATTR_NAME_MAX of Linux. */
export const MAX_XATTR_NAME_BYTES = 255;

const ACL_NAMES = new Set(['system.posix_acl_access', 'system.posix_acl_default']);

/**
 * True where the attribute takes part in the sync: POSIX ACLs with `acls`, `user.*` with `xattrs`. Never `trusted.*`
 * and `security.*` (file capabilities, labels: a peer's word must not grant anything), nor other `system.*`.
 */
export function isSyncedXattr(name: string, wanted: { readonly xattrs: boolean; readonly acls: boolean }): boolean {
  if (ACL_NAMES.has(name)) return wanted.acls;
  return wanted.xattrs && name.startsWith('user.') && name.length > 'user.'.length;
}

/** The attributes in canonical form; undefined for none. Null where they exceed MAX_XATTR_BYTES. */
export function packXattrs(xattrs: ReadonlyMap<string, string>): string | undefined | null {
  if (xattrs.size === 0) return undefined;
  const out = new ByteWriter(256);
  for (const name of [...xattrs.keys()].sort()) {
    const value = xattrs.get(name) ?? '';
    if (out.length + 5 + name.length + value.length > MAX_XATTR_BYTES) return null;
    out.u8(name.length).rawString(name).string(value);
  }
  return out.take().toString('latin1');
}

/**
 * The inverse of {@link packXattrs}. Throws MalformedError where names are empty, too long, with NUL, out of order or
 * twice, and where a name is not one that is ever synced.
 */
export function unpackXattrs(packed: string | undefined): Map<string, string> {
  const xattrs = new Map<string, string>();
  if (packed === undefined) return xattrs;
  if (packed.length > MAX_XATTR_BYTES) throw new MalformedError('extended attributes too large');
  const from = new ByteReader(Buffer.from(packed, 'latin1'));
  let previous = '';
  while (from.remaining > 0) {
    const name = from.rawString(from.u8());
    if (name <= previous) throw new MalformedError('extended attributes out of order');
    if (name.includes('\0')) throw new MalformedError('extended attribute name with NUL');
    if (!isSyncedXattr(name, { xattrs: true, acls: true })) throw new MalformedError('extended attribute not synced');
    xattrs.set(name, from.string(MAX_XATTR_BYTES));
    previous = name;
  }
  return xattrs;
}
