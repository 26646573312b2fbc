#include "batch.h"

#include "fan.h"
#include "xxh64.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 4096

/* The head of an event in a batch, as batch.h says. */
struct head {
  uint32_t mask, directory, from;
  uint16_t name, from_name, target, unused;
};

struct batch {
  unsigned char *out;
  size_t room, bytes;
  uint32_t limit, count, flags;
};

enum bits { MODIFY = 1, CLOSE_WRITE = 2, ATTRIBUTES = 4, CREATE = 8, REMOVE = 16, RENAME = 32, DIRECTORY = 64 };

static uint32_t bits_of(uint64_t mask) {
  return (mask & FAN_MODIFY ? MODIFY : 0) | (mask & FAN_CLOSE_WRITE ? CLOSE_WRITE : 0) |
         (mask & FAN_ATTRIB ? ATTRIBUTES : 0) | (mask & FAN_CREATE ? CREATE : 0) | (mask & FAN_DELETE ? REMOVE : 0) |
         (mask & FAN_RENAME ? RENAME : 0) | (mask & FAN_ONDIR ? DIRECTORY : 0);
}

bool tm_batcher_begin(struct tm_batcher *batcher, uint64_t position, uint32_t directory_limit) {
  memset(batcher, 0, sizeof *batcher);
  tm_keys_begin(&batcher->directories);
  tm_objects_begin(&batcher->objects);
  batcher->seed = batcher->directories.seed;
  batcher->foreign = 1;
  batcher->directory_limit = directory_limit;
  batcher->taken = position;
  batcher->slots = calloc(FIRST_SLOTS, sizeof *batcher->slots);
  batcher->slot_count = FIRST_SLOTS;
  return batcher->slots != NULL;
}

void tm_batcher_end(struct tm_batcher *batcher) {
  tm_keys_end(&batcher->directories);
  tm_objects_end(&batcher->objects);
  free(batcher->slots);
  batcher->slots = NULL;
}

static struct head head_at(const struct batch *batch, uint32_t offset) {
  struct head head;
  memcpy(&head, batch->out + offset, sizeof head);
  return head;
}

