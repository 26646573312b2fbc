/** A command on another host through a program of the user's choice (`--rsh`), as with rsync's `-e`. */
import { spawn } from 'node:child_process';
import { TidemarkError } from '../platform/core/errors.ts';
import { hostFault, userFault } from './core/endpoint-address.ts';
import { type CommandChannel, type ExitStatus, StreamChannel } from './ssh/command-channel.ts';
import { unavailable } from './ssh/errors.ts';
import type { SshTarget } from './ssh/resolve-config.ts';

/** How the program is run; everything may be left out. */
export interface RshOptions {
  readonly environment?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
}

/**
 * Runs `PROGRAM… [-p port] [-l user] host command`, without a shell; the channel owns the process.
 * What the program asks for (passwords, host keys) it asks on the terminal itself.
 */
export async function openRshChannel(
  commandLine: string,
  target: SshTarget,
  command: string,
  options: RshOptions = {},
): Promise<CommandChannel> {
  const [program, ...words] = splitCommandLine(commandLine);
  if (program === undefined) throw new TidemarkError('usage', 'rsh-empty', '--rsh names no program');
  const fault = hostFault(target.host) ?? (target.user === null ? null : userFault(target.user));
  if (fault !== null) throw new TidemarkError('usage', 'endpoint-address', `${JSON.stringify(target.host)}: ${fault}`);
  if (target.port !== null) words.push('-p', String(target.port));
  if (target.user !== null) words.push('-l', target.user);
  words.push(target.host, command);
  return await start(program, words, options);
}

/**
 * The words of a command line: single quotes, double quotes and backslashes as in a shell; nothing else is special.
 * Throws a `usage` error where a quote is not closed.
 */
export function splitCommandLine(line: string): string[] {
  const words: string[] = [];
  const token = /\s+|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\]+)/gy;
  let word: string | null = null;
  let at = 0;
  while (at < line.length) {
    token.lastIndex = at;
    const match = token.exec(line);
    if (match === null)
      throw new TidemarkError('usage', 'rsh-quotes', `--rsh: a quote is not closed in ${JSON.stringify(line)}`);
    at = token.lastIndex;
    const [, single, double, escaped, plain] = match;
    const part = single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? plain;
    if (part !== undefined) word = (word ?? '') + part;
    else if (word !== null) {
      words.push(word);
      word = null;
    }
  }
  return word === null ? words : [...words, word];
}

/** After its input has ended the program gets this long to finish, and as long again after being asked to end. */
const GRACE_MS = 2_000;

function start(program: string, words: readonly string[], options: RshOptions): Promise<CommandChannel> {
  const { signal } = options;
  if (signal?.aborted) throw new TidemarkError('interrupted', 'interrupted', 'interrupted while connecting');
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'pipe'], env: options.environment ?? process.env });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      reject(unavailable('rsh-failed', `${program} cannot be run: ${error.message}`, 'Check --rsh.', error));
    });
    child.once('spawn', () => {
      const exited = new Promise<ExitStatus>((onExit) =>
        child.once('close', (code, by) => onExit({ code, signal: by })),
      );
      const close = async () => {
        child.stdin.end();
        const timers = [
          setTimeout(() => child.kill('SIGTERM'), GRACE_MS),
          setTimeout(() => child.kill('SIGKILL'), 2 * GRACE_MS),
        ];
        // Unread output would keep the streams, and so the process object, from closing.
        child.stdout.resume();
        await exited;
        for (const timer of timers) clearTimeout(timer);
      };
      resolve(
        new StreamChannel({
          input: child.stdin,
          output: child.stdout,
          errors: child.stderr,
          carrier: null,
          exited,
          close,
        }),
      );
    });
  });
}
