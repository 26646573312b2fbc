/** The file systems under test, and a tree to test them on. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { type Addon, addonPath, loadAddonFrom } from '../../src/platform/addon.ts';
import type { BytePath } from '../../src/platform/core/byte-path.ts';
import type { Fd, FileSystem } from '../../src/platform/filesystem.ts';
import { nativeFileSystem } from '../../src/platform/native-filesystem.ts';
import { portableFileSystem } from '../../src/platform/portable-filesystem.ts';
import { checkedPlaces, descriptorPlaces } from '../../src/platform/portable-places.ts';

export interface Implementation {
  readonly name: string;
  readonly fileSystem: FileSystem;
  /** Steps through descriptors: paths of any length, no race with symlinks. */
  readonly holdsDescriptors: boolean;
  /** Has openat2, renameat2, statx, fchmodat2: can exchange. */
  readonly hasNewCalls: boolean;
}

export interface Tree {
  readonly directory: string;
  readonly root: Fd;
}

const NATIVE_SOURCES = join(import.meta.dirname, '../../src/platform/native');
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/tidemark');

const OLD_KERNEL_PATH = compileForOldKernel();

/** The addon that behaves as on an old kernel; null where there is no compiler. */
export const OLD_KERNEL_ADDON: Addon | null = OLD_KERNEL_PATH === null ? null : loadAddonFrom(OLD_KERNEL_PATH).addon;

/** Native as built, native without newer system calls, portable, portable as on other systems. */
export const IMPLEMENTATIONS: readonly Implementation[] = [
  ...nativeImplementation('native', addonPath(), true),
  ...nativeImplementation('native, old kernel', OLD_KERNEL_PATH, false),
  ...(process.platform === 'linux'
    ? [
        {
          name: 'portable',
          fileSystem: portableFileSystem(descriptorPlaces()),
          holdsDescriptors: true,
          hasNewCalls: false,
        },
      ]
    : []),
  {
    name: 'portable, checked',
    fileSystem: portableFileSystem(checkedPlaces()),
    holdsDescriptors: false,
    hasNewCalls: false,
  },
];

export const NATIVE = IMPLEMENTATIONS.filter(({ fileSystem }) => fileSystem.kind === 'native');

/** A byte path from text, for tests. */
export function at(text: string): BytePath {
  return text as BytePath;
}

/** The code of what `act` throws, or null. */
export function codeOf(act: () => unknown): string | null {
  try {
    act();
    return null;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** Call inside `describe`: a function that makes fresh trees, removed after each test. */
export function treeMaker(fileSystem: FileSystem): () => Tree {
  const made: Tree[] = [];
  afterEach(() => {
    for (const { directory, root } of made.splice(0)) {
      fileSystem.close(root);
      // Trees of great depth have paths that node:fs cannot name.
      spawnSync('rm', ['-rf', '--', directory]);
    }
  });
  return () => {
    const directory = fs.mkdtempSync(join(tmpdir(), 'tidemark-platform-'));
    const tree = { directory, root: fileSystem.openRoot(directory) };
    made.push(tree);
    return tree;
  };
}

function nativeImplementation(name: string, path: string | null, isNew: boolean): Implementation[] {
  const { addon } = path === null ? { addon: null } : loadAddonFrom(path);
  return addon === null
    ? []
    : [{ name, fileSystem: nativeFileSystem(addon), holdsDescriptors: true, hasNewCalls: isNew }];
}

/** Compiled once for each state of the sources; null where there is no compiler. */
function compileForOldKernel(): string | null {
  if (process.platform !== 'linux') return null;
  const hash = createHash('sha256');
  for (const name of fs.readdirSync(NATIVE_SOURCES).sort()) hash.update(fs.readFileSync(join(NATIVE_SOURCES, name)));
  const path = join(CACHE, `old-kernel-${process.arch}-${hash.digest('hex').slice(0, 16)}.node`);
  if (fs.existsSync(path)) return path;
  fs.mkdirSync(CACHE, { recursive: true });
  const { include_dir: headers } = createRequire(import.meta.url)('node-api-headers');
  const sources = fs.readdirSync(NATIVE_SOURCES).filter((name) => name.endsWith('.c'));
  const fresh = `${path}.${process.pid}`;
  const flags = ['-O1', '-fPIC', '-shared', '-pthread', '-std=gnu11', '-DNAPI_VERSION=9', '-DTIDEMARK_OLD_KERNEL'];
  const files = sources.map((name) => join(NATIVE_SOURCES, name));
  const result = spawnSync('cc', [...flags, `-I${headers}`, ...files, '-o', fresh]);
  if (result.status !== 0) return null;
  fs.renameSync(fresh, path);
  return path;
}
