/*
 * Objects whose events matter although they happen in foreign directories: files with several names.
 *
 * Which ones JavaScript follows it says itself. Of a link made elsewhere it learns so: link(2) first tells the new link
 * count, as an event of the object without any name, then the new name. A name that is new to an object whose link count
 * changed a short while ago may be such a link.
 */
#ifndef TIDEMARK_OBJECTS_H
#define TIDEMARK_OBJECTS_H

#include "keys.h"

/* So many changes of link counts are remembered at least, twice as many at most. */
#define TM_REMEMBERED_COUNTS 65536
#define TM_COUNT_BITS (1 << 20)

struct tm_objects {
  /* The tag of an entry is 1 while it is followed. */
  struct tm_keys followed;
  uint32_t followed_count;
  /* Hashes of objects whose count changed, as bits: the running set and the one before. */
  uint8_t counts[2][TM_COUNT_BITS / 8];
  uint32_t noted;
  unsigned running;
  uint64_t seed;
};

void tm_objects_begin(struct tm_objects *objects);
void tm_objects_end(struct tm_objects *objects);
/* False: out of memory. */
bool tm_objects_follow(struct tm_objects *objects, const struct tm_key *key);
void tm_objects_unfollow(struct tm_objects *objects, const struct tm_key *key);
bool tm_objects_is_followed(const struct tm_objects *objects, const struct tm_key *key);

/* The link count of an object changed. */
void tm_objects_note_count(struct tm_objects *objects, const struct tm_key *key);
/* Whether it changed a short while ago; seldom true without. */
bool tm_objects_may_have_links(const struct tm_objects *objects, const struct tm_key *key);

#endif
