/**
 * The known_hosts format of OpenSSH (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT") and the question asked of it.
 *
 * Pure: the files are read elsewhere and HMAC-SHA1 (for hashed names) is injected. A line that is not understood is
 * skipped, which can only make a host less known, never more.
 */

/** One understood line. */
export interface KnownHostLine {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly marker: 'revoked' | 'cert-authority' | null;
  /** The host field: a comma list of patterns, or one hashed name. */
  readonly hosts: string;
  readonly keyType: string;
  /** The public key blob, base64 without padding differences. */
  readonly key: string;
}

/** A host as known_hosts names it. */
export interface HostToCheck {
  readonly host: string;
  readonly port: number;
  /** HostKeyAlias of the configuration: stands for host and port where set. */
  readonly alias: string | null;
}

/** What the files say about a key a host just showed. */
export type HostKeyVerdict =
  | { readonly kind: 'known'; readonly at: KnownHostLine }
  | { readonly kind: 'unknown' }
  /** The host is known with other keys only. */
  | { readonly kind: 'changed'; readonly others: readonly KnownHostLine[] }
  | { readonly kind: 'revoked'; readonly at: KnownHostLine }
  /** Only certificates of an authority are trusted for this host, and those are not supported. */
  | { readonly kind: 'authority-only'; readonly at: KnownHostLine };

/** HMAC-SHA1 of `text` (latin1) under the base64 `saltBase64`, as base64. */
export type HmacSha1 = (saltBase64: string, text: string) => string;

/** Parses one file; lines that are comments, empty, too long or not understood are left out. */
export function parseKnownHosts(text: string, file: string): KnownHostLine[] {
  const lines: KnownHostLine[] = [];
  text.split('\n').forEach((raw, index) => {
    const parsed = parseLine(raw, file, index + 1);
    if (parsed !== null) lines.push(parsed);
  });
  return lines;
}

/**
 * Judges the key `keyBase64` shown by `host`.
 * A revocation wins over everything. A host on a port of its own also accepts what is known for the bare name, as ssh
 * does; but any line for the host with another key makes the answer `changed`, also one of another key type: a server
 * that suddenly shows a new kind of key is not the server we know.
 */
export function checkHostKey(
  lines: readonly KnownHostLine[],
  host: HostToCheck,
  keyBase64: string,
  hmac: HmacSha1,
): HostKeyVerdict {
  const key = normaliseKey(keyBase64);
  const names = namesOf(host);
  const matching = lines.filter((line) => names.some((name) => matchesHosts(line.hosts, name, hmac)));
  const revoked = matching.find((line) => line.marker === 'revoked' && line.key === key);
  if (revoked !== undefined) return { kind: 'revoked', at: revoked };
  const known = matching.find((line) => line.marker === null && line.key === key);
  if (known !== undefined) return { kind: 'known', at: known };
  const primary = names.slice(0, 1);
  const others = matching.filter(
    (line) => line.marker === null && primary.some((name) => matchesHosts(line.hosts, name, hmac)),
  );
  if (others.length > 0) return { kind: 'changed', others };
  const authority = matching.find((line) => line.marker === 'cert-authority');
  return authority === undefined ? { kind: 'unknown' } : { kind: 'authority-only', at: authority };
}

/** The key types known for `host`, so that a client asks for one of those keys first. */
export function knownKeyTypes(lines: readonly KnownHostLine[], host: HostToCheck, hmac: HmacSha1): Set<string> {
  const names = namesOf(host);
  const types = new Set<string>();
  for (const line of lines) {
    if (line.marker !== null || types.has(line.keyType)) continue;
    if (names.some((name) => matchesHosts(line.hosts, name, hmac))) types.add(line.keyType);
  }
  return types;
}

/** The name under which known_hosts keeps `host`: the alias, `host`, or `[host]:port`. */
export function knownHostName(host: HostToCheck): string {
  return namesOf(host)[0] ?? '';
}

/** A line for known_hosts; `hostField` is {@link knownHostName} or its hashed form. */
export function formatKnownHostLine(hostField: string, keyType: string, keyBase64: string): string {
  return `${hostField} ${keyType} ${keyBase64}\n`;
}

/** The hashed form of a name: `|1|salt|hash`. */
export function hashedHostField(name: string, saltBase64: string, hmac: HmacSha1): string {
  return `|1|${saltBase64}|${hmac(saltBase64, name)}`;
}

/**
 * Matches ssh's wildcards: `*` any run, `?` one character; everything else literal.
 * Linear in the usual case, quadratic at worst: only the last `*` is ever gone back to.
 */
export function matchesWildcard(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** True where one of `patterns` matches and none with a leading `!` does. */
export function matchesPatterns(patterns: readonly string[], text: string): boolean {
  let matched = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!');
    if (!matchesWildcard(negated ? pattern.slice(1) : pattern, text)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

/** RSA keys of 16384 bits need about 2.8 KB; the rest is room for long host lists. */
const MAX_LINE_LENGTH = 64 * 1024;

function parseLine(raw: string, file: string, line: number): KnownHostLine | null {
  if (raw.length > MAX_LINE_LENGTH) return null;
  const words = raw.trim().split(/[ \t]+/);
  const first = words[0] ?? '';
  if (first === '' || first.startsWith('#')) return null;
  const marker = first === '@revoked' ? 'revoked' : first === '@cert-authority' ? 'cert-authority' : null;
  if (marker === null && first.startsWith('@')) return null;
  const [hosts, keyType, blob] = marker === null ? words : words.slice(1);
  if (hosts === undefined || keyType === undefined || blob === undefined) return null;
  return keyTypeOf(blob) === keyType ? { file, line, marker, hosts, keyType, key: normaliseKey(blob) } : null;
}

/** The type a key blob says it has; the words of a line must agree with it. */
function keyTypeOf(blob: string): string | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(blob)) return null;
  const bytes = Buffer.from(blob, 'base64');
  if (bytes.length < 4) return null;
  const length = bytes.readUInt32BE(0);
  return length > bytes.length - 4 ? null : bytes.toString('latin1', 4, 4 + length);
}

function normaliseKey(base64: string): string {
  return Buffer.from(base64, 'base64').toString('base64');
}

/** The exact name first, then the bare host, which ssh also tries for a port of its own. */
function namesOf(host: HostToCheck): string[] {
  if (host.alias !== null) return [host.alias.toLowerCase()];
  const name = host.host.toLowerCase();
  return host.port === 22 ? [name] : [`[${name}]:${host.port}`, name];
}

function matchesHosts(hosts: string, name: string, hmac: HmacSha1): boolean {
  if (!hosts.startsWith('|')) return matchesPatterns(hosts.toLowerCase().split(','), name);
  const [empty, version, salt, hash, ...rest] = hosts.split('|');
  if (empty !== '' || version !== '1' || salt === undefined || hash === undefined || rest.length > 0) return false;
  return hmac(salt, name) === hash;
}
