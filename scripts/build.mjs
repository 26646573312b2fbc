// Builds dist/: the native addon with the system's C compiler, and the bundles with esbuild.
// Runs in `prepare`, offline. Without a C compiler the program still works, with fewer promises (`tidemark doctor`).
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const require = createRequire(import.meta.url);

/** The one-file agent is its own worker module and finds its bindings beside itself. The flags: see bin/tidemark.js. */
const AGENT_PRELUDE = [
  "const __file=__createRequire('/')('node:url').fileURLToPath(import.meta.url);",
  "globalThis.tidemarkAgent={file:import.meta.url,folder:__createRequire('/')('node:path').dirname(__file)};",
  "for(const flag of ['--semi-space-growth-factor=16','--heap-growing-percent=100'])",
  "__createRequire('/')('node:v8').setFlagsFromString(flag);",
].join('');

mkdirSync(dist, { recursive: true });
buildAddon();
copyStoreAddon();
await buildBundles();

function buildAddon() {
  if (process.platform !== 'linux') return;
  const { include_dir: headers } = require('node-api-headers');
  const folder = join(root, 'src/platform/native');
  const sources = readdirSync(folder).filter((name) => name.endsWith('.c'));
  const compiler = process.env.CC ?? 'cc';
  const flags = [
    '-O2',
    '-fPIC',
    '-shared',
    '-pthread',
    '-std=gnu11',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-fvisibility=hidden',
  ];
  // Programs that run now keep the file they have mapped; the new one takes its name in one step.
  const fresh = join(dist, `tidemark.node.${process.pid}`);
  const result = spawnSync(
    compiler,
    [...flags, '-DNAPI_VERSION=9', `-I${headers}`, ...sources.map((name) => join(folder, name)), '-o', fresh],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (result.error) console.error(`tidemark: no C compiler (${compiler}); built without the native addon`);
  else if (result.status !== 0) process.exit(result.status ?? 1);
  else renameSync(fresh, join(dist, 'tidemark.node'));
}

/** The store's own prebuilt binding, put beside the agent bundle because the agent travels to hosts without node_modules. */
function copyStoreAddon() {
  const name = `@lmdb/lmdb-${process.platform}-${process.arch}`;
  let folder;
  try {
    folder = dirname(require.resolve(`${name}/package.json`, { paths: [dirname(require.resolve('lmdb'))] }));
  } catch {
    console.error(`tidemark: ${name} is not installed; the agent cannot be sent to other hosts from here`);
    return;
  }
  const glibc = Boolean(process.report.getReport().header.glibcVersionRuntime);
  const binding = join(
    folder,
    process.platform === 'linux' ? `node.napi.${glibc ? 'glibc' : 'musl'}.node` : 'node.napi.node',
  );
  if (existsSync(binding)) copyFileSync(binding, join(dist, 'lmdb.node'));
}

async function buildBundles() {
  const { build } = await import('esbuild');
  const shared = {
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    logLevel: 'warning',
    legalComments: 'none',
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);",
    },
  };
  const entry = (path) => join(root, 'src', path);
  const program = await build({
    ...shared,
    metafile: true,
    entryPoints: {
      cli: entry('cli/main.ts'),
      worker: entry('sync/worker.ts'),
      'journal-worker': entry('journal/worker.ts'),
      'daemon-worker': entry('daemon/worker-main.ts'),
    },
    outdir: dist,
    splitting: true,
    chunkNames: 'chunk-[hash]',
    packages: 'external',
  });
  await build({
    ...shared,
    banner: { js: `${shared.banner.js}${AGENT_PRELUDE}` },
    entryPoints: { agent: entry('transport/agent-main.ts') },
    outdir: dist,
    minify: true,
    plugins: [storeBindingBesideBundle()],
  });
  // Last, so that a program that runs meanwhile still finds its chunks: what earlier builds left.
  const current = new Set(['agent.js', ...Object.keys(program.metafile.outputs).map((path) => basename(path))]);
  for (const name of readdirSync(dist)) if (name.endsWith('.js') && !current.has(name)) rmSync(join(dist, name));
}

/** lmdb finds its binding by walking node_modules; in the one-file agent it lies beside the bundle instead. */
function storeBindingBesideBundle() {
  const contents = {
    'node-gyp-build-optional-packages':
      "module.exports = () => require(globalThis.tidemarkAgent.folder + '/lmdb.node');",
    // msgpackr does without its accelerator, which would be one more binding to carry along.
    'msgpackr-extract': "throw new Error('not bundled');",
  };
  return {
    name: 'store-binding-beside-bundle',
    setup(build) {
      const filter = /^(node-gyp-build-optional-packages|msgpackr-extract)$/;
      build.onResolve({ filter }, ({ path }) => ({ path, namespace: 'beside-bundle' }));
      build.onLoad({ filter: /.*/, namespace: 'beside-bundle' }, ({ path }) => ({
        contents: contents[path],
        loader: 'js',
      }));
    },
  };
}
