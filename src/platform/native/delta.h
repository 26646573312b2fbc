/* Block signatures and the rolling search, for src/sync/delta-engine.ts. */
#ifndef TIDEMARK_DELTA_H
#define TIDEMARK_DELTA_H

#include <node_api.h>

/*
 * Adds to `exports`:
 *   signBlocks(bytes, blockBytes, seed: bigint, out, outOffset): void
 *   openMatcher(checksums, blockBytes, lastBytes, seed: bigint): external
 *   scanBlocks(matcher, bytes, from, to, isLast, found: Uint32Array): void
 *   matchCounters(matcher): [strongBytes, failedBytes, bucketSteps]
 * All synchronous, without shared state: usable from any thread, a matcher only from the one that opened it.
 */
void tidemark_register_delta(napi_env env, napi_value exports);

#endif