/* A rename is an event of both its names. */
static bool is_named(const struct batch *batch, uint32_t offset, uint32_t directory, const struct tm_name *name) {
  struct head head = head_at(batch, offset);
  const unsigned char *text = batch->out + offset + sizeof head;
  if (head.directory == directory && head.name == name->length && memcmp(text, name->bytes, name->length) == 0)
    return true;
  return head.mask & RENAME && head.from == directory && head.from_name == name->length &&
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
  if (limit > room / sizeof(struct head)) limit = (uint32_t)(room / sizeof(struct head));
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

static bool is_foreign(const struct tm_batcher *batcher, uint32_t directory) {
  const struct tm_key_entry *entry = tm_keys_at(&batcher->directories, directory);
  return entry == NULL || entry->tag == batcher->foreign;
}

/* Whether an event in foreign directories is about an object that may have a name here. */
static bool may_be_ours(struct tm_batcher *batcher, const struct tm_event *event, const struct head *head) {
  const struct tm_key *object = &event->object;
  bool is_new_name = (head->mask & (CREATE | DIRECTORY)) == CREATE;
  bool has_no_name = event->directory.length == 0 && event->from_directory.length == 0;
  if (object->length == 0) return false;
  if (has_no_name && head->mask & ATTRIBUTES) tm_objects_note_count(&batcher->objects, object);
  return tm_objects_is_followed(&batcher->objects, object) ||
         (is_new_name && tm_objects_may_have_links(&batcher->objects, object));
}

/* What of an event goes into the batch: numbers instead of keys, and the target only where it says something. */
struct line {
  struct head head;
  const struct tm_event *event;
  const struct tm_key *target;
};

static const struct tm_key NO_KEY = {.length = 0};

enum verdict { FOR_US, FOREIGN, LOST };

/* False: out of memory. */
static bool number_of(struct tm_batcher *batcher, const struct tm_key *key, uint32_t *number) {
  *number = key->length == 0 ? 0 : tm_keys_intern(&batcher->directories, key);
  return *number != 0 || key->length == 0;
}

static enum verdict make_line(struct tm_batcher *batcher, const struct tm_event *event, struct line *line) {
  struct head *head = &line->head;
  *head = (struct head){.mask = bits_of(event->mask)};
  if (head->mask == 0 || head->mask == DIRECTORY) return FOREIGN;
  if (!number_of(batcher, &event->directory, &head->directory)) return LOST;
  if (!number_of(batcher, &event->from_directory, &head->from)) return LOST;
  bool is_elsewhere = is_foreign(batcher, head->directory) && is_foreign(batcher, head->from);
  if (is_elsewhere && !may_be_ours(batcher, event, head)) return FOREIGN;
  line->event = event;
  line->target = head->mask & (DIRECTORY | RENAME) || is_elsewhere ? &event->object : &NO_KEY;
  /* A directory that speaks of itself has no record of an object: it is its own target. */
  if (line->target->length == 0 && head->mask & DIRECTORY && event->name.length == 0) line->target = &event->directory;
  head->name = (uint16_t)event->name.length;
  head->from_name = (uint16_t)event->from_name.length;
  head->target = line->target->length;
  return FOR_US;
}

static unsigned char *put(unsigned char *out, const void *bytes, size_t length) {
  memcpy(out, bytes, length);
  return out + length;
}

static size_t line_bytes(const struct line *line) {
  size_t bytes = sizeof line->head + line->head.name + line->head.from_name + line->head.target;
  return (bytes + 3) & ~(size_t)3;
}

static uint32_t append(struct batch *batch, const struct line *line) {
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
static bool merge(struct batch *batch, const struct tm_batch_slot *slot, const struct line *line) {
  struct head head = head_at(batch, slot->offset);
  const unsigned char *target = batch->out + slot->offset + sizeof head + head.name + head.from_name;
  if ((head.mask ^ line->head.mask) & (RENAME | DIRECTORY) || head.mask & RENAME) return false;
  if (head.target != line->head.target || memcmp(target, line->target->bytes, head.target) != 0) return false;
  head.mask |= line->head.mask;
  memcpy(batch->out + slot->offset, &head, sizeof head);
  return true;
}

/* False where the batch has no room for it. */
static bool add(struct tm_batcher *batcher, struct batch *batch, const struct line *line) {
  const struct head *head = &line->head;
  struct tm_batch_slot *slot = slot_of(batcher, batch, head->directory, &line->event->name);
  if (slot->stamp == batcher->stamp && merge(batch, slot, line)) return true;
  if (batch->count == batch->limit || batch->bytes + line_bytes(line) > batch->room) return false;
  uint32_t offset = append(batch, line);
  slot->stamp = batcher->stamp;
  slot->offset = offset;
  if (head->mask & RENAME) point(batcher, batch, head->from, &line->event->from_name, offset);
  return true;
}

/* A directory that came into sight may hold directories that were foreign until now. */
static void look_again(struct tm_batcher *batcher, const struct head *head) {
  bool is_moved_in = (head->mask & RENAME) && (head->mask & DIRECTORY) && head->directory != 0;
  if (is_moved_in && !is_foreign(batcher, head->directory)) tm_batcher_reset_foreign(batcher);
}

static enum verdict read_line(struct tm_batcher *batcher, const unsigned char *bytes, size_t length,
                              struct tm_event *event, struct line *line) {
  if (length == 0 || !tm_event_parse(bytes, length, event) || event->mask & FAN_Q_OVERFLOW) return LOST;
  return make_line(batcher, event, line);
}

/* One event of the ring. False: it has to wait for the next batch. */
static bool take_one(struct tm_batcher *batcher, struct batch *batch, const unsigned char *bytes, size_t length) {
  struct tm_event event;
  struct line line;
  switch (read_line(batcher, bytes, length, &event, &line)) {
    case FOREIGN:
      batcher->dropped++;
      return true;
    case LOST:
      /* A loss is told at the head of a batch: before what came after it, after what came before. */
      if (batch->count > 0) return false;
      batch->flags |= TM_BATCH_OVERFLOWED;
      return true;
    default:
      if (!add(batcher, batch, &line)) return false;
      look_again(batcher, &line.head);
      return true;
  }
}

void tm_batcher_take(struct tm_batcher *batcher, const struct tm_ring *ring, unsigned char *out, size_t room,
                     uint32_t limit) {
  struct batch batch = {.out = out, .room = room, .bytes = TM_BATCH_HEADER_BYTES};
  if (batcher->directories.count > batcher->directory_limit) {
    tm_keys_clear(&batcher->directories);
    batch.flags |= TM_BATCH_RESET;
  }
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

void tm_batcher_set_foreign(struct tm_batcher *batcher, uint32_t directory) {
  struct tm_key_entry *entry = tm_keys_at(&batcher->directories, directory);
  if (entry != NULL) entry->tag = batcher->foreign;
}

void tm_batcher_reset_foreign(struct tm_batcher *batcher) { batcher->foreign++; }

uint32_t tm_batcher_intern(struct tm_batcher *batcher, const struct tm_key *key) {
  uint32_t number = tm_keys_intern(&batcher->directories, key);
  struct tm_key_entry *entry = tm_keys_at(&batcher->directories, number);
  if (entry != NULL) entry->tag = 0;
  return number;
}
