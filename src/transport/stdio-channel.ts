/** The standard streams of this process as a byte channel: what the agent speaks through. */
import type { ByteChannel } from './byte-channel.ts';

/** Takes over stdin and stdout. Nothing else may write to stdout afterwards. */
export function stdioChannel(): ByteChannel {
  const { stdin, stdout } = process;
  let broken: Error | null = null;
  stdout.on('error', (error) => {
    broken = error;
  });
  return {
    incoming: stdin as AsyncIterable<Buffer>,
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
      stdin.destroy();
    },
  };
}
