/** Reading small files through the addon: many in one call, looked at one by one. */
import type { Addon } from './addon.ts';
import type { BytePath } from './core/byte-path.ts';
import { STAT_BYTES, unpackStat } from './core/stat-codec.ts';
import type { Fd, FileSystem, SmallFile } from './filesystem.ts';
import { joined, leaseState } from './native-arguments.ts';

/** Room for contents in one call: several dozen files of the usual size. */
const CONTENTS_BYTES = 1024 * 1024;
/** Files in one call at most. */
const MAX_FILES = 256;

/** What the addon tells of each file; see `struct facts` in `native/small-files.c`. */
const AFTER = STAT_BYTES;
const NUMBERS = 2 * STAT_BYTES;
const STRONG = NUMBERS + 16;
const FAST = STRONG + 32;
const FACTS_BYTES = FAST + 8;

/** One buffer for all files of a thread: an allocation for each would cost more than reading it. */
export function smallFileReaders(addon: Addon): Pick<FileSystem, 'readSmallFile' | 'readSmallFiles'> {
  const one = new Reader(addon, 1);
  const many = new Reader(addon, MAX_FILES);
  return {
    readSmallFile(root, path, maxBytes, checkWriteback = false) {
      const [file] = one.read(root, [path], maxBytes, checkWriteback);
      if (file instanceof Error || file === undefined) throw file;
      return file;
    },
    readSmallFiles: (root, paths, maxBytes) => many.read(root, paths, maxBytes, false),
  };
}

class Reader {
  readonly #addon: Addon;
  readonly #facts: Buffer;
  #contents = Buffer.alloc(0);

  constructor(addon: Addon, maxFiles: number) {
    this.#addon = addon;
    this.#facts = Buffer.alloc(maxFiles * FACTS_BYTES);
  }

  *read(root: Fd, paths: readonly BytePath[], maxBytes: number, checkWriteback: boolean): Generator<SmallFile | Error> {
    const isSingle = this.#facts.length === FACTS_BYTES;
    const room = isSingle ? maxBytes : Math.max(maxBytes, CONTENTS_BYTES);
    if (this.#contents.length < room) this.#contents = Buffer.allocUnsafeSlow(room);
    const most = this.#facts.length / FACTS_BYTES;
    for (let at = 0; at < paths.length; ) {
      const names = joined(paths.slice(at, at + most), 'open');
      const count = this.#addon.readSmallFiles(root, names, maxBytes, this.#contents, this.#facts, checkWriteback);
      yield* this.#files(count);
      at += count;
    }
  }

  *#files(count: number): Generator<SmallFile | Error> {
    let start = 0;
    for (let index = 0; index < count; index++) {
      const error = this.#facts.readUInt32LE(index * FACTS_BYTES + NUMBERS);
      if (error === 0) {
        const file = this.#file(index * FACTS_BYTES, start);
        start += file.contents.length;
        yield file;
      } else {
        yield this.#addon.errorOf(error, 'open');
      }
    }
  }

  #file(at: number, start: number): SmallFile {
    const facts = this.#facts;
    const before = unpackStat(facts, at);
    // Six more big integers for each file would only be garbage.
    const isSame = facts.compare(facts, at, at + AFTER, at + AFTER, at + NUMBERS) === 0;
    const hasDigests = facts.readUInt32LE(at + NUMBERS + 12) === 1;
    return {
      before,
      packedBefore: facts.subarray(at, at + STAT_BYTES),
      after: isSame ? before : unpackStat(facts, at + AFTER),
      lease: leaseState(facts.readUInt32LE(at + NUMBERS + 4)),
      contents: this.#contents.subarray(start, start + facts.readUInt32LE(at + NUMBERS + 8)),
      digests: hasDigests
        ? {
            strong: facts.toString('latin1', at + STRONG, at + FAST),
            fast: facts.toString('latin1', at + FAST, at + FACTS_BYTES),
          }
        : null,
    };
  }
}
