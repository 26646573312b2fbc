/** Reading configuration files for the ssh_config parser. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { matchesWildcard } from '../core/known-hosts.ts';
import type { ConfigText } from '../core/ssh-config.ts';

/** Largest configuration or known_hosts file read: a bound, far above real ones. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** Files one Include pattern may name. */
const MAX_INCLUDED_FILES = 1000;

/** The text of a file; null where it does not exist, cannot be read, or is no plain file of sensible size. */
export function readConfigFile(file: string): ConfigText | null {
  try {
    const facts = statSync(file);
    if (!facts.isFile() || facts.size > MAX_FILE_BYTES) return null;
    return { file, text: readFileSync(file, 'utf8') };
  } catch {
    return null;
  }
}

/**
 * The files an Include pattern names, in byte order.
 * A relative pattern counts from the user's ~/.ssh, in a system file from that file's directory, as with ssh.
 */
export function includeFiles(pattern: string, from: string, home: string): ConfigText[] {
  const expanded = pattern.startsWith('~/') ? join(home, pattern.slice(2)) : pattern;
  const base = from.startsWith('/etc/ssh/') ? dirname(from) : join(home, '.ssh');
  const absolute = isAbsolute(expanded) ? expanded : join(base, expanded);
  let found = ['/'];
  for (const component of absolute.split('/').filter((part) => part !== '')) {
    found = found.flatMap((directory) => step(directory, component)).slice(0, MAX_INCLUDED_FILES);
  }
  return found.map(readConfigFile).filter((file) => file !== null);
}

function step(directory: string, component: string): string[] {
  if (!/[*?]/.test(component)) return [join(directory, component)];
  try {
    const names = readdirSync(directory).filter((name) => !name.startsWith('.') && matchesWildcard(component, name));
    return names.sort().map((name) => join(directory, name));
  } catch {
    return [];
  }
}
