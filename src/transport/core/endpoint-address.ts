/**
 * Endpoint arguments: what a person types for one side of a pair, as data.
 *
 * A colon before the first slash makes an argument remote, as in scp and rsync; `./a:b` and `/a:b` stay local.
 * Hosts and users end up as arguments of other programs, so what could be read as an option or break out of a line is
 * refused here, once.
 */
import { TidemarkError } from '../../platform/core/errors.ts';

/** A directory or file on this machine; the path is a byte string, as typed. */
export interface LocalAddress {
  readonly kind: 'local';
  readonly path: string;
}

/** A directory or file on a host reached over ssh. */
export interface SshAddress {
  readonly kind: 'ssh';
  readonly user: string | null;
  /** Name or address as typed, without brackets; may be an alias of the user's ssh configuration. */
  readonly host: string;
  readonly port: number | null;
  /** Byte string: absolute, or relative to the login directory where `home` is set (empty for that directory itself). */
  readonly path: string;
  readonly home: boolean;
}

export type EndpointAddress = LocalAddress | SshAddress;

/** Longest host or user name taken: a DNS name has at most 253 bytes, the rest is room for aliases. */
const MAX_NAME_LENGTH = 300;

/** Linux takes no longer path in one call (PATH_MAX). */
const MAX_PATH_BYTES = 4095;

