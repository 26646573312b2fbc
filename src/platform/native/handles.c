/* From objects to their keys, and from keys to objects. */
#include "keys.h"
#include "paths.h"
#include "stat.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* A handle only to be compared, for file systems whose handles do not lead back (since Linux 6.5). */
#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200
#endif

/* How often a path is asked for again where somebody renames directories above it meanwhile. */
#define PATH_ATTEMPTS 4

union handle {
  struct file_handle head;
  char space[sizeof(struct file_handle) + TM_HANDLE_MAX];
};

static int name_to_handle(int fd, union handle *handle) {
  int mount, result = -1;
  errno = EINVAL;
  handle->head.handle_bytes = TM_HANDLE_MAX;
  if (!TM_IS_OLD_KERNEL) result = name_to_handle_at(fd, "", &handle->head, &mount, AT_EMPTY_PATH | AT_HANDLE_FID);
  if (result == 0 || errno != EINVAL) return result;
  handle->head.handle_bytes = TM_HANDLE_MAX;
  return name_to_handle_at(fd, "", &handle->head, &mount, AT_EMPTY_PATH);
}

/* 0, or -1 with errno. */
static int key_of_descriptor(int fd, struct tm_key *key) {
  union handle handle;
  struct statfs found;
  unsigned char fsid[TM_FSID_BYTES];
  if (name_to_handle(fd, &handle) != 0 || fstatfs(fd, &found) != 0) return -1;
  memcpy(fsid, &found.f_fsid, sizeof fsid);
  tm_key_set(key, fsid, handle.head.handle_type, handle.head.f_handle, handle.head.handle_bytes);
  return 0;
}

bool tm_key_of(napi_env env, napi_value value, struct tm_key *key) {
  struct tm_bytes bytes;
  if (!tm_raw_bytes_of(env, value, &bytes)) return false;
  bool is_key = bytes.length > TM_KEY_PREFIX && bytes.length <= sizeof key->bytes;
  if (is_key) {
    key->length = (uint8_t)bytes.length;
    memcpy(key->bytes, bytes.data, bytes.length);
  }
  tm_release(&bytes);
  if (!is_key) tm_throw(env, EINVAL, "key");
  return is_key;
}

/* The key of what a descriptor stands for, null where there is none, and the descriptor closed. */
static napi_value key_and_close(napi_env env, int fd) {
  struct tm_key key;
  int result = fd < 0 ? -1 : key_of_descriptor(fd, &key);
  tm_close_quietly(fd);
  if (result == 0) return tm_string(env, (const char *)key.bytes, key.length);
  bool is_none = errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EOPNOTSUPP;
  return is_none ? tm_null(env) : tm_throw(env, errno, "name_to_handle_at");
}

/* directoryAt(root, path): key, or null where there is no directory, or its file system has no handles */
static napi_value directory_at(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct tm_bytes path;
  int root;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &root) || !tm_bytes_of(env, values[1], &path))
    return NULL;
  int fd = tm_open_directory(root, path.data, path.length, O_PATH);
  int error = errno;
  tm_release(&path);
  errno = error;
  return key_and_close(env, fd);
}

/* objectAt(root, path): key of whatever is there, or null */
static napi_value object_at(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct tm_place place;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &place.root) ||
      !tm_bytes_of(env, values[1], &place.path))
    return NULL;
  if (tm_enter(&place) != 0) return key_and_close(env, -1);
  int fd = tm_open_handle(&place);
  tm_leave(&place);
  return key_and_close(env, fd);
}

/* A descriptor for O_PATH use, or -1 with errno. */
static int open_key(int mount, const struct tm_key *key, int flags) {
  union handle handle;
  uint32_t type;
  memcpy(&type, key->bytes + TM_FSID_BYTES, sizeof type);
  handle.head.handle_type = (int)le32toh(type);
  handle.head.handle_bytes = (unsigned)(key->length - TM_KEY_PREFIX);
  memcpy(handle.head.f_handle, key->bytes + TM_KEY_PREFIX, handle.head.handle_bytes);
  return open_by_handle_at(mount, &handle.head, O_PATH | O_CLOEXEC | flags);
}

static bool is_same_object(int fd, const char *path) {
  struct statx there, here;
  return tm_statx(AT_FDCWD, path, &there) == 0 && tm_statx(fd, "", &here) == 0 && there.stx_ino == here.stx_ino &&
         tm_device(&there) == tm_device(&here);
}

/*
 * Length of the path, 0 where it has none, -1 with errno. What the kernel says is proven by going there: it appends
 * " (deleted)", and leaves out what lies above the mount.
 */
static ssize_t path_of(int fd, char path[PATH_MAX]) {
  char link[TM_PROC_PATH_BYTES];
  tm_proc_path(fd, link);
  for (int attempt = 0; attempt < PATH_ATTEMPTS; attempt++) {
    ssize_t length = readlink(link, path, PATH_MAX);
    if (length < 0) return errno == ENAMETOOLONG ? 0 : (tm_blame_proc(), -1);
    if (length == PATH_MAX) return 0;
    path[length] = 0;
    if (path[0] == '/' && is_same_object(fd, path)) return length;
  }
  return 0;
}

/* Errors that mean that the object is no more, or was never here. */
static bool is_gone(int error) { return error == ESTALE || error == ENOENT || error == ENOTDIR; }

/* pathOfDirectory(mount fd, key): absolute byte path, or null. Throws EPERM without CAP_DAC_READ_SEARCH. */
static napi_value path_of_directory(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct tm_key key;
  int mount;
  char path[PATH_MAX];
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &mount) || !tm_key_of(env, values[1], &key))
    return NULL;
  int fd = open_key(mount, &key, O_DIRECTORY);
  if (fd < 0) return is_gone(errno) ? tm_null(env) : tm_throw(env, errno, "open_by_handle_at");
  ssize_t length = path_of(fd, path);
  tm_close_quietly(fd);
  if (length < 0) return tm_throw(env, errno, "readlink");
  return length == 0 ? tm_null(env) : tm_string(env, path, (size_t)length);
}

/* openObject(mount fd, key): fd with O_PATH, or null where it is gone; same rights */
static napi_value open_object(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct tm_key key;
  int mount;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &mount) || !tm_key_of(env, values[1], &key))
    return NULL;
  int fd = open_key(mount, &key, 0);
  if (fd < 0 && is_gone(errno)) return tm_null(env);
  return tm_descriptor(env, fd, "open_by_handle_at");
}

void tm_register_handles(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"directoryAt", directory_at},
      {"objectAt", object_at},
      {"pathOfDirectory", path_of_directory},
      {"openObject", open_object},
  };
  tm_export(env, exports, functions, TM_COUNT(functions));
}
