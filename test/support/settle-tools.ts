/** A folder on a file system of choice, and settling in it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Census, takeCensus, type WriterView, writerView } from '../../src/journal/census.ts';
import { type SettleOptions, type SettleResult, settleFiles } from '../../src/journal/settle.ts';
import type { BytePath } from '../../src/platform/core/byte-path.ts';
import type { Fd, FileSystem } from '../../src/platform/filesystem.ts';
import { bytePath } from './supply-tools.ts';

/** Nobody has anything open, and nobody was overlooked. */
export const NOBODY: WriterView = { isComplete: true, isOpenForWriting: () => false };

export class SettleFolder {
  readonly fileSystem: FileSystem;
  readonly path: string;
  readonly root: Fd;
  readonly #isOurs: boolean;

  /** Without `path`: a new folder in the temporary directory. */
  constructor(fileSystem: FileSystem, path?: string) {
    this.fileSystem = fileSystem;
    this.#isOurs = path === undefined;
    this.path = path ?? mkdtempSync(join(tmpdir(), 'tidemark-settle-'));
    this.root = fileSystem.openRoot(this.path);
  }

  at(name: string): string {
    return join(this.path, name);
  }

  settle(names: readonly string[], options: Partial<SettleOptions> = {}, isDirect = false): SettleResult[] {
    return this.settleOn(this.fileSystem, names, options, isDirect);
  }

  /** With a file system that has something changed. */
  settleOn(
    fileSystem: FileSystem,
    names: readonly string[],
    options: Partial<SettleOptions> = {},
    isDirect = false,
  ): SettleResult[] {
    const requests = names.map((name) => ({ path: bytePath(name), isDirect }));
    return settleFiles(fileSystem, this.root, requests, { durable: true, strong: false, census: null, ...options });
  }

  /** The one result for one file, in a few words: `leased`, `closed`, `unproven`, `hot`, `gone` or the problem's code. */
  verdict(name: string, options: Partial<SettleOptions> = {}, isDirect = false): string {
    return verdictOf(this.settle([name], options, isDirect)[0]);
  }

  census(): Census {
    return takeCensus(this.fileSystem, Buffer.from(this.path).toString('latin1'), this.root);
  }

  /** The census, taken to be complete: some process of the machine may really be hidden from us. */
  completeView(): WriterView {
    return writerView({ ...this.census(), isComplete: true });
  }

  /** Who has this file open, as far as the census tells: `how` of each. */
  writersOf(name: string): string[] {
    const path: BytePath = bytePath(name);
    return this.census().writers.flatMap((writer) => (writer.path === path ? [writer.how] : []));
  }

  close(): void {
    this.fileSystem.close(this.root);
    if (this.#isOurs) rmSync(this.path, { recursive: true, force: true });
  }
}

export function verdictOf(result: SettleResult | undefined): string {
  if (result?.outcome === 'settled') return result.proof;
  return result?.outcome === 'problem' ? result.problem.code : (result?.outcome ?? 'none');
}

/** The fast digest of a settled file, else null. */
export function digestOf(result: SettleResult | undefined): string | null {
  return result?.outcome === 'settled' ? result.digests.fast : null;
}
