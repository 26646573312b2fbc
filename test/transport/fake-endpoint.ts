import type { Change } from '../../src/journal/core/change.ts';
import type { DirectoryEntry, FileEntry } from '../../src/journal/core/entry.ts';
import type { CheckpointOptions } from '../../src/journal/core/look.ts';
import type { BytePath } from '../../src/platform/core/byte-path.ts';
import { fromText, ROOT } from '../../src/platform/core/byte-path.ts';
import { TidemarkError } from '../../src/platform/core/errors.ts';
import { readRecords } from '../../src/sync/core/content.ts';
import type { Outcome } from '../../src/sync/core/operation.ts';
import { NO_BYTES } from '../../src/sync/core/operation.ts';
import type {
  ApplyOptions,
  Changes,
  Checkpoint,
  DigestAnswer,
  DigestRequest,
  Endpoint,
  EndpointInfo,
  OpenRequest,
  ReuseCandidate,
  SignatureAnswer,
  SignatureRequest,
  SupplyOrder,
} from '../../src/sync/endpoint.ts';

export const FOLDER: DirectoryEntry = { kind: 'directory', mode: 0o755 };

export function file(sizeBytes = 3, extra: Partial<FileEntry> = {}): FileEntry {
  return {
    kind: 'file',
    mode: 0o644,
    sizeBytes,
    mtimeNs: 1_700_000_000_123_456_789n,
    digests: { fast: 'abcdefgh', strong: '0123456789abcdef0123456789abcdef' },
    ...extra,
  };
}

export function change(text: string, entry: Change['entry'], identity: string | null = null): Change {
  return { path: fromText(text), entry, identity };
}

export const TREE: readonly Change[] = [
  change('', FOLDER, '0123456789abcdef'),
  change('a', FOLDER),
  change('a/b', file(5, { owner: '0:0', xattrs: 'packed\xff', linkTo: fromText('a') })),
  change('a/ü', { kind: 'symlink', target: '../x', owner: '1:2' }),
  change('a.b', { kind: 'untracked', what: 'fifo' }),
  change('z', { kind: 'problem', code: 'EACCES', message: 'no' }),
];

export const INFO: EndpointInfo = {
  root: {
    kind: 'directory',
    parentExists: true,
    identity: 'id:00ff',
    isEmpty: false,
    hostId: 'host:1:2',
    ancestorIds: ['host:1:1', 'host:1:0'],
    canonicalPath: '/srv/\xfc\xff',
  },
  backend: 'scan',
  whyNotBetter: 'no fanotify',
  nativeAddon: true,
  fileSystem: 'ext4',
  freeBytes: 2 ** 45,
  readOnly: false,
  foldsCase: false,
  foldsNormalization: false,
  maxNameBytes: 255,
  canExchange: true,
  runsAsRoot: true,
  version: '0.1.0',
  remarks: ['one', 'zwei ü'],
};

/** An endpoint that says canned things and notes what it was asked. */
export class FakeEndpoint implements Endpoint {
  readonly calls: unknown[] = [];
  isClosed = false;
  fresh = true;
  tree: readonly Change[] = TREE;

  async open(request: OpenRequest): Promise<EndpointInfo> {
    this.calls.push(['open', request]);
    return INFO;
  }

  async bind(session: string, kind: 'directory' | 'file'): Promise<string> {
    this.calls.push(['bind', session, kind]);
    if (session === '0bad') throw new TidemarkError('locked', 'locked', 'another run', { remedy: 'wait' });
    return 'id:1234';
  }

  async checkpoint(options: CheckpointOptions): Promise<Checkpoint> {
    this.calls.push(['checkpoint', options]);
    return { cursor: 'c1', scanned: 1, hashed: 2, entries: 3, entriesBefore: 4 };
  }

  async changes(since: string | null): Promise<Changes> {
    this.calls.push(['changes', since]);
    return { fresh: this.fresh, batches: batches(this.tree) };
  }

  async lookup(paths: readonly BytePath[]): Promise<readonly Change[]> {
    this.calls.push(['lookup', paths.length]);
    return paths.map((path) => ({ path, entry: file(path.length), identity: null }));
  }

  subtree(path: BytePath): AsyncIterable<readonly Change[]> {
    this.calls.push(['subtree', path]);
    return batches(this.tree.filter((row) => row.path !== ROOT && row.path.startsWith(`${path}/`)));
  }

  async *digest(requests: readonly DigestRequest[]): AsyncGenerator<readonly DigestAnswer[]> {
    for (const { path, strong } of requests) {
      if (path === 'gone') yield [{ path, entry: null, problem: { code: 'changed', message: 'it changed' } }];
      else
        yield [{ path, entry: file(1, strong ? {} : { digests: { fast: 'abcdefgh', strong: null } }), problem: null }];
    }
  }

  async reuseCandidates(sizes: readonly number[]): Promise<readonly ReuseCandidate[]> {
    return sizes.map((sizeBytes) => ({ sizeBytes, path: fromText(`of-${sizeBytes}`), entry: file(sizeBytes) }));
  }

  async *signatures(requests: readonly SignatureRequest[]): AsyncGenerator<readonly SignatureAnswer[]> {
    for (const { id } of [...requests].reverse()) {
      yield [{ id, signature: id === 0 ? null : Buffer.alloc(id * 1000, id) }];
    }
  }

  async *supply(orders: AsyncIterable<readonly SupplyOrder[]>): AsyncGenerator<Buffer> {
    for await (const batch of orders) {
      for (const { id, signature } of batch) yield Buffer.from(`${id}:${signature?.length ?? 'none'}`);
    }
  }

  async *apply(chunks: AsyncIterable<Buffer>, options: ApplyOptions): AsyncGenerator<readonly Outcome[]> {
    this.calls.push(['apply', options]);
    for await (const chunk of chunks) {
      const outcomes: Outcome[] = [];
      for (const record of readRecords(chunk)) {
        if (record.kind !== 'operation') continue;
        const { id } = record.operation;
        outcomes.push({ id, status: 'done', entry: file(), bytes: NO_BYTES });
      }
      yield outcomes;
    }
  }

  async acknowledge(cursor: string): Promise<void> {
    this.calls.push(['acknowledge', cursor]);
  }

  async close(): Promise<void> {
    if (this.isClosed) throw new Error('closed twice');
    this.isClosed = true;
  }

  traffic(): { readonly sent: number; readonly received: number } {
    return { sent: 0, received: 0 };
  }
}

async function* batches(changes: readonly Change[]): AsyncGenerator<readonly Change[]> {
  for (let start = 0; start < changes.length; start += 2) yield changes.slice(start, start + 2);
}
