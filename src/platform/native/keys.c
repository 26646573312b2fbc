#include "keys.h"

#include "xxh64.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_ENTRIES 256

bool tm_key_set(struct tm_key *key, const unsigned char *fsid, int32_t type, const unsigned char *handle,
                size_t bytes) {
  uint32_t packed = htole32((uint32_t)type);
  if (bytes > TM_HANDLE_MAX) return false;
  memcpy(key->bytes, fsid, TM_FSID_BYTES);
  memcpy(key->bytes + TM_FSID_BYTES, &packed, sizeof packed);
  memcpy(key->bytes + TM_KEY_PREFIX, handle, bytes);
  key->length = (uint8_t)(TM_KEY_PREFIX + bytes);
  return true;
}

bool tm_key_equal(const struct tm_key *left, const struct tm_key *right) {
  return left->length == right->length && memcmp(left->bytes, right->bytes, left->length) == 0;
}

void tm_keys_begin(struct tm_keys *keys) {
  memset(keys, 0, sizeof *keys);
  keys->first = 1;
  /* Users choose what is in handles: without a secret they could choose keys that fall on one slot. */
  if (getrandom(&keys->seed, sizeof keys->seed, GRND_NONBLOCK) != sizeof keys->seed) keys->seed = (uintptr_t)keys;
}

static bool is_key(const struct tm_keys *keys, uint32_t index, const struct tm_key *key, uint64_t hash) {
  const struct tm_key_entry *entry = &keys->entries[index];
  return entry->hash == hash && entry->length == key->length &&
         memcmp(keys->text + entry->offset, key->bytes, key->length) == 0;
}

/* The slot where a key is or would be. The table is never full. */
static uint32_t slot_of(const struct tm_keys *keys, const struct tm_key *key, uint64_t hash) {
  uint32_t slot = (uint32_t)hash & (keys->slot_count - 1);
  while (keys->slots[slot] != 0 && !is_key(keys, keys->slots[slot] - 1, key, hash))
    slot = (slot + 1) & (keys->slot_count - 1);
  return slot;
}

static uint64_t hash_of(const struct tm_keys *keys, const struct tm_key *key) {
  return tidemark_xxh64(key->bytes, key->length, keys->seed);
}

/* Twice the entries, four times as many slots as entries at the least fill. */
static bool grow_entries(struct tm_keys *keys) {
  uint32_t capacity = keys->capacity == 0 ? FIRST_ENTRIES : keys->capacity * 2;
  struct tm_key_entry *entries = realloc(keys->entries, capacity * sizeof *entries);
  if (entries == NULL) return false;
  keys->entries = entries;
  uint32_t slot_count = capacity * 2;
  uint32_t *slots = calloc(slot_count, sizeof *slots);
  if (slots == NULL) return false;
  free(keys->slots);
  keys->slots = slots;
  keys->slot_count = slot_count;
  keys->capacity = capacity;
  for (uint32_t index = 0; index < keys->count; index++) {
    uint32_t slot = (uint32_t)entries[index].hash & (slot_count - 1);
    while (slots[slot] != 0) slot = (slot + 1) & (slot_count - 1);
    slots[slot] = index + 1;
  }
  return true;
}

static bool grow_text(struct tm_keys *keys) {
  size_t capacity = keys->text_capacity == 0 ? FIRST_ENTRIES * 32 : keys->text_capacity * 2;
  if (capacity > UINT32_MAX) return false;
  unsigned char *text = realloc(keys->text, capacity);
  if (text == NULL) return false;
  keys->text = text;
  keys->text_capacity = capacity;
  return true;
}

uint32_t tm_keys_find(const struct tm_keys *keys, const struct tm_key *key) {
  if (keys->count == 0) return 0;
  uint32_t found = keys->slots[slot_of(keys, key, hash_of(keys, key))];
  return found == 0 ? 0 : keys->first + found - 1;
}

uint32_t tm_keys_intern(struct tm_keys *keys, const struct tm_key *key) {
  if (keys->count == keys->capacity && !grow_entries(keys)) return 0;
  uint64_t hash = hash_of(keys, key);
  uint32_t slot = slot_of(keys, key, hash);
  if (keys->slots[slot] != 0) return keys->first + keys->slots[slot] - 1;
  while (keys->text_length + key->length > keys->text_capacity)
    if (!grow_text(keys)) return 0;
  struct tm_key_entry *entry = &keys->entries[keys->count];
  *entry = (struct tm_key_entry){.hash = hash, .offset = (uint32_t)keys->text_length, .length = key->length};
  memcpy(keys->text + keys->text_length, key->bytes, key->length);
  keys->text_length += key->length;
  keys->slots[slot] = ++keys->count;
  return keys->first + keys->count - 1;
}

struct tm_key_entry *tm_keys_at(const struct tm_keys *keys, uint32_t number) {
  uint32_t index = number - keys->first;
  return number >= keys->first && index < keys->count ? &keys->entries[index] : NULL;
}

void tm_keys_get(const struct tm_keys *keys, const struct tm_key_entry *entry, struct tm_key *out) {
  out->length = entry->length;
  memcpy(out->bytes, keys->text + entry->offset, entry->length);
}

void tm_keys_clear(struct tm_keys *keys) {
  uint32_t next = keys->first + keys->count;
  tm_keys_end(keys);
  tm_keys_begin(keys);
  keys->first = next;
}

void tm_keys_end(struct tm_keys *keys) {
  free(keys->entries);
  free(keys->slots);
  free(keys->text);
  memset(keys, 0, sizeof *keys);
}
