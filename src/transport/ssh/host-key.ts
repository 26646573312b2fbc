/** The check of a server's host key against the known_hosts files, and learning a new one. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { TidemarkError } from '../../platform/core/errors.ts';
import {
  checkHostKey,
  formatKnownHostLine,
  type HmacSha1,
  type HostToCheck,
  hashedHostField,
  type KnownHostLine,
  knownHostName,
  knownKeyTypes,
  parseKnownHosts,
} from '../core/known-hosts.ts';
import { readConfigFile } from './config-files.ts';
import type { SshSettings } from './resolve-config.ts';

/** `strict` takes known keys only; `accept-new` also learns the key of a host never seen. Neither takes a changed key. */
export type HostKeyPolicy = 'strict' | 'accept-new';

/** What the check of one connection came to. */
export type HostKeyDecision =
  | { readonly kind: 'accept' }
  /** To be added to known_hosts once the server has proved that it holds the key. */
  | { readonly kind: 'learn'; readonly learn: () => void }
  | { readonly kind: 'refuse'; readonly error: TidemarkError };

/** Host keys of one host: what is known, and the verdict on what the server shows. */
export interface HostKeyCheck {
  readonly knownTypes: ReadonlySet<string>;
  decide(key: Buffer): HostKeyDecision;
}

/** Reads the known_hosts files for `settings`. */
export function openHostKeyCheck(settings: SshSettings, policy: HostKeyPolicy): HostKeyCheck {
  const files = [...settings.userKnownHostsFiles, ...settings.globalKnownHostsFiles];
  const lines = files.flatMap((file) => {
    const text = readConfigFile(file);
    return text === null ? [] : parseKnownHosts(text.text, file);
  });
  const host: HostToCheck = { host: settings.hostName, port: settings.port, alias: settings.hostKeyAlias };
  return {
    knownTypes: knownKeyTypes(lines, host, hmacSha1),
    decide: (key) => decide(settings, policy, lines, host, key),
  };
}

/** `SHA256:…`, as ssh prints it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** HMAC-SHA1 as hashed known_hosts names use it. */
export const hmacSha1: HmacSha1 = (saltBase64, text) =>
  createHmac('sha1', Buffer.from(saltBase64, 'base64')).update(text, 'latin1').digest('base64');

function decide(
  settings: SshSettings,
  policy: HostKeyPolicy,
  lines: readonly KnownHostLine[],
  host: HostToCheck,
  key: Buffer,
): HostKeyDecision {
  const verdict = checkHostKey(lines, host, key.toString('base64'), hmacSha1);
  const name = knownHostName(host);
  switch (verdict.kind) {
    case 'known':
      return { kind: 'accept' };
    case 'unknown':
      if (policy === 'accept-new') return { kind: 'learn', learn: () => learnHostKey(settings, host, key) };
      return { kind: 'refuse', error: unknownKey(settings, name, key) };
    case 'changed':
      return { kind: 'refuse', error: changedKey(name, key, verdict.others) };
    case 'revoked':
      return { kind: 'refuse', error: revokedKey(name, key, verdict.at) };
    case 'authority-only':
      return { kind: 'refuse', error: authorityOnly(name, key, verdict.at) };
  }
}

/** Appends in one write, so that two programs learning at once cannot mix their lines. */
function learnHostKey(settings: SshSettings, host: HostToCheck, key: Buffer): void {
  const file = settings.userKnownHostsFiles[0];
  const name = knownHostName(host);
  if (file === undefined) throw cannotLearn(name, 'no user known_hosts file is configured');
  const field = settings.hashKnownHosts ? hashedHostField(name, randomBytes(20).toString('base64'), hmacSha1) : name;
  const line = formatKnownHostLine(field, keyTypeOf(key), key.toString('base64'));
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const descriptor = openSync(file, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o600);
    try {
      const bytes = Buffer.from(endsInsideLine(descriptor) ? `\n${line}` : line);
      if (writeSync(descriptor, bytes) !== bytes.length) throw new Error('the line was written in part only');
      if (fstatSync(descriptor).isFile()) fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw cannotLearn(name, `${file}: ${(error as Error).message}`, error);
  }
}

function endsInsideLine(descriptor: number): boolean {
  const facts = fstatSync(descriptor);
  if (!facts.isFile() || facts.size === 0) return false;
  const last = Buffer.alloc(1);
  return readSync(descriptor, last, 0, 1, facts.size - 1) === 1 && last[0] !== 0x0a;
}

function keyTypeOf(key: Buffer): string {
  const length = key.length < 4 ? 0 : key.readUInt32BE(0);
  return key.toString('latin1', 4, 4 + Math.min(length, 64));
}

/** `ED25519 key SHA256:…`, with nothing of the server's own wording. */
function describeKey(key: Buffer): string {
  const type = keyTypeOf(key).replace(/[^A-Za-z0-9@.-]/g, '?');
  const names = new Map([
    ['ssh-ed25519', 'ED25519'],
    ['ssh-rsa', 'RSA'],
  ]);
  const label = names.get(type) ?? (type.startsWith('ecdsa-') ? 'ECDSA' : type);
  return `${label} key ${fingerprintOf(key)}`;
}

function unknownKey(settings: SshSettings, name: string, key: Buffer): TidemarkError {
  const port = settings.port === 22 ? '' : `-p ${settings.port} `;
  const file = settings.userKnownHostsFiles[0] ?? '~/.ssh/known_hosts';
  return new TidemarkError(
    'unavailable',
    'host-unknown',
    `${name} is not a known host; it shows the ${describeKey(key)}`,
    {
      remedy:
        'Compare this fingerprint with the one of the host. If it is right, run again with --host-key accept-new,\n' +
        `or add the key yourself: ssh-keyscan ${port}${settings.hostName} >> ${file}`,
    },
  );
}

function changedKey(name: string, key: Buffer, others: readonly KnownHostLine[]): TidemarkError {
  const places = [...new Set(others.map((line) => `${line.file}:${line.line}`))].slice(0, 5).join(', ');
  const file = others[0]?.file ?? '~/.ssh/known_hosts';
  const message = `the host key of ${name} has changed: it shows the ${describeKey(key)}, but another is known (${places})`;
  return new TidemarkError('unavailable', 'host-key-changed', message, {
    remedy:
      'Someone may be between you and the host, or the host was set up anew. If you know that it was,\n' +
      `forget the old key: ssh-keygen -f '${file}' -R '${name}'`,
  });
}

function revokedKey(name: string, key: Buffer, at: KnownHostLine): TidemarkError {
  const message = `${name} shows the ${describeKey(key)}, which is marked as revoked (${at.file}:${at.line})`;
  return new TidemarkError('unavailable', 'host-key-revoked', message, {
    remedy: 'Do not connect. The host needs a new key, or someone else uses the old one.',
  });
}

function authorityOnly(name: string, key: Buffer, at: KnownHostLine): TidemarkError {
  const message = `${name} is trusted through a certificate authority only (${at.file}:${at.line}), which the built-in client does not support`;
  return new TidemarkError('unavailable', 'host-ca-unsupported', message, {
    remedy: `Use the system's client with --rsh ssh, or add the host's own key (it shows the ${describeKey(key)}) to known_hosts.`,
  });
}

function cannotLearn(name: string, reason: string, cause?: unknown): TidemarkError {
  const message = `the key of ${name} is new and cannot be added to the known hosts: ${reason}`;
  return new TidemarkError('unavailable', 'known-hosts-unwritable', message, {
    remedy: 'Make the file writable, or name another with UserKnownHostsFile in the ssh configuration.',
    cause,
  });
}
