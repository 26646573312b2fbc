/*
 * The census of writers: who can write to which file at this moment. The answer and what it leaves out are described in
 * census.c.
 */
#ifndef TIDEMARK_CENSUS_H
#define TIDEMARK_CENSUS_H

#include "block.h"
#include "paths.h"
#include "stat.h"

#include <dirent.h>
#include <limits.h>

#define COMM_BYTES 64

enum how { BY_DESCRIPTOR = 0, BY_MAPPING = 1, BY_LOOP = 2 };

struct census {
  uint64_t device;
  const char *prefix;
  size_t prefix_length;
  struct block out;
  uint32_t rows, hidden;
  bool is_out_of_memory;
};

/* The process that is looked at. */
struct process {
  int folder;
  uint32_t pid;
  bool is_hidden;
  char comm[COMM_BYTES];
  uint64_t last_ino;
};

struct found {
  struct statx stat;
  enum how how;
  bool is_direct;
  char name[PATH_MAX + 1];
};

/* Like statx, but follows where `flags` does not forbid it, and waits for no server: a dead mount must not hang it. */
int tm_census_look(int folder, const char *name, int flags, struct statx *out);
/* The empty string where it cannot be read. */
void tm_census_link(int folder, const char *name, char out[PATH_MAX + 1]);
/* Bytes read; NUL-terminated, and empty where it cannot be read. */
size_t tm_census_text(int folder, const char *name, char *out, size_t size);
DIR *tm_census_list(int folder, const char *name);

/* After a failed call on something of the process: where it was refused, the process is hidden. */
void tm_census_note_refusal(struct process *process);
/* True for a regular file that has a name and may be one of the tree. */
bool tm_census_wants(const struct census *census, const struct found *found);
void tm_census_add(struct census *census, struct process *process, const struct found *found);

void tm_census_descriptors(struct census *census, struct process *process);
void tm_census_mappings(struct census *census, struct process *process);

#endif
