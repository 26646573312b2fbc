/**
 * Finds the operations in a chunk of content records without decoding it: what `apply` was asked to do, so that its
 * answers can be matched. Chunks are our own here; a chunk that does not scan is a broken promise of ours.
 */
import { MalformedError } from '../../platform/core/bytes.ts';

/** Record types and entry flags of src/sync/core/content.ts and codec.ts. */
const RECORD = { operation: 1, small: 2, begin: 3, data: 4, hole: 5, blocks: 6, end: 7, failed: 8 } as const;
const ENTRY = { none: 0, file: 1, directory: 2, symlink: 3, untracked: 4, problem: 5 } as const;
const HAS = { fast: 1, strong: 2, owner: 4, xattrs: 8, linkTo: 16, mtime: 32 } as const;

/** The ids of the operations in `chunk`, in order. Cost: a few steps per record, whatever its content weighs. */
export function operationIds(chunk: Uint8Array): number[] {
  const scan = new Scan(chunk);
  const ids: number[] = [];
  while (!scan.isAtEnd) {
    const type = scan.u8();
    if (type === RECORD.operation) ids.push(scan.operation());
    else scan.record(type);
  }
  return ids;
}

class Scan {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    return this.#bytes[this.#skip(1)] as number;
  }

  /** Skips an operation behind its record type; its id. */
  operation(): number {
    const kind = this.u8();
    const id = this.#u32();
    this.#path();
    this.#entry();
    if (kind === 1) {
      this.#entry();
      this.u8();
      if (this.u8() === 1) this.#path();
    } else if (kind === 3) {
      this.#path();
    }
    return id;
  }

  /** Skips any other record behind its type. */
  record(type: number): void {
    this.#skip(4);
    switch (type) {
      case RECORD.small:
        this.#entry();
        this.#string();
        return;
      case RECORD.data:
        this.#string();
        return;
      case RECORD.begin:
      case RECORD.hole:
      case RECORD.blocks:
        this.#skip(8);
        return;
      case RECORD.end:
        this.#entry();
        return;
      case RECORD.failed:
        this.#skip(1);
        this.#string();
        this.#string();
        return;
      default:
        throw new MalformedError(`unknown content record ${type}`);
    }
  }

  #entry(): void {
    const kind = this.u8();
    switch (kind) {
      case ENTRY.none:
        return;
      case ENTRY.file: {
        const has = this.u8();
        this.#skip(18 + (has & HAS.fast ? 8 : 0) + (has & HAS.strong ? 32 : 0));
        this.#options(has);
        if (has & HAS.linkTo) this.#path();
        return;
      }
      case ENTRY.directory: {
        const has = this.u8();
        this.#skip(2);
        this.#options(has);
        return;
      }
      case ENTRY.symlink: {
        const has = this.u8();
        this.#string();
        this.#options(has);
        if (has & HAS.mtime) this.#skip(8);
        return;
      }
      case ENTRY.untracked:
        this.#skip(1);
        return;
      case ENTRY.problem:
        this.#string();
        this.#string();
        return;
      default:
        throw new MalformedError(`unknown kind of entry ${kind}`);
    }
  }

  #options(has: number): void {
    if (has & HAS.owner) this.#string();
    if (has & HAS.xattrs) this.#string();
  }

  #path(): void {
    const at = this.#skip(2);
    for (let left = this.#bytes.readUInt16LE(at); left > 0; left--) this.#skip(this.u8());
  }

  #string(): void {
    this.#skip(this.#u32());
  }

  #u32(): number {
    return this.#bytes.readUInt32LE(this.#skip(4));
  }

  #skip(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw new MalformedError('content record cut short');
    this.#at = at + length;
    return at;
  }
}
