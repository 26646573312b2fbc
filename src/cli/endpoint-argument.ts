import { toBuffer } from '../platform/core/byte-path.ts';
import { type EndpointAddress, parseEndpointAddress } from '../transport/core/endpoint-address.ts';
import { usageError } from './usage.ts';

/**
 * An endpoint from its argument, a byte string. A local path need not be UTF-8; in a remote one other bytes are to be
 * percent-encoded, since `user@host:` shares the argument with them.
 * @throws TidemarkError `usage`.
 */
export function endpointArgument(bytes: string): EndpointAddress {
  const text = toBuffer(bytes).toString('utf8');
  const address = parseEndpointAddress(text);
  if (Buffer.from(text, 'utf8').toString('latin1') === bytes) return address;
  if (address.kind === 'local') return { kind: 'local', path: bytes };
  throw usageError(
    'endpoint-address',
    'a remote path that is not UTF-8 has to be percent-encoded',
    'Write ssh://[user@]host/path with %ff for the byte ff.',
  );
}
