#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STEP_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)

static bool is_plain_path(const char *path, size_t length) {
  if (length == 0) return true;
  size_t start = 0;
  for (size_t index = 0; index <= length; index++) {
    if (index < length && path[index] != '/') continue;
    size_t size = index - start;
    if (size == 0 || (size == 1 && path[start] == '.') || (size == 2 && path[start] == '.' && path[start + 1] == '.'))
      return false;
    start = index + 1;
  }
  return true;
}

static bool is_symlink(int directory, const char *name) {
  struct stat found;
  return fstatat(directory, name, &found, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0 && S_ISLNK(found.st_mode);
}

static int open_component(int directory, const char *name, int flags) {
  int fd = openat(directory, name, flags | O_NOFOLLOW);
  /* O_DIRECTORY hides the symlink behind ENOTDIR; callers shall see what openat2 would have said. */
  if (fd < 0 && errno == ENOTDIR) errno = is_symlink(directory, name) ? ELOOP : ENOTDIR;
  return fd;
}

/* One component after the other, for kernels before 5.6 and sandboxes that refuse openat2. */
static int open_stepwise(int start, char *path, int flags) {
  int directory = start;
  char *name = path;
  for (;;) {
    char *slash = strchr(name, '/');
    if (slash != NULL) *slash = 0;
    int next = open_component(directory, name, slash == NULL ? flags : STEP_FLAGS);
    if (slash != NULL) *slash = '/';
    if (directory != start) tm_close_quietly(directory);
    if (next < 0 || slash == NULL) return next;
    directory = next;
    name = slash + 1;
  }
}

static int open_at_once(int directory, const char *path, int flags) {
  struct open_how how = {
      .flags = (unsigned)flags,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  int fd = -1;
  errno = ENOSYS;
  /* EAGAIN: something was renamed while the kernel resolved. */
  for (int attempt = 0; attempt < 8 && !TM_IS_OLD_KERNEL; attempt++) {
    fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  return fd;
}

/* `path` is shorter than PATH_MAX. */
static int open_short(int directory, char *path, int flags) {
  int fd = open_at_once(directory, path, flags);
  /* A sandbox may say EPERM for a system call it does not know; a real EPERM comes again from the steps. */
  return fd >= 0 || (errno != ENOSYS && errno != EPERM) ? fd : open_stepwise(directory, path, flags);
}

/* The last slash of the first PATH_MAX - 1 bytes, or NULL. */
static char *last_slash_in_reach(char *path) {
  for (size_t index = PATH_MAX - 1; index > 0; index--)
    if (path[index] == '/') return path + index;
  return NULL;
}

/* The kernel takes at most PATH_MAX bytes a call: a longer path is walked in stretches. */
static int open_long(int root, char *path, size_t length, int flags) {
  int directory = root;
  while (length >= PATH_MAX) {
    char *slash = last_slash_in_reach(path);
    if (slash == NULL) {
      errno = ENAMETOOLONG;
      if (directory != root) tm_close_quietly(directory);
      return -1;
    }
    *slash = 0;
    int next = open_short(directory, path, STEP_FLAGS);
    *slash = '/';
    if (directory != root) tm_close_quietly(directory);
    if (next < 0) return -1;
    directory = next;
    length -= (size_t)(slash + 1 - path);
    path = slash + 1;
  }
  int fd = open_short(directory, path, flags);
  if (directory != root) tm_close_quietly(directory);
  return fd;
}

int tm_open_directory(int root, char *path, size_t length, int flags) {
  if (!is_plain_path(path, length)) {
    errno = EINVAL;
    return -1;
  }
  int full = flags | O_DIRECTORY | O_CLOEXEC;
  int fd = length == 0 ? openat(root, ".", full) : open_long(root, path, length, full);
  /* O_NOATIME is for owners only. */
  if (fd < 0 && errno == EPERM && (flags & O_NOATIME)) return tm_open_directory(root, path, length, flags & ~O_NOATIME);
  return fd;
}

static int open_parent(struct tm_place *place) {
  char *path = place->path.data;
  if (!is_plain_path(path, place->path.length)) {
    errno = EINVAL;
    return -1;
  }
  char *slash = strrchr(path, '/');
  place->name = slash == NULL ? path : slash + 1;
  if (place->path.length == 0) place->name = ".";
  if (slash == NULL) return place->root;
  *slash = 0;
  return tm_open_directory(place->root, path, (size_t)(slash - path), O_PATH);
}

int tm_enter(struct tm_place *place) {
  place->directory = open_parent(place);
  if (place->directory >= 0) return 0;
  int error = errno;
  tm_release(&place->path);
  errno = error;
  return -1;
}

bool tm_place_of(napi_env env, napi_value root, napi_value path, const char *operation, struct tm_place *out) {
  if (!tm_int(env, root, &out->root) || !tm_bytes_of(env, path, &out->path)) return false;
  if (tm_enter(out) == 0) return true;
  tm_throw(env, errno, operation);
  return false;
}

void tm_leave(struct tm_place *place) {
  if (place->directory != place->root) tm_close_quietly(place->directory);
  tm_release(&place->path);
}

int tm_step(struct tm_row *row, char *path, size_t length) {
  if (length == 0 || !is_plain_path(path, length)) {
    errno = EINVAL;
    return -1;
  }
  char *slash = strrchr(path, '/');
  size_t parent_length = slash == NULL ? 0 : (size_t)(slash - path);
  row->name = slash == NULL ? path : slash + 1;
  bool is_same = row->directory >= 0 && parent_length == row->parent_length &&
                 memcmp(path, row->parent, parent_length) == 0;
  if (is_same) return 0;
  tm_end_row(row);
  if (slash != NULL) *slash = 0;
  row->directory = slash == NULL ? row->root : tm_open_directory(row->root, path, parent_length, O_PATH);
  if (slash != NULL) *slash = '/';
  row->parent = path;
  row->parent_length = parent_length;
  return row->directory >= 0 ? 0 : -1;
}

void tm_end_row(struct tm_row *row) {
  if (row->directory != row->root) tm_close_quietly(row->directory);
  row->directory = -1;
}

int tm_open_handle(const struct tm_place *place) {
  return openat(place->directory, place->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

void tm_proc_path(int fd, char out[TM_PROC_PATH_BYTES]) { snprintf(out, TM_PROC_PATH_BYTES, "/proc/self/fd/%d", fd); }

void tm_blame_proc(void) {
  if (errno == ENOENT || errno == ENOTDIR) errno = ENOSYS;
}
