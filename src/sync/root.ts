/**
 * The root of a tree on this host: found, described, and prepared for a run.
 *
 * A directory root is opened itself; a file root (or a missing one that is to become a file) is opened as its parent
 * directory and one name. {@link LocalRoot.open} and `describe` change nothing; `prepare` makes a missing root, the
 * hidden folder with its marker, takes the lock and clears what a killed run left, but all of that only where the root
 * may be written to.
 */
import { realpathSync, statSync } from 'node:fs';
import type { ByteName, BytePath } from '../platform/core/byte-path.ts';
import { ROOT, toBuffer } from '../platform/core/byte-path.ts';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import { openFileSystem } from '../platform/open-filesystem.ts';
import { HIDDEN } from './apply/context.ts';
import { clearLeftovers } from './apply/leftovers.ts';
import type { EndpointInfo, RootState } from './endpoint.ts';
import { HiddenFolder } from './hidden-folder.ts';
import { hostKey } from './host-key.ts';
import { probeTraits, type RootTraits } from './root-traits.ts';

export interface LocalRootOptions {
  /** False: nothing at all is written, in a dry run or at a source that must stay as it is. */
  readonly writable: boolean;
  /** Replaced in tests. */
  readonly fileSystem?: FileSystem;
  readonly addonMissing?: string | null;
}

/** What is known of an endpoint by its root alone. */
export type RootDescription = Omit<EndpointInfo, 'backend' | 'whyNotBetter' | 'version'>;

/** Where a root is: the directory to open and, for files and missing roots, the name in it. */
interface Place {
  readonly kind: RootState['kind'];
  /** The directory to open; null where there is none. */
  readonly directory: Buffer | null;
  readonly name: ByteName | null;
  readonly canonicalPath: string;
}

export class LocalRoot {
  readonly #fileSystem: FileSystem;
  readonly #addonMissing: string | null;
  readonly #isWritable: boolean;
  #place: Place;
  #fd: Fd | null = null;
  #hidden: HiddenFolder | null = null;

  private constructor(place: Place, options: LocalRootOptions) {
    const opened = openFileSystem();
    this.#fileSystem = options.fileSystem ?? opened.fileSystem;
    this.#addonMissing = options.addonMissing ?? opened.addonMissing;
    this.#isWritable = options.writable;
    this.#place = place;
    this.#open();
  }

  /**
   * Finds what is at `path`, absolute, as bytes; symlinks in it are followed, for the user named it.
   * Throws `unavailable` where it cannot be opened.
   */
  static open(path: Buffer, options: LocalRootOptions): LocalRoot {
    return new LocalRoot(findPlace(path), options);
  }

