/*
 * From a root descriptor and a byte path to a place in the tree, no symlink followed in any component.
 *
 * Nothing is cached from one call to the next: a directory may be renamed in between, and a held descriptor would then
 * name another path.
 */
#ifndef TIDEMARK_PATHS_H
#define TIDEMARK_PATHS_H

#include "support.h"

/* The directory that holds an object, and the object's name in it (`.` for the root itself). */
struct tm_place {
  struct tm_bytes path;
  int root;
  int directory;
  const char *name;
};

/*
 * Opens the directory `path` (length bytes, NUL-terminated, writable; empty: the root itself) below `root`.
 * `flags`: O_PATH or O_RDONLY, perhaps O_NOATIME; O_DIRECTORY and O_CLOEXEC are added. Returns -1 with errno:
 * ELOOP for a symlink in any component, EINVAL for a path with empty, `.` or `..` components.
 */
int tm_open_directory(int root, char *path, size_t length, int flags);

/* Reads (root, path) from two arguments and opens the parent. False: thrown. True: must be released. */
bool tm_place_of(napi_env env, napi_value root, napi_value path, const char *operation, struct tm_place *out);
/* The same for a place whose root and path are filled in: 0, or -1 with errno and the path released. */
int tm_enter(struct tm_place *place);
void tm_leave(struct tm_place *place);

/*
 * Many places one after another within one call: while they share a directory it is opened once. Begin with
 * {root, -1, ...}; `path` must stay where it is until the next step. -1 with errno, and no place then.
 */
struct tm_row {
  int root;
  int directory;
  const char *parent;
  size_t parent_length;
  const char *name;
};
int tm_step(struct tm_row *row, char *path, size_t length);
void tm_end_row(struct tm_row *row);

/* Opens the object itself as O_PATH, whatever it is, also a symlink. */
int tm_open_handle(const struct tm_place *place);

/* `/proc/self/fd/<fd>`: the only way to some calls on O_PATH descriptors. */
#define TM_PROC_PATH_BYTES 32
void tm_proc_path(int fd, char out[TM_PROC_PATH_BYTES]);
/* After a failed call on such a path: a missing /proc must not look like a missing file. */
void tm_blame_proc(void);

#endif