/** Parses one endpoint argument; throws a `usage` error with the code `endpoint-address` where it makes no sense. */
export function parseEndpointAddress(text: string): EndpointAddress {
  if (text === '') throw refuse(text, 'an endpoint is empty', 'Give a path, user@host:path or ssh://host/path.');
  if (/^ssh:\/\//i.test(text)) return parseUrl(text);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text))
    throw refuse(
      text,
      'only ssh:// URLs are supported',
      'Write ssh://[user@]host[:port]/path; for a local path, ./ before it.',
    );
  const colon = remoteColon(text);
  return colon < 0 ? { kind: 'local', path: checkedPath(text, toBytes(text)) } : parseScpStyle(text, colon);
}

/**
 * One text for one address: for display and as the key of a session.
 * Reading it back with {@link parseEndpointAddress} gives the same address, except for a local path that is not UTF-8
 * or holds control characters, which is shown escaped (`\x0a`, and `\\` for a backslash).
 */
export function formatEndpointAddress(address: EndpointAddress): string {
  if (address.kind === 'local') return formatLocal(address.path);
  const user = address.user === null ? '' : `${percentEncode(toBytes(address.user), /[^A-Za-z0-9._+-]/)}@`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const port = address.port === null ? '' : `:${address.port}`;
  const path = percentEncode(address.path, UNSAFE_IN_URL).replace(/^\/~(?=\/|$)/, '/%7e');
  return `ssh://${user}${host}${port}${address.home ? `/~${path === '' ? '' : `/${path}`}` : path}`;
}

/** Why `host` must not be handed to a program or a resolver, or null where it may. */
export function hostFault(host: string): string | null {
  if (host === '') return 'the host is empty';
  if (host.length > MAX_NAME_LENGTH) return 'the host name is too long';
  if (host.startsWith('-')) return 'a host must not begin with "-"';
  // Colons make it an IPv6 address, which may name a zone behind a percent sign.
  const strange = host.includes(':') ? /[^A-Za-z0-9.:%_-]/ : /[^\p{L}\p{N}._-]/u;
  return strange.test(host) ? 'the host name holds characters no host name has' : null;
}

/** Why `user` must not be handed to a program, or null where it may. */
export function userFault(user: string): string | null {
  if (user === '') return 'the user is empty';
  if (user.length > MAX_NAME_LENGTH) return 'the user name is too long';
  if (user.startsWith('-')) return 'a user must not begin with "-"';
  return /[\p{C}\s'"`$\\;&<>|(){}*?!#@:/]/u.test(user) ? 'the user name holds characters no user name has' : null;
}

/** Characters a URL path of ours cannot hold as they are; letters of other scripts stay readable. */
const UNSAFE_IN_URL = /[\p{C}\p{Z}%\\"'`<>^{|}]/u;

/** Where the host part of an scp-style argument ends, or -1 for a local path. */
function remoteColon(text: string): number {
  if (/^(\/|~|\.\.?(\/|$))/.test(text)) return -1;
  const bracketed = /^(?:[^/@[\]]*@)?\[[^/[\]]*\]:/.exec(text);
  if (bracketed !== null) return bracketed[0].length - 1;
  const colon = text.indexOf(':');
  const slash = text.indexOf('/');
  return colon >= 0 && (slash < 0 || colon < slash) ? colon : -1;
}

function parseScpStyle(text: string, colon: number): SshAddress {
  const { user, host } = parseAuthority(text, text.slice(0, colon), false);
  const typed = text.slice(colon + 1);
  if (typed === '') throw refuse(text, 'the path is empty', `For the home directory write ${text}~`);
  return { kind: 'ssh', user, host, port: null, ...remotePath(text, toBytes(typed)) };
}

function parseUrl(text: string): SshAddress {
  const rest = text.slice('ssh://'.length);
  const slash = rest.indexOf('/');
  if (slash < 0) throw refuse(text, 'the path is empty', `For the home directory write ${text}/~`);
  if (/[?#]/.test(rest.slice(0, slash))) throw refuse(text, 'the host part holds "?" or "#"');
  const authority = parseAuthority(text, rest.slice(0, slash), true);
  const path = rest.slice(slash);
  // A "~" written as %7e is a name like any other.
  const fromHome = /^\/~(\/|$)/.test(path);
  const bytes = percentDecode(text, fromHome ? path.slice(2).replace(/^\/+/, '') : path);
  if (!fromHome) return { kind: 'ssh', ...authority, ...remotePath(text, bytes) };
  return { kind: 'ssh', ...authority, ...remotePath(text, `~/${bytes}`) };
}

function parseAuthority(text: string, authority: string, url: boolean): Pick<SshAddress, 'user' | 'host' | 'port'> {
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? null : url ? fromBytes(percentDecode(text, authority.slice(0, at))) : authority.slice(0, at);
  const hostPort = authority.slice(at + 1);
  const shape = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(hostPort);
  if (shape === null) throw refuse(text, 'the host is not understood', 'Put an IPv6 address into brackets: [::1]');
  const host = (shape[1] ?? shape[2] ?? '').replace(/%25/, '%');
  const fault = hostFault(host) ?? (user === null ? null : userFault(user));
  if (fault !== null) throw refuse(text, fault);
  return { user, host, port: shape[3] === undefined ? null : parsePort(text, shape[3]) };
}

function parsePort(text: string, digits: string): number {
  const port = /^[0-9]{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65535) throw refuse(text, 'the port is not a number from 1 to 65535');
  return port;
}

/** `~`, `~/a` and relative paths mean the login directory; `~other` would need a shell to find out. */
function remotePath(text: string, typed: string): { path: string; home: boolean } {
  const path = checkedPath(text, typed);
  if (path.startsWith('/')) return { path: tidyPath(path), home: false };
  if (path === '~') return { path: '', home: true };
  if (path.startsWith('~/')) return { path: tidyPath(path.slice(2)).replace(/^\/+/, ''), home: true };
  if (path.startsWith('~')) throw refuse(text, "another user's home (~name) is not supported", 'Write the full path.');
  return { path: tidyPath(path), home: true };
}

/** Drops empty and `.` components and trailing slashes; `..` stays, since only the disk knows what it leads to. */
function tidyPath(path: string): string {
  const kept = path.split('/').filter((component) => component !== '' && component !== '.');
  return (path.startsWith('/') ? '/' : '') + kept.join('/');
}

function checkedPath(text: string, path: string): string {
  if (path === '') throw refuse(text, 'the path is empty');
  if (path.includes('\0')) throw refuse(text, 'the path holds a NUL byte');
  if (path.length > MAX_PATH_BYTES) throw refuse(text, `the path is longer than ${MAX_PATH_BYTES} bytes`);
  return path;
}

function percentDecode(text: string, part: string): string {
  return toBytes(part).replace(/%(.{0,2})/gs, (_whole, digits: string) => {
    if (!/^[0-9a-f]{2}$/i.test(digits))
      throw refuse(text, 'a "%" is not followed by two hexadecimal digits', 'Write %25 for "%".');
    return String.fromCharCode(Number.parseInt(digits, 16));
  });
}

function percentEncode(bytes: string, unsafe: RegExp): string {
  const encode = (byte: string) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
  return mapCharacters(bytes, (character, raw) =>
    character === null || unsafe.test(character) ? raw.replace(/[\s\S]/g, encode) : character,
  );
}

function formatLocal(path: string): string {
  const encode = (byte: string) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`;
  const shown = mapCharacters(path, (character, raw) => {
    if (character === '\\') return '\\\\';
    return character === null || /[\p{C}\p{Zl}\p{Zp}]/u.test(character) ? raw.replace(/[\s\S]/g, encode) : character;
  });
  const looksRemote = remoteColon(shown) >= 0 || /^[a-z][a-z0-9+.-]*:\/\//i.test(shown);
  return looksRemote ? `./${shown}` : shown;
}

/** Walks the UTF-8 characters of a byte string; a byte that belongs to none comes with null. */
function mapCharacters(bytes: string, map: (character: string | null, raw: string) => string): string {
  const pattern = /[\0-\x7f]|[\xc2-\xf4][\x80-\xbf]{1,3}|[\s\S]/g;
  return bytes.replace(pattern, (raw) => {
    const character = fromBytes(raw);
    if (toBytes(character) === raw && [...character].length === 1) return map(character, raw);
    return raw.length === 1 ? map(null, raw) : mapCharacters(raw[0] ?? '', map) + mapCharacters(raw.slice(1), map);
  });
}

function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function fromBytes(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function refuse(text: string, reason: string, remedy?: string): TidemarkError {
  const shown = JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
  return new TidemarkError('usage', 'endpoint-address', `${shown}: ${reason}`, remedy === undefined ? {} : { remedy });
}
