/** A dry run sees what its real run will: also a root directory that is still to be made. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Entry } from '../../../src/journal/core/entry.ts';
import type { CheckpointOptions } from '../../../src/journal/core/look.ts';
import { type BytePath, ROOT } from '../../../src/platform/core/byte-path.ts';
import type { OpenRequest } from '../../../src/sync/endpoint.ts';
import { LocalEndpoint } from '../../../src/sync/local/local-endpoint.ts';
import { temporaryFolder } from '../../support/tidemark.ts';

const OPTIONS: CheckpointOptions = {
  ignore: { patterns: [], file: '.tidemarkignore', gitignore: false, vcs: false },
  metadata: { perms: true, times: true, setid: false, owner: false, xattrs: false, acls: false, hardLinks: false },
  digest: 'xxh64',
  symlinks: 'posix-raw',
  oneFileSystem: false,
  rehash: false,
};

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.dispose());

test('a missing root is an empty directory, and stays missing', async () => {
  const dry = await look({ session: '', dryRun: true, writable: true }, 'directory');
  expect(existsSync(join(folder.path, 'root'))).toBe(false);
  const real = await look({ session: '', dryRun: false, writable: true }, 'directory');
  expect(dry).toEqual(real);
  expect(dry).toEqual(new Map([[ROOT, { kind: 'directory', mode: 0o777 & ~process.umask() }]]));
});

test('where it would not be made, it is missing', async () => {
  expect(await look({ session: '', dryRun: true, writable: false }, 'directory')).toEqual(new Map());
  expect(await look({ session: '', dryRun: true, writable: true }, 'file')).toEqual(new Map());
});

test('a root that is there is as it is', async () => {
  mkdirSync(join(folder.path, 'root'), { mode: 0o711 });
  writeFileSync(join(folder.path, 'root/a'), 'x');
  const found = await look({ session: '', dryRun: true, writable: true }, 'directory');
  expect(found.get(ROOT)).toEqual({ kind: 'directory', mode: 0o711 });
  expect([...found.keys()]).toEqual(['', 'a']);
});

async function look(request: OpenRequest, kind: 'directory' | 'file'): Promise<Map<BytePath, Entry | null>> {
  const endpoint = new LocalEndpoint({
    path: Buffer.from(join(folder.path, 'root')),
    stateFolder: join(folder.path, 'state'),
    version: '0',
  });
  try {
    await endpoint.open(request);
    await endpoint.bind('', kind);
    await endpoint.checkpoint(OPTIONS);
    const found = new Map<BytePath, Entry | null>();
    for await (const batch of (await endpoint.changes(null)).batches) {
      for (const { path, entry } of batch) found.set(path, entry);
    }
    return found;
  } finally {
    await endpoint.close();
  }
}
