/** A known tree, a known batch that changes everything in it, and what must hold wherever the batch is killed. */
import * as fs from 'node:fs';
import type { TrackedEntry } from '../../src/journal/core/entry.ts';
import type { FileSystem } from '../../src/platform/filesystem.ts';
import { clearLeftovers } from '../../src/sync/apply/leftovers.ts';
import type { ApplyOptions } from '../../src/sync/endpoint.ts';
import type { Method } from '../sync/apply/hooked-filesystem.ts';
import { at, fileEntry, NEW_NS, type Order, Workbench } from '../sync/apply/workbench.ts';

/** What a path holds before and after, by {@link Workbench.read}; null: nothing. */
interface Fate {
  readonly old: string | null;
  readonly new: string | null;
  /** Without an exchange, nothing may be there for a moment (replace-fallback.ts). */
  readonly mayBeGone?: boolean;
}

/** Every old content is unique, so that it can be told where it went. */
export const FATES: Readonly<Record<string, Fate>> = {
  replaced: { old: 'old replaced', new: 'new replaced' },
  'large/replaced': { old: 'old large', new: 'L'.repeat(300_000) },
  'becomes-link': { old: 'old becomes-link', new: '-> target' },
  'was-link': { old: '-> old target', new: 'new was-link' },
  'becomes-directory': { old: 'old becomes-directory', new: '<directory>', mayBeGone: true },
  'becomes-directory/in': { old: null, new: 'new in' },
  'was-directory': { old: '<directory>', new: 'new was-directory', mayBeGone: true },
  'was-directory/in': { old: 'old was-directory/in', new: null },
  removed: { old: 'old removed', new: null },
  'gone/deep': { old: 'old gone/deep', new: null },
  'gone/link': { old: '-> old gone', new: null },
  gone: { old: '<directory>', new: null },
  'made/chain/file': { old: null, new: 'new file' },
  'made/link': { old: null, new: '-> somewhere' },
  copied: { old: null, new: 'kept' },
  kept: { old: 'kept', new: 'kept' },
  moved: { old: 'old moved', new: null },
  'moved-here': { old: null, new: 'old moved' },
  'folder/in': { old: 'old folder/in', new: null },
  'folder-here/in': { old: null, new: 'old folder/in' },
  touched: { old: 'old touched', new: 'old touched' },
};

export const MUTATING: ReadonlySet<Method> = new Set<Method>([
  'createFile',
  'openForUpdate',
  'writeSmallFile',
  'makeDirectory',
  'removeFile',
  'removeDirectory',
  'makeSymlink',
  'hardLink',
  'renameNoReplace',
  'placeNew',
  'rename',
  'exchange',
  'setMode',
  'setMtime',
  'setOwner',
  'setXattr',
  'syncDirectory',
  'syncFileSystem',
]);

export function makeTree(fileSystem: FileSystem, options: Partial<ApplyOptions> = {}): Workbench {
  const bench = new Workbench(fileSystem, options);
  for (const [path, { old }] of Object.entries(FATES)) {
    if (old === null || old === '<directory>') continue;
    if (old.startsWith('-> ')) {
      fs.mkdirSync(bench.path(path.split('/').slice(0, -1).join('/')), { recursive: true });
      fs.symlinkSync(old.slice(3), bench.path(path));
    } else bench.write(path, old);
  }
  return bench.observe();
}

/** Everything that makes the tree new, from whatever it is now. Paths that are new already are left out. */
export function ordersFor(bench: Workbench): Order[] {
  const directory: TrackedEntry = { kind: 'directory', mode: 0o755 };
  const orders: Order[] = [];
  const unless = (path: string, order: () => Order) => {
    if (bench.read(path) !== (FATES[path]?.new ?? '<directory>')) orders.push(order());
  };
  const ifThere = (path: string, order: () => Order) => {
    if (bench.read(path) !== null) orders.push(order());
  };
  ifThere('moved', () => bench.rename('moved', 'moved-here'));
  ifThere('folder', () => bench.rename('folder', 'folder-here'));
  unless('replaced', () => bench.put('replaced', 'new replaced'));
  unless('large/replaced', () => streamed(bench, 'large/replaced', Buffer.from('L'.repeat(300_000))));
  unless('becomes-link', () => bench.place('becomes-link', { kind: 'symlink', target: 'target' }));
  unless('was-link', () => bench.put('was-link', 'new was-link'));
  unless('becomes-directory', () => bench.place('becomes-directory', directory));
  unless('becomes-directory/in', () => bench.put('becomes-directory/in', 'new in'));
  ifThere('was-directory/in', () => bench.remove('was-directory/in'));
  unless('was-directory', () => bench.put('was-directory', 'new was-directory'));
  for (const path of ['removed', 'gone/deep', 'gone/link', 'gone']) ifThere(path, () => bench.remove(path));
  for (const path of ['made', 'made/chain']) unless(path, () => bench.place(path, directory));
  unless('made/chain/file', () => bench.put('made/chain/file', 'new file'));
  unless('made/link', () => bench.place('made/link', { kind: 'symlink', target: 'somewhere' }));
  unless('copied', () => bench.place('copied', fileEntry('kept'), { content: 'copy', copyFrom: at('kept') }));
  orders.push(bench.place('touched', { ...fileEntry('old touched'), mode: 0o600, mtimeNs: NEW_NS }));
  return orders;
}

/** What is wrong with the tree after a kill and the next start; empty where every promise was kept. */
export function faultsAfterRestart(bench: Workbench): string[] {
  clearLeftovers(bench.fileSystem, bench.root, Date.now());
  const mayBeGone = bench.fileSystem.kind === 'portable';
  const versions = bench.versions();
  const faults = bench.litter().map((name) => `litter ${name}`);
  for (const [path, fate] of Object.entries(FATES)) {
    const now = bench.read(path);
    const isGap = now === null && fate.mayBeGone === true && mayBeGone;
    if (now !== fate.old && now !== fate.new && !isGap) faults.push(`${path} holds ${now?.slice(0, 40)}`);
    if (fate.old === null || now === fate.old || !isContent(fate.old) || !bench.options.backup) continue;
    const isKept = versions.some((version) => version.endsWith(` ${path}=${fate.old}`));
    const isMoved = Object.entries(FATES).some(
      ([other, { new: content }]) => content === fate.old && bench.read(other) === content,
    );
    if (!isKept && !isMoved) faults.push(`the old content of ${path} is lost`);
  }
  for (const version of versions) {
    const [what = '', content = ''] = version.split(/=(.*)/s);
    const path = what.slice(what.indexOf(' ') + 1);
    if (content !== 'nothing' && content !== FATES[path]?.old)
      faults.push(`a version that never was: ${version.slice(0, 60)}`);
  }
  return faults;
}

function isContent(old: string): boolean {
  return old !== '<directory>';
}

function streamed(bench: Workbench, path: string, content: Buffer): Order {
  const { operation } = bench.put(path, content);
  const { id } = operation;
  return {
    operation,
    content: [
      { kind: 'begin', id, sizeBytes: content.length },
      { kind: 'data', id, bytes: content.subarray(0, 200_000) },
      { kind: 'data', id, bytes: content.subarray(200_000) },
      { kind: 'end', id, entry: fileEntry(content) },
    ],
  };
}
