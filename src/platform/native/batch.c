#include "batch.h"

#include "fan.h"
#include "xxh64.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 4096

struct batch {
  unsigned char *out;
  size_t room, bytes;
  uint32_t limit, count, flags;
};

bool tm_batcher_begin(struct tm_batcher *batcher, uint64_t position, uint32_t directory_limit) {
  memset(batcher, 0, sizeof *batcher);
  tm_scope_begin(&batcher->scope, directory_limit);
  batcher->seed = batcher->scope.directories.seed;
  batcher->taken = position;
  batcher->slots = calloc(FIRST_SLOTS, sizeof *batcher->slots);
  batcher->slot_count = FIRST_SLOTS;
  return batcher->slots != NULL;
}

void tm_batcher_end(struct tm_batcher *batcher) {
  tm_scope_end(&batcher->scope);
  free(batcher->slots);
  batcher->slots = NULL;
}

static struct tm_line_head head_at(const struct batch *batch, uint32_t offset) {
  struct tm_line_head head;
  memcpy(&head, batch->out + offset, sizeof head);
  return head;
}

/* A rename is an event of both its names. */
static bool is_named(const struct batch *batch, uint32_t offset, uint32_t directory, const struct tm_name *name) {
  struct tm_line_head head = head_at(batch, offset);
  const unsigned char *text = batch->out + offset + sizeof head;
  if (head.directory == directory && head.name == name->length && memcmp(text, name->bytes, name->length) == 0)
    return true;
  return head.mask & TM_RENAME && head.from == directory && head.from_name == name->length &&
         memcmp(text + head.name, name->bytes, name->length) == 0;
}

/* The slot of a name: where the last event of this batch is found that named it, or a free one. */
static struct tm_batch_slot *slot_of(const struct tm_batcher *batcher, const struct batch *batch, uint32_t directory,
                                     const struct tm_name *name) {
  uint64_t hash = tidemark_xxh64((const uint8_t *)name->bytes, name->length, batcher->seed + directory);
  uint32_t index = (uint32_t)hash & (batcher->slot_count - 1);
  for (;; index = (index + 1) & (batcher->slot_count - 1)) {
    struct tm_batch_slot *slot = &batcher->slots[index];
    if (slot->stamp == batcher->stamp && !(slot->hash == hash && is_named(batch, slot->offset, directory, name)))
      continue;
    slot->hash = hash;
    return slot;
  }
}

static void point(const struct tm_batcher *batcher, const struct batch *batch, uint32_t directory,
                  const struct tm_name *name, uint32_t offset) {
  struct tm_batch_slot *slot = slot_of(batcher, batch, directory, name);
  slot->stamp = batcher->stamp;
  slot->offset = offset;
}

/* No slot used, and two for each name of a batch; returns how many events the batch may have. */
static uint32_t begin_slots(struct tm_batcher *batcher, uint32_t limit, size_t room) {
  uint32_t wanted = batcher->slot_count;
  /* More do not fit, whatever is asked for. */
  if (limit > room / sizeof(struct tm_line_head)) limit = (uint32_t)(room / sizeof(struct tm_line_head));
  while (wanted / 4 < limit) wanted *= 2;
  struct tm_batch_slot *slots = wanted == batcher->slot_count ? NULL : calloc(wanted, sizeof *slots);
  if (slots != NULL) {
    free(batcher->slots);
    batcher->slots = slots;
    batcher->slot_count = wanted;
    batcher->stamp = 0;
  }
  if (++batcher->stamp == 0) {
    memset(batcher->slots, 0, batcher->slot_count * sizeof *slots);
    batcher->stamp = 1;
  }
  return limit < batcher->slot_count / 4 ? limit : batcher->slot_count / 4;
}

static unsigned char *put(unsigned char *out, const void *bytes, size_t length) {
  memcpy(out, bytes, length);
  return out + length;
}

static size_t line_bytes(const struct tm_line *line) {
  size_t bytes = sizeof line->head + line->head.name + line->head.from_name + line->head.target;
  return (bytes + 3) & ~(size_t)3;
}

