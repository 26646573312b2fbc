/* Names: making, removing, linking and renaming, all on (directory descriptor, last component). */
#include "paths.h"
#include "stat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* makeDirectory(root, path, mode): void */
static napi_value make_directory(napi_env env, napi_callback_info info) {
  napi_value values[3];
  struct tm_place place;
  int mode;
  if (!tm_arguments(env, info, 3, values) || !tm_int(env, values[2], &mode)) return NULL;
  if (!tm_place_of(env, values[0], values[1], "mkdir", &place)) return NULL;
  int result = mkdirat(place.directory, place.name, (mode_t)mode & 07777);
  tm_leave(&place);
  return tm_done(env, result, "mkdir");
}

static napi_value remove_name(napi_env env, napi_callback_info info, int flags, const char *operation) {
  napi_value values[2];
  struct tm_place place;
  if (!tm_arguments(env, info, 2, values) || !tm_place_of(env, values[0], values[1], operation, &place)) return NULL;
  int result = unlinkat(place.directory, place.name, flags);
  tm_leave(&place);
  return tm_done(env, result, operation);
}

/* removeFile(root, path): void; of anything but a directory */
static napi_value remove_file(napi_env env, napi_callback_info info) { return remove_name(env, info, 0, "unlink"); }

/* removeDirectory(root, path): void; only an empty one */
static napi_value remove_directory(napi_env env, napi_callback_info info) {
  return remove_name(env, info, AT_REMOVEDIR, "rmdir");
}

/* makeSymlink(root, path, target): void */
static napi_value make_symlink(napi_env env, napi_callback_info info) {
  napi_value values[3];
  struct tm_place place;
  struct tm_bytes target;
  if (!tm_arguments(env, info, 3, values) || !tm_bytes_of(env, values[2], &target)) return NULL;
  if (!tm_place_of(env, values[0], values[1], "symlink", &place)) {
    tm_release(&target);
    return NULL;
  }
  int error = symlinkat(target.data, place.directory, place.name) == 0 ? 0 : errno;
  tm_leave(&place);
  tm_release(&target);
  return error == 0 ? NULL : tm_throw(env, error, "symlink");
}

/* readSymlink(root, path): target */
static napi_value read_symlink(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct tm_place place;
  char target[PATH_MAX];
  if (!tm_arguments(env, info, 2, values) || !tm_place_of(env, values[0], values[1], "readlink", &place)) return NULL;
  ssize_t length = readlinkat(place.directory, place.name, target, sizeof target);
  tm_leave(&place);
  if (length < 0) return tm_throw(env, errno, "readlink");
  if ((size_t)length == sizeof target) return tm_throw(env, ENAMETOOLONG, "readlink");
  return tm_string(env, target, (size_t)length);
}

typedef int pair_operation(const struct tm_place *from, const struct tm_place *to);

/* (root, from, to): void */
static napi_value on_pair(napi_env env, napi_callback_info info, pair_operation *act, const char *operation) {
  napi_value values[3];
  struct tm_place from, to;
  if (!tm_arguments(env, info, 3, values) || !tm_place_of(env, values[0], values[1], operation, &from)) return NULL;
  if (!tm_place_of(env, values[0], values[2], operation, &to)) {
    tm_leave(&from);
    return NULL;
  }
  int error = act(&from, &to) == 0 ? 0 : errno;
  tm_leave(&from);
  tm_leave(&to);
  return error == 0 ? NULL : tm_throw(env, error, operation);
}

static int link_pair(const struct tm_place *from, const struct tm_place *to) {
  return linkat(from->directory, from->name, to->directory, to->name, 0);
}

static int rename_pair(const struct tm_place *from, const struct tm_place *to) {
  return renameat(from->directory, from->name, to->directory, to->name);
}

static int rename_with(const struct tm_place *from, const struct tm_place *to, unsigned flags) {
  if (TM_IS_OLD_KERNEL) {
    errno = EINVAL;
    return -1;
  }
  return (int)syscall(SYS_renameat2, from->directory, from->name, to->directory, to->name, flags);
}

/*
 * For file systems without RENAME_NOREPLACE. A hard link refuses an existing name by itself; a crash in between leaves
 * two names, not none. What cannot be linked (directories first of all) is checked and renamed: in the gap between,
 * rename could replace an empty directory or, where there are no hard links, a file.
 */
static int rename_carefully(const struct tm_place *from, const struct tm_place *to) {
  struct stat found;
  if (linkat(from->directory, from->name, to->directory, to->name, 0) == 0)
    return unlinkat(from->directory, from->name, 0);
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK) return -1;
  if (fstatat(to->directory, to->name, &found, AT_SYMLINK_NOFOLLOW) == 0) errno = EEXIST;
  else if (errno == ENOENT) return rename_pair(from, to);
  return -1;
}

static int rename_pair_no_replace(const struct tm_place *from, const struct tm_place *to) {
  if (rename_with(from, to, RENAME_NOREPLACE) == 0) return 0;
  /* EINVAL: no such flag here, or a directory moved into itself, which the careful way refuses as well. */
  return errno == EINVAL || errno == ENOSYS ? rename_carefully(from, to) : -1;
}

/* EINVAL is left to the wrapper, which knows both paths: no such flag here, or one directory inside the other. */
static int exchange_pair(const struct tm_place *from, const struct tm_place *to) {
  return rename_with(from, to, RENAME_EXCHANGE);
}

static napi_value hard_link(napi_env env, napi_callback_info info) { return on_pair(env, info, link_pair, "link"); }

static napi_value rename_replacing(napi_env env, napi_callback_info info) {
  return on_pair(env, info, rename_pair, "rename");
}

static napi_value rename_no_replace(napi_env env, napi_callback_info info) {
  return on_pair(env, info, rename_pair_no_replace, "rename");
}

/*
 * placeNew(staging, name, root, path, packed): void. What lies under `name` in the directory `staging` becomes `path`,
 * where nothing may be; its stat there is packed. One call for what every new file needs.
 */
static napi_value place_new(napi_env env, napi_callback_info info) {
  napi_value values[5];
  struct tm_place from, to;
  unsigned char *packed;
  size_t size;
  struct statx found;
  if (!tm_arguments(env, info, 5, values) || !tm_memory(env, values[4], TM_STAT_BYTES, &packed, &size)) return NULL;
  if (!tm_place_of(env, values[0], values[1], "rename", &from)) return NULL;
  if (!tm_place_of(env, values[2], values[3], "rename", &to)) {
    tm_leave(&from);
    return NULL;
  }
  int error = rename_pair_no_replace(&from, &to) == 0 && tm_statx(to.directory, to.name, &found) == 0 ? 0 : errno;
  tm_leave(&from);
  tm_leave(&to);
  if (error != 0) return tm_throw(env, error, "rename");
  tm_pack_stat(&found, packed);
  return NULL;
}

static napi_value exchange(napi_env env, napi_callback_info info) {
  return on_pair(env, info, exchange_pair, "rename");
}

void tm_register_names(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"makeDirectory", make_directory},
      {"removeFile", remove_file},
      {"removeDirectory", remove_directory},
      {"makeSymlink", make_symlink},
      {"readSymlink", read_symlink},
      {"hardLink", hard_link},
      {"placeNew", place_new},
      {"rename", rename_replacing},
      {"renameNoReplace", rename_no_replace},
      {"exchange", exchange},
  };
  tm_export(env, exports, functions, TM_COUNT(functions));
}
