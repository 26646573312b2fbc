/** File systems mounted below a root: events of each need a mark of its own. */
import { readFileSync } from 'node:fs';
import type { BytePath } from '../platform/core/byte-path.ts';
import { parseMounts } from './core/mounts.ts';

/** Paths relative to `rootPath` (absolute, a byte string) on which something is mounted, in path order. Linux only. */
export function submountsOf(rootPath: string): BytePath[] {
  const top = rootPath === '/' ? '' : rootPath;
  const points = parseMounts(mountTable()).map(({ point }) => point);
  const below = points.filter((point) => point.startsWith(`${top}/`) && point.length > top.length + 1);
  return [...new Set(below)].sort().map((point) => point.slice(top.length + 1) as BytePath);
}

function mountTable(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'latin1');
  } catch {
    return '';
  }
}