  /** Descriptor of the directory that is the root or holds it. */
  get fd(): Fd {
    if (this.#fd !== null) return this.#fd;
    throw new TidemarkError('unavailable', 'root-parent-missing', `no directory to hold ${this.#place.canonicalPath}`);
  }

  /** Name of a file root in its directory, else null. */
  get only(): ByteName | null {
    return this.#place.name;
  }

  /** True where nothing is at the path. */
  get isMissing(): boolean {
    return this.#place.kind === 'missing';
  }

  describe(): RootDescription {
    const root = this.#state();
    const traits = this.#traits();
    return {
      root,
      nativeAddon: this.#fileSystem.kind === 'native',
      runsAsRoot: process.geteuid?.() === 0,
      ...traits,
      remarks: this.#addonMissing === null ? traits.remarks : [`no addon: ${this.#addonMissing}`, ...traits.remarks],
    };
  }

  /**
   * Makes the root ready for a run and returns its identity. A missing root becomes a `kind` (a missing file stays
   * missing until it is put). Throws `locked` where another run works on it, `unavailable` where the hidden folder is
   * not what it should be. A root that turns out not to be writable is left as it is.
   */
  prepare(kind: 'directory' | 'file'): string {
    if (this.#isWritable && this.#place.kind === 'missing' && kind === 'directory') this.#makeDirectory();
    if (this.#isWritable && this.#hidden === null) this.#hidden = this.#openHidden();
    return this.#identity() ?? this.#provisionalIdentity();
  }

  /** Releases the lock and the descriptor. */
  close(): void {
    this.#hidden?.close();
    this.#hidden = null;
    if (this.#fd !== null) this.#fileSystem.close(this.#fd);
    this.#fd = null;
  }

  #open(): void {
    if (this.#place.directory === null) return;
    try {
      this.#fd = this.#fileSystem.openRoot(this.#place.directory);
    } catch (error) {
      throw unavailable('root-unreadable', this.#place.canonicalPath, error);
    }
  }

  #makeDirectory(): void {
    const { name, canonicalPath } = this.#place;
    if (name === null) return;
    const parent = this.fd;
    try {
      this.#fileSystem.makeDirectory(parent, name as string as BytePath, 0o777);
      this.#fileSystem.syncDirectory(parent, ROOT);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw unavailable('root-not-made', canonicalPath, error);
    }
    this.#fileSystem.close(parent);
    this.#fd = null;
    this.#place = { kind: 'directory', directory: toBuffer(canonicalPath), name: null, canonicalPath };
    this.#open();
  }

  #openHidden(): HiddenFolder | null {
    try {
      const hidden = HiddenFolder.make(this.#fileSystem, this.fd, this.#place.name);
      try {
        if (hidden.isAlone) clearLeftovers(this.#fileSystem, this.fd, Date.now());
        if (this.#place.name !== null) hidden.share();
      } catch (error) {
        hidden.close();
        throw error;
      }
      return hidden;
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') return null;
      throw error;
    }
  }

  #state(): RootState {
    const { kind, canonicalPath } = this.#place;
    const ids = idsOf(toBuffer(canonicalPath));
    return {
      kind,
      parentExists: this.#fd !== null,
      identity: this.#identity(),
      isEmpty: kind === 'directory' && this.#isEmpty(),
      hostId: ids.own,
      ancestorIds: ids.ancestors,
      canonicalPath,
    };
  }

  #isEmpty(): boolean {
    const listing = this.#fileSystem.readDirectories(this.fd, [ROOT])[0];
    return listing !== undefined && listing.error === null && listing.entries.every((entry) => entry.name === HIDDEN);
  }

  /** null while the root is missing. A file root shares the marker of its directory, and adds its name. */
  #identity(): string | null {
    const { kind, name } = this.#place;
    if (this.#fd === null || kind === 'missing') return null;
    return directoryIdentity(this.#fileSystem, this.#fd) + nameSuffix(name);
  }

  #provisionalIdentity(): string {
    return directoryIdentity(this.#fileSystem, this.fd) + nameSuffix(this.#place.name);
  }

  #traits(): RootTraits {
    const ownName = this.#place.canonicalPath.slice(this.#place.canonicalPath.lastIndexOf('/') + 1);
    return probeTraits(this.#fileSystem, this.#fd, {
      isWritable: this.#isWritable,
      ownName,
      path: this.#place.canonicalPath,
    });
  }
}

function directoryIdentity(fileSystem: FileSystem, fd: Fd): string {
  const marker = HiddenFolder.readMarker(fileSystem, fd);
  if (marker !== null) return `id:${marker}`;
  const stat = fileSystem.fstat(fd);
  return `fs:${stat.dev.toString(16)}-${stat.ino.toString(16)}`;
}

function nameSuffix(name: string | null): string {
  return name === null ? '' : `/${toBuffer(name).toString('hex')}`;
}

function findPlace(path: Buffer): Place {
  const found = resolve(path);
  if (found !== null) {
    const canonicalPath = found.toString('latin1');
    const stat = statSync(found, { throwIfNoEntry: false });
    if (stat?.isDirectory() === true) return { kind: 'directory', directory: found, name: null, canonicalPath };
    return { kind: stat?.isFile() === true ? 'file' : 'other', ...splitLast(canonicalPath), canonicalPath };
  }
  const { directory, name } = splitLast(path.toString('latin1').replace(/(?<=.)\/+$/, ''));
  const parent = resolve(directory);
  if (parent === null) return { kind: 'missing', directory: null, name, canonicalPath: path.toString('latin1') };
  const base = parent.toString('latin1');
  return { kind: 'missing', directory: parent, name, canonicalPath: `${base === '/' ? '' : base}/${name}` };
}

/** Canonical form of an existing path; null where nothing is there. */
function resolve(path: Buffer): Buffer | null {
  try {
    return realpathSync.native(path, 'buffer');
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw unavailable('root-unreadable', path.toString('latin1'), error);
  }
}

function splitLast(path: string): { directory: Buffer; name: ByteName } {
  const slash = path.lastIndexOf('/');
  return { directory: toBuffer(path.slice(0, slash) || '/'), name: path.slice(slash + 1) as ByteName };
}

/** Host, device and inode of a path and of everything above it, nearest first. */
function idsOf(path: Buffer): { own: string; ancestors: string[] } {
  const text = path.toString('latin1');
  const own = idOf(text) ?? `${idOf(parentPath(text)) ?? hostKey()}/${text.slice(text.lastIndexOf('/') + 1)}`;
  const ancestors: string[] = [];
  for (let at = text; at !== '/'; ) {
    at = parentPath(at);
    const id = idOf(at);
    if (id !== null) ancestors.push(id);
  }
  return { own, ancestors };
}

function idOf(path: string): string | null {
  try {
    const stat = statSync(toBuffer(path), { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? null : `${hostKey()}:${stat.dev.toString(16)}:${stat.ino.toString(16)}`;
  } catch {
    return null;
  }
}

function parentPath(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function unavailable(code: string, path: string, cause: unknown): TidemarkError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new TidemarkError('unavailable', code, `${path} cannot be opened: ${detail}`, {
    cause,
    remedy: 'Check owner and permissions of it and of the directories above.',
  });
}