static uint32_t append(struct batch *batch, const struct tm_line *line) {
  uint32_t offset = (uint32_t)batch->bytes;
  unsigned char *out = put(batch->out + offset, &line->head, sizeof line->head);
  out = put(out, line->event->name.bytes, line->head.name);
  out = put(out, line->event->from_name.bytes, line->head.from_name);
  put(out, line->target->bytes, line->head.target);
  batch->bytes += line_bytes(line);
  batch->count++;
  return offset;
}

/* Into the last event of the same name if it is of the same object as far as told, and no rename lies between. */
static bool merge(struct batch *batch, const struct tm_batch_slot *slot, const struct tm_line *line) {
  struct tm_line_head head = head_at(batch, slot->offset);
  const unsigned char *target = batch->out + slot->offset + sizeof head + head.name + head.from_name;
  if ((head.mask ^ line->head.mask) & (TM_RENAME | TM_DIRECTORY) || head.mask & TM_RENAME) return false;
  if (head.target != line->head.target || memcmp(target, line->target->bytes, head.target) != 0) return false;
  head.mask |= line->head.mask;
  memcpy(batch->out + slot->offset, &head, sizeof head);
  return true;
}

/* False where the batch has no room for it. */
static bool add(struct tm_batcher *batcher, struct batch *batch, const struct tm_line *line) {
  const struct tm_line_head *head = &line->head;
  struct tm_batch_slot *slot = slot_of(batcher, batch, head->directory, &line->event->name);
  if (slot->stamp == batcher->stamp && merge(batch, slot, line)) return true;
  if (batch->count == batch->limit || batch->bytes + line_bytes(line) > batch->room) return false;
  uint32_t offset = append(batch, line);
  slot->stamp = batcher->stamp;
  slot->offset = offset;
  if (head->mask & TM_RENAME) point(batcher, batch, head->from, &line->event->from_name, offset);
  return true;
}

static enum tm_verdict read_line(struct tm_batcher *batcher, const unsigned char *bytes, size_t length,
                              struct tm_event *event, struct tm_line *line) {
  if (length == 0 || !tm_event_parse(bytes, length, event) || event->mask & FAN_Q_OVERFLOW) return TM_LOST;
  return tm_scope_line(&batcher->scope, event, line);
}

/* One event of the ring. False: it has to wait for the next batch. */
static bool take_one(struct tm_batcher *batcher, struct batch *batch, const unsigned char *bytes, size_t length) {
  struct tm_event event;
  struct tm_line line;
  switch (read_line(batcher, bytes, length, &event, &line)) {
    case TM_FOREIGN:
      batcher->dropped++;
      return true;
    case TM_LOST:
      /* A loss is told at the head of a batch: before what came after it, after what came before. */
      if (batch->count > 0) return false;
      batch->flags |= TM_BATCH_OVERFLOWED;
      return true;
    default:
      if (!add(batcher, batch, &line)) return false;
      tm_scope_told(&batcher->scope, &line);
      return true;
  }
}

void tm_batcher_take(struct tm_batcher *batcher, const struct tm_ring *ring, unsigned char *out, size_t room,
                     uint32_t limit) {
  struct batch batch = {.out = out, .room = room, .bytes = TM_BATCH_HEADER_BYTES};
  if (tm_scope_renew(&batcher->scope)) batch.flags |= TM_BATCH_RESET;
  batch.limit = begin_slots(batcher, limit, room);
  size_t length;
  const unsigned char *bytes;
  uint64_t end = tm_ring_written(ring), position = batcher->taken;
  while ((bytes = tm_ring_event(ring, &position, end, &length)) != NULL &&
         take_one(batcher, &batch, bytes, length)) {
    /* Where no event can be made out, the rest is lost with it. */
    position = length == 0 ? end : position + length;
    batcher->taken = position;
    batcher->received++;
  }
  /* At the end of a lap `end` may lie further than the last event. */
  if (bytes == NULL) batcher->taken = end;
  else batch.flags |= TM_BATCH_HAS_MORE;
  uint32_t header[4] = {batch.count, batch.flags, (uint32_t)batch.bytes, 0};
  memcpy(out, header, sizeof header);
}
