/** The algorithms offered to a server: the safe ones of what ssh2 has, the fastest first. */
import type { Algorithms, ServerHostKeyAlgorithm } from 'ssh2';

/** No SHA-1 (ssh-rsa), no DSA. */
const HOST_KEYS: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

/**
 * The offer for a host with the key types `known` in known_hosts: those first, so that a server with several keys
 * shows the one we can check.
 */
export function algorithmsFor(known: ReadonlySet<string>): Algorithms {
  const isKnown = (algorithm: string) => known.has(algorithm.startsWith('rsa-sha2-') ? 'ssh-rsa' : algorithm);
  const serverHostKey = [...HOST_KEYS.filter(isKnown), ...HOST_KEYS.filter((algorithm) => !isKnown(algorithm))];
  return {
    kex: [
      'curve25519-sha256',
      'curve25519-sha256@libssh.org',
      'ecdh-sha2-nistp256',
      'ecdh-sha2-nistp384',
      'ecdh-sha2-nistp521',
      'diffie-hellman-group-exchange-sha256',
      'diffie-hellman-group16-sha512',
      'diffie-hellman-group18-sha512',
      'diffie-hellman-group14-sha256',
    ],
    serverHostKey,
    // AES-GCM runs in node:crypto with the processor's AES; 128 bits measured fastest. No CBC.
    cipher: [
      'aes128-gcm@openssh.com',
      'aes256-gcm@openssh.com',
      'chacha20-poly1305@openssh.com',
      'aes128-ctr',
      'aes256-ctr',
    ],
    hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
    // Frames are compressed by our own protocol; zlib of a peer would have no size limit.
    compress: ['none'],
  };
}
