/**
 * The folder of sessions: one folder each, named by a hex id, holding what the session is called by (`session.json`),
 * its lock, and its archive.
 *
 * A session is found by the canonical addresses of its pair, else by the identities of its roots (a root that was moved,
 * or is reached by another name), else by the names the user gave: where these lead to another directory than last time,
 * as through a symlink that took the place of a root, it is for the safety guard to say so. Ids of new sessions follow from the addresses, so two runs that make the same session
 * at once meet in one folder, and the lock decides. `session.json` only serves to find a session: what was agreed, and
 * of which roots, stands in the archive. It is written whole and renamed into place.
 */
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Side } from '../../journal/core/entry.ts';
import { FolderLock } from '../../journal/store/folder-lock.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import type { FileSystem } from '../../platform/filesystem.ts';
import { makeFolders } from '../../platform/make-folders.ts';
import { Archive } from './archive.ts';
import { readSessionFile, type SessionFile, writeSessionFile } from './session-file.ts';

export type PairAddresses = Readonly<Record<Side, string>>;
/** Null where a root does not exist yet. */
export type PairIdentities = Readonly<Record<Side, string | null>>;

/** A session that was found. */
export interface SessionSummary extends SessionFile {
  readonly id: string;
}

/** A session held by this run; `close` gives it back. */
export interface OpenSession {
  readonly id: string;
  readonly archive: Archive;
  readonly isNew: boolean;
  close(): void;
}

export interface SessionsOptions {
  /** Time noted in locks. */
  readonly now?: () => Date;
}

const ID = /^[0-9a-f]{32}$/;

export class Sessions {
  readonly folder: string;
  readonly #fileSystem: FileSystem;
  readonly #now: () => Date;

  /** `stateFolder` is an absolute path; nothing is made before a session is opened. */
  constructor(fileSystem: FileSystem, stateFolder: string, options: SessionsOptions = {}) {
    this.#fileSystem = fileSystem;
    this.folder = join(stateFolder, 'sessions');
    this.#now = options.now ?? (() => new Date());
  }

  /** The session of a pair: by addresses first, then by identities, then by names; null where there is none. */
  find({ addresses, identities, named }: Required<SessionFile>): SessionSummary | null {
    const all = this.list();
    const byAddress = all.filter((session) => isSamePair(session.addresses, addresses));
    const byIdentity = all.filter((session) => isSamePair(session.identities, identities));
    const byName = all.filter((session) => session.named !== undefined && isSamePair(session.named, named));
    const both = byAddress.find((session) => byIdentity.includes(session));
    return both ?? byAddress[0] ?? byIdentity[0] ?? byName[0] ?? null;
  }

