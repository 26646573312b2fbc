/** Bundles a script of tests for child processes and worker threads, which know neither TypeScript nor vitest. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** Builds `source` (TypeScript, importing from the repository's `src/…`) into `folder`; path of the module. */
export async function bundle(source: string, folder: string): Promise<string> {
  const outfile = join(folder, 'script.mjs');
  const require = createRequire(import.meta.url);
  await build({
    stdin: { contents: source, resolveDir: join(import.meta.dirname, '../../..'), loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    plugins: [
      {
        name: 'store-by-absolute-path',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^lmdb$/ }, () => ({
            path: pathToFileURL(require.resolve('lmdb')).href,
            external: true,
          })),
      },
    ],
  });
  return outfile;
}
