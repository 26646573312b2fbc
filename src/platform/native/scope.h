/*
 * What of an event concerns us, and how it is told: numbers instead of keys, and the object only where it says something.
 *
 * Directories that JavaScript called foreign are told no more. Two things pass nevertheless: renames of which one end is
 * not foreign, and files that may have a name here as well (objects.h).
 */
#ifndef TIDEMARK_SCOPE_H
#define TIDEMARK_SCOPE_H

#include "events.h"
#include "objects.h"

/* As `EVENT` in fanotify.ts. */
enum tm_bits {
  TM_MODIFY = 1,
  TM_CLOSE_WRITE = 2,
  TM_ATTRIBUTES = 4,
  TM_CREATE = 8,
  TM_REMOVE = 16,
  TM_RENAME = 32,
  TM_DIRECTORY = 64,
};

/* The head of an event in a batch, as batch.h says. */
struct tm_line_head {
  uint32_t mask, directory, from;
  uint16_t name, from_name, target, unused;
};

struct tm_line {
  struct tm_line_head head;
  const struct tm_event *event;
  const struct tm_key *target;
};

enum tm_verdict { TM_OURS, TM_FOREIGN, TM_LOST };

struct tm_scope {
  /* The tag of an entry equals `foreign` where the directory is foreign. */
  struct tm_keys directories;
  uint32_t foreign, directory_limit;
  struct tm_objects objects;
};

void tm_scope_begin(struct tm_scope *scope, uint32_t directory_limit);
void tm_scope_end(struct tm_scope *scope);
/* Between batches: forgets all numbers if there are too many. True: it did. */
bool tm_scope_renew(struct tm_scope *scope);

/* How an event is told. Lost: there is no memory to tell it. The line points into the event. */
enum tm_verdict tm_scope_line(struct tm_scope *scope, const struct tm_event *event, struct tm_line *line);
/* To be called after a line of ours was told: a directory that came into sight makes everything unknown again. */
void tm_scope_told(struct tm_scope *scope, const struct tm_line *line);

void tm_scope_set_foreign(struct tm_scope *scope, uint32_t directory);
void tm_scope_reset_foreign(struct tm_scope *scope);
/* The number of a directory, which is not foreign any more. 0: out of memory. */
uint32_t tm_scope_intern(struct tm_scope *scope, const struct tm_key *key);

#endif
