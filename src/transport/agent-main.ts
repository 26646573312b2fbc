/**
 * The remote half: `tidemark agent serve`, and the entry of the one-file agent that travels to other hosts. Speaks the
 * protocol on its standard streams until the other side hangs up.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { toBuffer } from '../platform/core/byte-path.ts';
import { isThread } from '../platform/threads.ts';
import { LocalEndpoint } from '../sync/local/local-endpoint.ts';
import '../sync/worker.ts';
import { VERSION } from '../platform/version.ts';
import { openConnection } from './connection.ts';
import { METHODS } from './core/methods.ts';
import { serveEndpoint } from './endpoint-server.ts';
import { stdioChannel } from './stdio-channel.ts';

/** Serves one endpoint on stdin and stdout. Resolves when the other side is gone and the endpoint is closed. */
export async function serveAgent(): Promise<void> {
  // The terminal's Ctrl-C reaches every process of the foreground group; the other side decides when we end.
  process.on('SIGINT', () => {});
  const connection = await openConnection(stdioChannel(), { role: 'server', program: VERSION, methods: METHODS });
  await serveEndpoint(
    connection,
    (root) => new LocalEndpoint({ path: absolutePath(root), stateFolder: stateFolder(), version: VERSION }),
  );
}

/** A root that is not absolute is relative to the home directory, as with scp. */
function absolutePath(root: string): Buffer {
  if (root.startsWith('/')) return toBuffer(root);
  return Buffer.concat([Buffer.from(`${homedir()}/`), toBuffer(root)]);
}

/** The same folders as the program's own (see the command line's documentation). */
function stateFolder(): string {
  const own = process.env.TIDEMARK_HOME;
  if (own?.startsWith('/')) return join(own, 'state');
  const state = process.env.XDG_STATE_HOME;
  return join(state?.startsWith('/') ? state : join(homedir(), '.local', 'state'), 'tidemark');
}

// The one-file agent is also the module of its threads; worker.ts serves those.
if ((globalThis as { tidemarkAgent?: unknown }).tidemarkAgent !== undefined && !isThread()) {
  await serveAgent();
  process.exit(0);
}
