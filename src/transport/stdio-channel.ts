/** The standard streams of this process as a byte channel: what the agent speaks through. */
import { fstatSync } from 'node:fs';
import type { ByteChannel } from './byte-channel.ts';
import { reusedInput } from './reused-input.ts';

const STDIN = 0;

/** Takes over stdin and stdout. Nothing else may write to stdout afterwards. */
export function stdioChannel(): ByteChannel {
  const { stdout } = process;
  const input = isPipe(STDIN) ? reusedInput(STDIN) : null;
  let broken: Error | null = null;
  stdout.on('error', (error) => {
    broken = error;
  });
  return {
    incoming: input ?? (process.stdin as AsyncIterable<Buffer>),
    write(bytes, released) {
      if (broken !== null) return Promise.reject(broken);
      return new Promise((resolve, reject) => {
        stdout.write(bytes, (error) => {
          if (error) reject(error);
          else {
            released?.();
            resolve();
          }
        });
      });
    },
    diagnostics: () => '',
    async close() {
      if (input === null) process.stdin.destroy();
      else input.close();
    },
  };
}

/** True for what a server or another process gives as standard input; a terminal or a file is left to Node. */
function isPipe(fd: number): boolean {
  const found = fstatSync(fd);
  return found.isFIFO() || found.isSocket();
}
