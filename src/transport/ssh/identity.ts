/** Private keys in files and in the agent, as candidates for authentication. */
import { readFileSync, statSync } from 'node:fs';
import type { BaseAgent, ParsedKey } from 'ssh2';

export type Ssh2 = typeof import('ssh2');

/** What became of reading one identity file. */
export type IdentityFile =
  | { readonly kind: 'plain'; readonly file: string; readonly key: ParsedKey }
  /** The public half is null where it could not be found without the passphrase. */
  | { readonly kind: 'encrypted'; readonly file: string; readonly publicKey: ParsedKey | null }
  /** Only the public half is there: the private one may be in the agent. */
  | { readonly kind: 'public'; readonly file: string; readonly publicKey: ParsedKey }
  | { readonly kind: 'missing'; readonly file: string }
  | { readonly kind: 'unreadable'; readonly file: string; readonly reason: string };

/** Reads an identity file, in OpenSSH's format or PEM. Never throws. */
export function readIdentity(ssh2: Ssh2, file: string): IdentityFile {
  try {
    const facts = statSync(file);
    if (!facts.isFile() || facts.size > MAX_KEY_BYTES) return { kind: 'unreadable', file, reason: 'not a key file' };
    const text = readFileSync(file);
    const key = firstKey(ssh2.utils.parseKey(text));
    if (key instanceof Error && !isEncryptedError(key)) return { kind: 'unreadable', file, reason: key.message };
    if (!(key instanceof Error) && !key.isPrivateKey()) return { kind: 'public', file, publicKey: key };
    if (facts.uid === process.getuid?.() && (facts.mode & 0o077) !== 0)
      return { kind: 'unreadable', file, reason: 'others can read it; make it private with chmod 600' };
    if (!(key instanceof Error)) return { kind: 'plain', file, key };
    return { kind: 'encrypted', file, publicKey: embeddedPublicKey(ssh2, text) ?? readPublicHalf(ssh2, file) };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') return { kind: 'unreadable', file, reason: message };
    const publicKey = readPublicHalf(ssh2, file);
    return publicKey === null ? { kind: 'missing', file } : { kind: 'public', file, publicKey };
  }
}

/** Decrypts an encrypted identity file; an error where the passphrase is wrong. */
export function decryptIdentity(ssh2: Ssh2, file: string, passphrase: string): ParsedKey | Error {
  try {
    const key = firstKey(ssh2.utils.parseKey(readFileSync(file), passphrase));
    return key instanceof Error || key.isPrivateKey() ? key : new Error('no private key');
  } catch (error) {
    return error as Error;
  }
}

/** The keys an agent holds; an error text where it cannot be asked. Kinds of keys ssh2 does not know are left out. */
export function listAgentKeys(agent: BaseAgent): Promise<readonly ParsedKey[] | Error> {
  return new Promise((resolve) => {
    agent.getIdentities((error, keys) => {
      if (error) resolve(error);
      else resolve((keys ?? []).slice(0, MAX_AGENT_KEYS) as ParsedKey[]);
    });
  });
}

/** Signs `data`; the hash is named where the key type leaves a choice (RSA). */
export type Sign = (data: Buffer, hash: 'sha256' | 'sha512' | undefined) => Promise<Buffer>;

/**
 * An agent with one key, so that keys are tried one by one in our order.
 * `sign` is called only after the server has said that it would take the key.
 */
export function singleKeyAgent(ssh2: Ssh2, key: ParsedKey, sign: Sign): BaseAgent {
  class SingleKeyAgent extends ssh2.BaseAgent<ParsedKey> {
    override getIdentities(done: (error?: Error | null, keys?: ParsedKey[]) => void): void {
      done(null, [key]);
    }
    override sign(_key: ParsedKey, data: Buffer, options: unknown, done?: unknown): void {
      const callback = (typeof options === 'function' ? options : done) as (
        error: Error | null,
        bytes?: Buffer,
      ) => void;
      const hash = (options as { hash?: 'sha256' | 'sha512' } | null)?.hash;
      sign(data, hash).then(
        (signature) => callback(null, signature),
        (error: Error) => callback(error),
      );
    }
  }
  return new SingleKeyAgent();
}

/** Signs with a key of a real agent. */
export function agentSign(agent: BaseAgent, key: ParsedKey): Sign {
  return (data, hash) =>
    new Promise((resolve, reject) => {
      agent.sign(key, data, hash === undefined ? {} : { hash }, (error, signature) => {
        if (error || signature === undefined) reject(error ?? new Error('the agent gave no signature'));
        else resolve(Buffer.from(signature));
      });
    });
}

/** The blob that names a key, as base64. */
export function publicBlob(key: ParsedKey): string {
  return key.getPublicSSH().toString('base64');
}

/** An RSA key of 16384 bits takes 13 KB. */
const MAX_KEY_BYTES = 256 * 1024;

/** Servers close after a handful of tries anyway. */
const MAX_AGENT_KEYS = 64;

function firstKey(parsed: ParsedKey | ParsedKey[] | Error): ParsedKey | Error {
  return Array.isArray(parsed) ? (parsed[0] ?? new Error('no key in the file')) : parsed;
}

function isEncryptedError(error: Error): boolean {
  return /encrypted/i.test(error.message);
}

function readPublicHalf(ssh2: Ssh2, file: string): ParsedKey | null {
  try {
    const key = firstKey(ssh2.utils.parseKey(readFileSync(`${file}.pub`)));
    return key instanceof Error ? null : key;
  } catch {
    return null;
  }
}

/** OpenSSH's format (PROTOCOL.key) keeps the public half in the clear, before the encrypted part. */
function embeddedPublicKey(ssh2: Ssh2, text: Buffer): ParsedKey | null {
  const armour = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text.toString('latin1'));
  if (armour === null) return null;
  const bytes = Buffer.from(armour[1] ?? '', 'base64');
  const magic = 'openssh-key-v1\0';
  if (bytes.toString('latin1', 0, magic.length) !== magic) return null;
  try {
    let at = magic.length;
    for (let skipped = 0; skipped < 3; skipped++) at += 4 + bytes.readUInt32BE(at);
    at += 4;
    const length = bytes.readUInt32BE(at);
    const key = firstKey(ssh2.utils.parseKey(bytes.subarray(at + 4, at + 4 + length)));
    return key instanceof Error ? null : key;
  } catch {
    return null;
  }
}
