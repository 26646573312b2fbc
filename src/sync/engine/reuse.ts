/**
 * Content the receiver already has under another name is copied there instead of sent.
 *
 * Candidates are found by size; equality is decided by SHA-256, computed now on both sides, because here it lets content
 * be taken from another path.
 */

import { REUSE_MIN_BYTES } from '../../journal/core/limits.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { Operation, PutOperation } from '../core/operation.ts';
import type { Endpoint } from '../endpoint.ts';
import { digestAll } from './digests.ts';
import type { Step } from './plan.ts';

/** The operations, those whose content the target has elsewhere turned into copies. */
export async function preferReuse(
  operations: readonly Operation[],
  steps: readonly Step[],
  target: Endpoint,
  source: Endpoint,
): Promise<readonly Operation[]> {
  const wanted = operations.filter((operation, index) => isCandidate(operation, steps[index]));
  if (wanted.length === 0) return operations;
  const sizes = new Set(wanted.map(sizeOf));
  const found = await target.reuseCandidates([...sizes]);
  if (found.length === 0) return operations;
  // An old version of the same file is no candidate: that is what deltas are for.
  const matchable = wanted.filter((operation) =>
    found.some(({ sizeBytes, path }) => sizeBytes === sizeOf(operation) && path !== operation.path),
  );
  if (matchable.length === 0) return operations;
  const askedSizes = new Set(matchable.map(sizeOf));
  const candidates = found.filter(({ sizeBytes }) => askedSizes.has(sizeBytes));
  const [here, there] = await Promise.all([
    digestAll(
      source,
      matchable.map(({ path }) => ({ path, strong: true })),
    ),
    digestAll(
      target,
      candidates.map(({ path }) => ({ path, strong: true })),
    ),
  ]);
  const byDigest = new Map<string, BytePath>();
  for (const { path, entry } of there.values()) {
    if (entry?.digests.strong != null) byDigest.set(entry.digests.strong, path);
  }
  return operations.map((operation) => {
    const digests = here.get(operation.path)?.entry?.digests;
    const copyFrom = digests?.strong == null ? undefined : byDigest.get(digests.strong);
    if (copyFrom === undefined || !isFilePut(operation) || copyFrom === operation.path) return operation;
    const after = { ...operation.after, digests: digests ?? operation.after.digests };
    return { ...operation, after, content: 'copy', copyFrom } satisfies PutOperation;
  });
}

type FilePut = PutOperation & { readonly after: { readonly kind: 'file' } };

function isFilePut(operation: Operation): operation is FilePut {
  return operation.kind === 'put' && operation.after.kind === 'file';
}

function isCandidate(operation: Operation, step: Step | undefined): boolean {
  return (
    isFilePut(operation) &&
    operation.content === 'stream' &&
    step?.kind === 'put' &&
    sizeOf(operation) >= REUSE_MIN_BYTES
  );
}

function sizeOf(operation: Operation): number {
  return isFilePut(operation) ? operation.after.sizeBytes : 0;
}
