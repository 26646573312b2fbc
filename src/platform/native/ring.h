/*
 * The ring: a memory file into which events are read straight from the kernel.
 *
 * It outlives the process that reads: what was read and not committed is found again by the next one. So
 *  - positions only grow; position p lies at byte p modulo the capacity;
 *  - an event never wraps. No read begins where less than the largest event is left before the end: the rest is zero
 *    then, and both sides go on at the start. Events of one read may lie there;
 *  - what lies between `written` and `cleared` is zero before the kernel writes there. A process killed between
 *    the kernel's copy and the new `written` so leaves valid events behind `written`, and the next one counts them in.
 * One thread writes (`room`, `wrote`), one takes and commits.
 */
#ifndef TIDEMARK_RING_H
#define TIDEMARK_RING_H

#include "support.h"

#include <stdatomic.h>

#define TM_RING_HEADER_BYTES 4096
#define TM_RING_MIN_BYTES (1 << 16)
#define TM_RING_MAX_BYTES (1 << 30)

struct tm_ring_header {
  uint64_t magic;
  uint32_t version;
  uint32_t header_bytes;
  uint64_t capacity;
  _Atomic uint64_t committed;
  _Atomic uint64_t written;
  _Atomic uint64_t cleared;
};

struct tm_ring {
  struct tm_ring_header *header;
  unsigned char *data;
  uint64_t capacity;
};

/* A descriptor of a new, empty ring for `capacity` bytes of events; its memory is taken at once. -1 with errno. */
int tm_ring_create(size_t capacity);
/* Maps a ring and counts in what a killed process left. -1 with errno: EPROTO where it is no ring of this version. */
int tm_ring_map(int fd, struct tm_ring *ring);
void tm_ring_unmap(struct tm_ring *ring);

/* Where the next events can be read to, and how many bytes; 0: no room for even one. Never less than one event. */
size_t tm_ring_room(struct tm_ring *ring, unsigned char **at);
/* `bytes` of whole events are there now. */
void tm_ring_wrote(struct tm_ring *ring, size_t bytes);
/* Puts the record of a loss where the next event would go. There must be room. */
void tm_ring_put_loss(struct tm_ring *ring);

uint64_t tm_ring_written(const struct tm_ring *ring);
uint64_t tm_ring_committed(const struct tm_ring *ring);
/* The event at `*position`, which moves to the event itself; NULL at `end`. Its length is checked, its inside is not. */
const unsigned char *tm_ring_event(const struct tm_ring *ring, uint64_t *position, uint64_t end, size_t *length);
void tm_ring_commit(struct tm_ring *ring, uint64_t position);

#endif
