/**
 * Hints from chokidar (npm chokidar: watching on systems that have no fanotify): that something changed somewhere.
 *
 * Nothing more can be believed. Node's own watcher drops the kernel's notice that events were lost, and everything on
 * top of it loses them silently. So a hint only says that now would be a good time to look at the whole tree; and since
 * hints may be missing, one is made up every {@link VERIFYING_MS}.
 */

/** How long a change may go unnoticed by those who wait for hints. */
const VERIFYING_MS = 60_000;

export interface Hints {
  close(): Promise<void>;
}

/**
 * Watches everything below `rootPath` but for `excluded` (both absolute); calls `onHint` for whatever happens. Takes a
 * watch of the kernel, and some kilobytes, for each file.
 */
export async function watchForHints(rootPath: string, excluded: readonly string[], onHint: () => void): Promise<Hints> {
  const { watch } = await import('chokidar');
  const watcher = watch(rootPath, {
    ignored: [...excluded],
    ignoreInitial: true,
    followSymlinks: false,
    ignorePermissionErrors: true,
    alwaysStat: false,
  });
  watcher.on('all', onHint);
  // Out of watches, for one: what it cannot see is found by the next look.
  watcher.on('error', onHint);
  await new Promise<void>((resolve) => watcher.once('ready', resolve));
  const timer = setInterval(onHint, VERIFYING_MS);
  timer.unref();
  return {
    async close() {
      clearInterval(timer);
      await watcher.close();
    },
  };
}
