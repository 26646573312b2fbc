// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are placeholders of the shell, not of ours
/**
 * The one command that starts the agent on another host, and what it says while it does.
 *
 * The command reaches whatever login shell the user has there, so it is a single line that any of them passes on
 * unchanged: one single-quoted word for `sh`, without single quotes, backslashes and exclamation marks inside. It holds
 * nothing but our own text and the digest of the agent.
 */
import { deflateRawSync } from 'node:zlib';
import { BOOTSTRAP_SCRIPT } from './bootstrap-script.ts';

/** What the other side says before the agent speaks for itself; each is one line with {@link BOOTSTRAP_PREFIX}. */
export type BootstrapStatus =
  /** The agent is not installed there and should be sent. */
  | {
      readonly kind: 'need';
      readonly nodeVersion: string;
      readonly platform: string;
      readonly arch: string;
      readonly libc: string;
    }
  /** No fitting Node.js; `found` lists those that do not fit. */
  | { readonly kind: 'no-node'; readonly found: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** How a status line begins, whatever a chatty shell printed before it. */
export const BOOTSTRAP_PREFIX = 'tidemark-bootstrap ';

/** Longest status line. */
export const MAX_STATUS_BYTES = 4096;

/** Where Node.js is looked for when the one on PATH does not fit: non-interactive shells often have a short PATH. */
export const NODE_PLACES: readonly string[] = [
  '/usr/local/bin/node',
  '/usr/bin/node',
  '/opt/*/bin/node',
  '/opt/homebrew/bin/node',
  '/usr/local/lib/nodejs/*/bin/node',
  '/snap/bin/node',
  '$HOME/.local/bin/node',
  '$HOME/bin/node',
  '$HOME/.nvm/versions/node/*/bin/node',
  '$HOME/.volta/bin/node',
  '$HOME/.local/share/fnm/node-versions/*/installation/bin/node',
  '$HOME/.local/share/mise/installs/node/*/bin/node',
  '$HOME/.asdf/installs/nodejs/*/bin/node',
  '$HOME/n/bin/node',
];

/**
 * The command for the agent with `digest` (64 hexadecimal digits): starts the bootstrap, which runs the agent where it
 * is installed and whole, and receives it where it is not; without Node.js, a `tidemark` on the PATH; else says what was
 * found.
 * `places` is for tests.
 */
export function agentCommand(digest: string, places: readonly string[] = NODE_PLACES): string {
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new Error(`not a digest: ${digest}`);
  const script = [
    'd="${TIDEMARK_HOME:-${XDG_STATE_HOME:-$HOME/.local/state}/tidemark}/agents"',
    'case "$d" in /*) ;; *) d="$HOME/.local/state/tidemark/agents";; esac',
    `a="$d/${digest}"`,
    'f=',
    'n=',
    // Unmatched patterns stay as they are and are no executable files. A failing test of a version is no fit.
    `for c in "$(command -v node 2>/dev/null)" ${places.map(quotePlace).join(' ')}; do ` +
      '[ -f "$c" ] && [ -x "$c" ] || continue; ' +
      'v=$("$c" -v 2>/dev/null </dev/null) || continue; ' +
      'x="${v#v}"; y="${x#*.}"; ' +
      'if [ "${x%%.*}" -gt 20 ] 2>/dev/null || { [ "${x%%.*}" -eq 20 ] && [ "${y%%.*}" -ge 19 ]; } 2>/dev/null; ' +
      'then n="$c"; break; fi; f="$f $c $v"; done',
    // The mark of the last use decides which versions are kept; it is not worth failing for.
    'if [ -n "$n" ]; then { [ -f "$a/agent.js" ] && true >"$a/used"; } 2>/dev/null; exec "$n" -e ' +
      '"eval(require(/zlib/.source).inflateRawSync(Buffer.from(process.argv[1],/base64/.source)).toString())" ' +
      `${deflateRawSync(BOOTSTRAP_SCRIPT, { level: 9 }).toString('base64')} ${digest} "$d"; fi`,
    'if command -v tidemark >/dev/null 2>&1; then exec tidemark agent serve; fi',
    `echo "${BOOTSTRAP_PREFIX}no-node$f"`,
  ].join('; ');
  return `exec sh -c '${script}'`;
}

/** Reads a status line without its prefix; null where it is none of ours. */
export function parseBootstrapStatus(line: string): BootstrapStatus | null {
  const [word = '', ...rest] = line.trim().split(' ');
  if (word === 'no-node') return { kind: 'no-node', found: rest.join(' ') };
  if (word === 'failed') return { kind: 'failed', reason: rest.join(' ') };
  const [nodeVersion, platform, arch, libc] = rest;
  if (word !== 'need' || !nodeVersion || !platform || !arch || !libc) return null;
  return { kind: 'need', nodeVersion, platform, arch, libc };
}

/** Everything but the wildcard in double quotes, so that a home with a space in it works. */
function quotePlace(place: string): string {
  return place
    .split('*')
    .map((part) => `"${part}"`)
    .join('*');
}
