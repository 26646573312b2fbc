/** Recognises this host from inside two processes of it. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** Where a running kernel, or an installed system, says who it is. The boot id first: clones of a machine share the other. */
const SOURCES = ['/proc/sys/kernel/random/boot_id', '/etc/machine-id'];

let known: string | null = null;

/** The same for all processes on one running host, in containers of it too; different on all others. */
export function hostKey(): string {
  known ??= find();
  return known;
}

function find(): string {
  for (const source of SOURCES) {
    try {
      const key = readFileSync(source, 'latin1').trim();
      if (/^[0-9a-f-]{32,64}$/.test(key)) return key;
    } catch {
      // Not on this platform: the next one.
    }
  }
  return `name-${hostname()}`;
}
