/* One event as the kernel wrote it, taken apart. */
#ifndef TIDEMARK_EVENTS_H
#define TIDEMARK_EVENTS_H

#include "keys.h"

struct tm_name {
  const char *bytes;
  size_t length;
};

/* Names point into the event's bytes. What the event does not say has length 0. */
struct tm_event {
  /* The kernel's bits. */
  uint64_t mask;
  /* Of a rename: the new directory and name. */
  struct tm_key directory;
  struct tm_name name;
  struct tm_key from_directory;
  struct tm_name from_name;
  struct tm_key object;
};

/* False where the bytes are no sound event. Records of unknown kinds are passed over. */
bool tm_event_parse(const unsigned char *bytes, size_t length, struct tm_event *out);

#endif
