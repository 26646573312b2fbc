/*
 * From events in the ring to one batch for JavaScript: foreign ones dropped, repeated ones merged.
 *
 * The batch is a header of four u32 (events, flags, bytes in all, 0) and the events, each at a multiple of four:
 * u32 bits of `EVENT` · u32 directory · u32 directory it came from · u16 bytes of name, of old name, of target · u16 0,
 * then name, old name and target one after the other. 0 for no directory, no bytes for no target.
 */
#ifndef TIDEMARK_BATCH_H
#define TIDEMARK_BATCH_H

#include "ring.h"
#include "scope.h"

enum tm_batch_flags { TM_BATCH_OVERFLOWED = 1, TM_BATCH_HAS_MORE = 2, TM_BATCH_RESET = 4 };

#define TM_BATCH_HEADER_BYTES 16
/* Room for the largest event. */
#define TM_BATCH_MIN_BYTES 4096

/* The last event of the batch `stamp` that named what has this hash. */
struct tm_batch_slot {
  uint64_t hash;
  uint32_t stamp, offset;
};

struct tm_batcher {
  struct tm_scope scope;
  /* Open addressing by directory and name; its size is a power of two. */
  struct tm_batch_slot *slots;
  uint32_t slot_count, stamp;
  uint64_t seed;
  /* Everything before this position was handed over. */
  uint64_t taken;
  uint64_t received, dropped;
};

bool tm_batcher_begin(struct tm_batcher *batcher, uint64_t position, uint32_t directory_limit);
void tm_batcher_end(struct tm_batcher *batcher);
/* Fills `out` with at most `limit` events from the ring, and its header. */
void tm_batcher_take(struct tm_batcher *batcher, const struct tm_ring *ring, unsigned char *out, size_t room,
                     uint32_t limit);

#endif
