/**
 * The module a journal's thread runs: beside the running bundle, or the built one where the sources run directly (tests;
 * Node 20 cannot run TypeScript).
 */
import { existsSync } from 'node:fs';

export function journalThreadEntry(): URL {
  const beside = new URL('./journal-worker.js', import.meta.url);
  if (!import.meta.url.endsWith('.ts') && existsSync(beside)) return beside;
  return new URL('../../dist/journal-worker.js', import.meta.url);
}
