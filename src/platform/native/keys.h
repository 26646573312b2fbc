/*
 * Keys of objects, and a table that gives each a small number.
 *
 * A key is what fanotify says of an object: the 8 bytes of the file system's id, the handle's type (i32,
 * little-endian), the handle's bytes. It holds as long as the object exists and is not used again after it.
 */
#ifndef TIDEMARK_KEYS_H
#define TIDEMARK_KEYS_H

#include "support.h"

#define TM_FSID_BYTES 8
/* The kernel's MAX_HANDLE_SZ. */
#define TM_HANDLE_MAX 128
#define TM_KEY_PREFIX (TM_FSID_BYTES + 4)

/* Length 0: there is none. */
struct tm_key {
  uint8_t length;
  unsigned char bytes[TM_KEY_PREFIX + TM_HANDLE_MAX];
};

/* False: longer than any handle. */
bool tm_key_set(struct tm_key *key, const unsigned char *fsid, int32_t type, const unsigned char *handle, size_t bytes);
/* From a JavaScript byte string; throws and returns false where it cannot be one. */
bool tm_key_of(napi_env env, napi_value value, struct tm_key *key);
bool tm_key_equal(const struct tm_key *left, const struct tm_key *right);

struct tm_key_entry {
  uint64_t hash;
  uint32_t offset;
  uint32_t tag;
  uint8_t length;
};

/* Keys get the numbers `first`, `first` + 1, …; each carries a tag that belongs to the table's user. */
struct tm_keys {
  struct tm_key_entry *entries;
  uint32_t first, count, capacity;
  /* Open addressing: index + 1 of an entry, 0 where free. Its size is a power of two. */
  uint32_t *slots, slot_count;
  unsigned char *text;
  size_t text_length, text_capacity;
  uint64_t seed;
};

/* An empty table; it takes memory only as keys come. */
void tm_keys_begin(struct tm_keys *keys);
/* The number of a key, given to it now if need be. 0: out of memory. */
uint32_t tm_keys_intern(struct tm_keys *keys, const struct tm_key *key);
/* The number of a key, 0 if it has none. */
uint32_t tm_keys_find(const struct tm_keys *keys, const struct tm_key *key);
/* The entry of a number, NULL if there is none. */
struct tm_key_entry *tm_keys_at(const struct tm_keys *keys, uint32_t number);
void tm_keys_get(const struct tm_keys *keys, const struct tm_key_entry *entry, struct tm_key *out);
/* Forgets all keys. Their numbers are not given again. */
void tm_keys_clear(struct tm_keys *keys);
void tm_keys_end(struct tm_keys *keys);

#endif
