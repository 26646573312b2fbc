/* Mode, times, owner and handle of an object, never through a symlink. */
#include "paths.h"
#include "stat.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static int change_mode(int handle, mode_t mode) {
  errno = ENOSYS;
  if (!TM_IS_OLD_KERNEL && syscall(SYS_fchmodat2, handle, "", mode, AT_EMPTY_PATH) == 0) return 0;
  /* Linux before 6.6, or a sandbox that does not know the call. */
  if (errno != ENOSYS && errno != EPERM) return -1;
  char path[TM_PROC_PATH_BYTES];
  tm_proc_path(handle, path);
  if (chmod(path, mode) == 0) return 0;
  tm_blame_proc();
  return -1;
}

static int set_mode_at(const struct tm_place *place, mode_t mode) {
  struct stat found;
  int handle = tm_open_handle(place);
  if (handle < 0) return -1;
  int result = fstat(handle, &found);
  if (result == 0 && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode)) {
    errno = S_ISLNK(found.st_mode) ? ELOOP : EINVAL;
    result = -1;
  }
  if (result == 0) result = change_mode(handle, mode);
  tm_close_quietly(handle);
  return result;
}

/* setMode(root, path, mode): void; of a file or directory */
static napi_value set_mode(napi_env env, napi_callback_info info) {
  napi_value values[3];
  struct tm_place place;
  int mode;
  if (!tm_arguments(env, info, 3, values) || !tm_int(env, values[2], &mode)) return NULL;
  if (!tm_place_of(env, values[0], values[1], "chmod", &place)) return NULL;
  int result = set_mode_at(&place, (mode_t)mode & 07777);
  tm_leave(&place);
  return tm_done(env, result, "chmod");
}

/* setMtime(root, path, mtimeNs): void */
static napi_value set_mtime(napi_env env, napi_callback_info info) {
  napi_value values[3];
  struct tm_place place;
  int64_t mtime_ns;
  if (!tm_arguments(env, info, 3, values) || !tm_bigint(env, values[2], &mtime_ns)) return NULL;
  if (!tm_place_of(env, values[0], values[1], "utimensat", &place)) return NULL;
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, tm_timespec(mtime_ns)};
  int result = utimensat(place.directory, place.name, times, AT_SYMLINK_NOFOLLOW);
  tm_leave(&place);
  return tm_done(env, result, "utimensat");
}

/* setOwner(root, path, uid, gid): void; of a symlink itself */
static napi_value set_owner(napi_env env, napi_callback_info info) {
  napi_value values[4];
  struct tm_place place;
  int64_t uid, gid;
  if (!tm_arguments(env, info, 4, values) || !tm_int64(env, values[2], &uid) || !tm_int64(env, values[3], &gid))
    return NULL;
  if (!tm_place_of(env, values[0], values[1], "chown", &place)) return NULL;
  int result = fchownat(place.directory, place.name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW);
  tm_leave(&place);
  return tm_done(env, result, "chown");
}

static bool has_no_handles(int error) {
  return error == EOPNOTSUPP || error == EOVERFLOW || error == ENOSYS || error == EPERM;
}

/* handle(root, path): type (i32, little-endian) and bytes as one byte string, or null */
static napi_value file_handle(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct tm_place place;
  union {
    struct file_handle handle;
    char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
  } found;
  int mount;
  if (!tm_arguments(env, info, 2, values)) return NULL;
  if (!tm_place_of(env, values[0], values[1], "name_to_handle_at", &place)) return NULL;
  found.handle.handle_bytes = MAX_HANDLE_SZ;
  int result = name_to_handle_at(place.directory, place.name, &found.handle, &mount, 0);
  tm_leave(&place);
  if (result != 0) return has_no_handles(errno) ? tm_null(env) : tm_throw(env, errno, "name_to_handle_at");
  char bytes[4 + MAX_HANDLE_SZ];
  uint32_t type = htole32((uint32_t)found.handle.handle_type);
  memcpy(bytes, &type, sizeof type);
  memcpy(bytes + 4, found.handle.f_handle, found.handle.handle_bytes);
  return tm_string(env, bytes, 4 + found.handle.handle_bytes);
}

void tm_register_metadata(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"setMode", set_mode}, {"setMtime", set_mtime}, {"setOwner", set_owner}, {"handle", file_handle}};
  tm_export(env, exports, functions, TM_COUNT(functions));
}
