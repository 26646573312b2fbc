/** The program and its worker, built around the fake host of journals: everything real but the journals themselves. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const PROJECT = join(import.meta.dirname, '../..');

const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);";

export interface FakeProgram {
  readonly folder: string;
  /** To be run with Node. */
  readonly script: string;
  readonly worker: string;
  dispose(): void;
}

export async function buildFakeProgram(): Promise<FakeProgram> {
  const folder = mkdtempSync(join(PROJECT, 'dist/fake-program-'));
  await build({
    entryPoints: { 'daemon-worker': join(PROJECT, 'src/daemon/worker-main.ts'), program: join(folder, 'entry.ts') },
    outdir: folder,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    banner: { js: REQUIRE },
    logLevel: 'error',
    plugins: [
      {
        name: 'fake-host',
        setup(builder) {
          builder.onResolve({ filter: /entry\.ts$/ }, ({ path }) => ({ path, namespace: 'entry' }));
          builder.onLoad({ filter: /.*/, namespace: 'entry' }, () => ({
            contents: "import { main } from './main.ts'; process.exit(await main());",
            resolveDir: join(PROJECT, 'src/cli'),
            loader: 'ts',
          }));
          builder.onLoad({ filter: /src\/journal\/host\.ts$/ }, () => ({
            contents: `export { FakeHost as JournalHost } from '${join(PROJECT, 'test/daemon/fake-journal.ts')}';`,
            resolveDir: PROJECT,
            loader: 'ts',
          }));
        },
      },
    ],
  });
  // The addon lies beside the bundle; where there is none the link leads nowhere, which is the same.
  symlinkSync('../tidemark.node', join(folder, 'tidemark.node'));
  return {
    folder,
    script: join(folder, 'program.js'),
    worker: join(folder, 'daemon-worker.js'),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** What happened to the hosts of a state folder, line by line. */
export function hostLog(stateFolder: string): string[] {
  try {
    return readFileSync(join(stateFolder, 'fake-host.log'), 'utf8').trimEnd().split('\n');
  } catch {
    return [];
  }
}
