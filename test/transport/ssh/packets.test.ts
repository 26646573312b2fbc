/** Packets in reused memory: nothing is lost or mixed up, whatever the sizes, also while keys are exchanged anew. */
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openSshChannel } from '../../../src/transport/ssh/client.ts';
import { startSshd, whyNoSshd } from '../../support/sshd.ts';

const missing = whyNoSshd();
const reason = missing === null ? '' : ` (${missing})`;

describe.skipIf(missing !== null)(`packets to a real sshd${reason}`, () => {
  it.each(['aes128-gcm@openssh.com', 'chacha20-poly1305@openssh.com'])(
    'arrive as they were sent: %s',
    async (cipher) => {
      const limited = await startSshd({ configuration: ['RekeyLimit 1M', `Ciphers ${cipher}`] });
      try {
        const target = { host: limited.host, user: null, port: limited.port };
        const channel = await openSshChannel(target, 'sha256sum', { configFile: limited.configFile });
        const hash = createHash('sha256');
        const shared = Buffer.from(new SharedArrayBuffer(300_000));
        let released = 0;
        let sent = 0;
        for (const length of lengths()) {
          const bytes = length % 2 === 0 ? shared.subarray(0, length) : Buffer.alloc(length);
          randomBytes(length).copy(bytes);
          hash.update(bytes);
          sent++;
          // The shared memory is changed as soon as it may be.
          await new Promise<void>((resolve, reject) => {
            channel
              .write(bytes, () => {
                released++;
                resolve();
              })
              .catch(reject);
          });
        }
        channel.endInput();
        let answer = '';
        for await (const chunk of channel.incoming) answer += chunk.toString();
        expect(answer).toBe(`${hash.digest('hex')}  -\n`);
        expect(released).toBe(sent);
        await channel.close();
      } finally {
        await limited.stop();
      }
    },
  );
});

/** Around every boundary there is: of cipher blocks, of packets, of slabs; some eight megabytes together. */
function* lengths(): Generator<number> {
  for (let length = 1; length <= 64; length++) yield length;
  for (const around of [32_768, 65_536, 299_000]) for (let by = -20; by <= 5; by++) yield around + by;
}
