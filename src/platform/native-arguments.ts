/** How values cross between JavaScript and the addon. */
import type { LeaseState } from './filesystem.ts';
import { systemError } from './system-error.ts';

const LEASES: readonly LeaseState[] = ['held', 'refused', 'unsupported'];

/** Matches nothing in a byte string; V8 knows that without looking at each byte. */
const WIDE = /[^\0-\xff]/;

export function leaseState(number: number | undefined): LeaseState {
  return LEASES[number ?? 2] ?? 'unsupported';
}

/** The addon takes the low byte of each code unit: a wide one would name something else. */
export function narrow(bytes: string): string {
  if (WIDE.test(bytes)) throw systemError('EINVAL', 'name');
  return bytes;
}

/** Names joined by NUL, as the calls for many take them. */
export function joined(names: readonly string[], call: string): string {
  for (const name of names) if (name.includes('\0')) throw systemError('EINVAL', call);
  return narrow(names.join('\0'));
}
