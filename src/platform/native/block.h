/* Memory that grows while an answer is put together. */
#ifndef TIDEMARK_BLOCK_H
#define TIDEMARK_BLOCK_H

#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Begins as zeros; `data` is freed by its owner. */
struct block {
  unsigned char *data;
  size_t length;
  size_t capacity;
};

/* Room for `extra` more bytes; NULL where memory is out. */
static inline unsigned char *tm_grow(struct block *block, size_t extra) {
  if (block->length + extra > block->capacity) {
    size_t capacity = block->capacity * 2 + extra + 256;
    unsigned char *larger = realloc(block->data, capacity);
    if (larger == NULL) return NULL;
    block->data = larger;
    block->capacity = capacity;
  }
  unsigned char *start = block->data + block->length;
  block->length += extra;
  return start;
}

/* 0 or ENOMEM. */
static inline int tm_append(struct block *block, const void *bytes, size_t length) {
  unsigned char *start = tm_grow(block, length);
  if (start == NULL) return ENOMEM;
  memcpy(start, bytes, length);
  return 0;
}

#endif
