#include "objects.h"

#include "xxh64.h"

#include <string.h>

/* Entries that are not followed any more are swept out when they are more than this and more than the others. */
#define SWEPT_AT_ONCE 1024

void tm_objects_begin(struct tm_objects *objects) {
  memset(objects, 0, sizeof *objects);
  tm_keys_begin(&objects->followed);
  objects->seed = objects->followed.seed;
}

void tm_objects_end(struct tm_objects *objects) { tm_keys_end(&objects->followed); }

static void sweep(struct tm_objects *objects) {
  struct tm_keys kept;
  struct tm_key key;
  tm_keys_begin(&kept);
  for (uint32_t index = 0; index < objects->followed.count; index++) {
    if (objects->followed.entries[index].tag == 0) continue;
    tm_keys_get(&objects->followed, &objects->followed.entries[index], &key);
    uint32_t number = tm_keys_intern(&kept, &key);
    if (number == 0) {
      tm_keys_end(&kept);
      return;
    }
    tm_keys_at(&kept, number)->tag = 1;
  }
  tm_keys_end(&objects->followed);
  objects->followed = kept;
}

static struct tm_key_entry *entry_of(const struct tm_objects *objects, const struct tm_key *key) {
  return tm_keys_at(&objects->followed, tm_keys_find(&objects->followed, key));
}

bool tm_objects_follow(struct tm_objects *objects, const struct tm_key *key) {
  struct tm_key_entry *entry = tm_keys_at(&objects->followed, tm_keys_intern(&objects->followed, key));
  if (entry == NULL) return false;
  objects->followed_count += entry->tag == 0;
  entry->tag = 1;
  return true;
}

void tm_objects_unfollow(struct tm_objects *objects, const struct tm_key *key) {
  struct tm_key_entry *entry = entry_of(objects, key);
  if (entry == NULL || entry->tag == 0) return;
  entry->tag = 0;
  objects->followed_count--;
  uint32_t idle = objects->followed.count - objects->followed_count;
  if (idle > SWEPT_AT_ONCE && idle > objects->followed_count) sweep(objects);
}

bool tm_objects_is_followed(const struct tm_objects *objects, const struct tm_key *key) {
  if (objects->followed_count == 0 || key->length == 0) return false;
  const struct tm_key_entry *entry = entry_of(objects, key);
  return entry != NULL && entry->tag == 1;
}

static uint32_t bit_of(const struct tm_objects *objects, const struct tm_key *key) {
  return (uint32_t)tidemark_xxh64(key->bytes, key->length, objects->seed) % TM_COUNT_BITS;
}

void tm_objects_note_count(struct tm_objects *objects, const struct tm_key *key) {
  if (objects->noted == TM_REMEMBERED_COUNTS) {
    objects->noted = 0;
    objects->running ^= 1;
    memset(objects->counts[objects->running], 0, sizeof objects->counts[0]);
  }
  uint32_t bit = bit_of(objects, key);
  objects->counts[objects->running][bit / 8] |= (uint8_t)(1 << bit % 8);
  objects->noted++;
}

bool tm_objects_may_have_links(const struct tm_objects *objects, const struct tm_key *key) {
  uint32_t bit = bit_of(objects, key);
  return ((objects->counts[0][bit / 8] | objects->counts[1][bit / 8]) >> bit % 8) & 1;
}