  /** Every readable session, by id. */
  list(): SessionSummary[] {
    let names: string[];
    try {
      names = readdirSync(this.folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw unusable(this.folder, error);
    }
    return names
      .filter((name) => ID.test(name))
      .sort()
      .flatMap((id) => {
        const file = readSessionFile(join(this.folder, id));
        return file === null ? [] : [{ id, ...file }];
      });
  }

  /**
   * Finds or makes the session of a pair and locks it. `scratch` (a dry run) makes and locks nothing: a copy of the
   * archive in a temporary folder stands in for the session. Throws `locked`, and `unavailable` for damaged state.
   */
  open(pair: Required<SessionFile>, options: { readonly scratch: boolean }): OpenSession {
    const found = this.find(pair);
    if (options.scratch)
      return openScratch(found === null ? null : { id: found.id, folder: join(this.folder, found.id) });
    return this.#openFolder(found?.id ?? this.#freeId(pair.addresses), pair);
  }

  /** Opens a session by its id. Throws `usage` (`no-session`) where there is none. */
  openById(id: string): OpenSession {
    if (!ID.test(id) || readSessionFile(join(this.folder, id)) === null) {
      throw new TidemarkError('usage', 'no-session', `no session ${id.slice(0, 64)}`);
    }
    return this.#openFolder(id, null);
  }

  /** Removes a session's state, which no run may hold. The trees are not touched. */
  remove(id: string): void {
    const session = this.openById(id);
    try {
      session.archive.close();
      rmSync(join(this.folder, id), { recursive: true });
    } finally {
      session.close();
    }
  }

  #openFolder(id: string, pair: SessionFile | null): OpenSession {
    const folder = join(this.folder, id);
    prepareFolder(this.folder);
    prepareFolder(folder);
    const lock = FolderLock.take(this.#fileSystem, folder, this.#now());
    let archive: Archive | null = null;
    try {
      const isNew = readSessionFile(folder) === null;
      if (isNew && pair !== null) writeSessionFile(this.#fileSystem, folder, pair);
      archive = Archive.open(join(folder, 'archive'));
      return this.#held({ id, archive, isNew }, folder, lock, pair?.named);
    } catch (error) {
      archive?.close();
      lock.release();
      throw error;
    }
  }

  #held(
    session: Omit<OpenSession, 'close'>,
    folder: string,
    lock: FolderLock,
    named: SessionFile['named'],
  ): OpenSession {
    const { archive } = session;
    let isOpen = true;
    const close = () => {
      if (!isOpen) return;
      isOpen = false;
      try {
        this.#noteRoots(folder, archive, named);
      } finally {
        archive.close();
        lock.release();
      }
    };
    return { ...session, close };
  }

  /** Brings `session.json` in line with the roots of the last settled run, and with what they were called. */
  #noteRoots(folder: string, archive: Archive, called: SessionFile['named']): void {
    const known = readSessionFile(folder);
    if (known === null || !archive.isOpen) return;
    const facts = archive.readSession();
    if (facts === null) return;
    const addresses = { alpha: facts.alpha.address, beta: facts.beta.address };
    const identities = { alpha: facts.alpha.identity, beta: facts.beta.identity };
    const named = called ?? known.named ?? addresses;
    const isNamedSo = known.named !== undefined && isSamePair(known.named, named);
    if (isNamedSo && isSamePair(known.addresses, addresses) && isSamePair(known.identities, identities)) return;
    writeSessionFile(this.#fileSystem, folder, { addresses, identities, named });
  }

  /** An id that no other pair's session has; the same for every run that asks for this pair. */
  #freeId(addresses: PairAddresses): string {
    for (let attempt = 0; ; attempt++) {
      const hash = createHash('sha256').update(JSON.stringify([addresses.alpha, addresses.beta, attempt]));
      const id = hash.digest('hex').slice(0, 32);
      const taken = readSessionFile(join(this.folder, id));
      if (taken === null || isSamePair(taken.addresses, addresses)) return id;
    }
  }
}

/** A copy of a session's archive, or an empty one, that goes when it is closed: the session itself is not touched. */
function openScratch(session: { readonly id: string; readonly folder: string } | null): OpenSession {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-dry-run-'));
  if (session !== null) cpSync(join(session.folder, 'archive'), join(folder, 'archive'), { recursive: true });
  const archive = Archive.open(join(folder, 'archive'), { durable: false });
  const close = () => {
    archive.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { id: session?.id ?? randomBytes(16).toString('hex'), archive, isNew: session === null, close };
}

function isSamePair(left: PairIdentities, right: PairIdentities): boolean {
  return left.alpha !== null && left.beta !== null && left.alpha === right.alpha && left.beta === right.beta;
}

/** Makes a folder of ours, or checks that it is one: a directory, no symlink, of this user, closed to others. */
function prepareFolder(folder: string): void {
  try {
    makeFolders(folder, 0o700);
    const { uid, mode } = lstatSync(folder);
    if ((mode & 0o170000) !== 0o040000) throw new Error('not a directory');
    if (process.geteuid !== undefined && uid !== process.geteuid()) throw new Error('belongs to another user');
    if ((mode & 0o022) !== 0) throw new Error('others may write to it');
  } catch (error) {
    throw unusable(folder, error);
  }
}

function unusable(folder: string, error: unknown): TidemarkError {
  const reason = error instanceof Error ? error.message : String(error);
  return new TidemarkError('unavailable', 'state-folder', `cannot use ${folder}: ${reason}`, {
    cause: error,
    remedy: 'Make it a folder that only you can write to, or set TIDEMARK_HOME to another one.',
  });
}
