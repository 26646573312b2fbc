#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int refuse_irregular(uint32_t mode) {
  if (S_ISREG(mode)) return 0;
  errno = S_ISLNK(mode) ? ELOOP : EINVAL;
  return -1;
}

int tm_open_regular(int directory, const char *name, int flags, struct statx *found) {
  if (tm_statx(directory, name, found) != 0 || refuse_irregular(found->stx_mode) != 0) return -1;
  int full = flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  int fd = openat(directory, name, full);
  /* O_NOATIME is for owners only. */
  if (fd < 0 && errno == EPERM && (flags & O_NOATIME)) fd = openat(directory, name, full & ~O_NOATIME);
  if (fd < 0) return -1;
  if (tm_statx(fd, "", found) == 0 && refuse_irregular(found->stx_mode) == 0) return fd;
  tm_close_quietly(fd);
  return -1;
}

/* openRoot(absolute path): fd; follows symlinks, the user named it */
static napi_value open_root(napi_env env, napi_callback_info info) {
  napi_value values[1];
  struct tm_bytes path;
  if (!tm_arguments(env, info, 1, values) || !tm_bytes_of(env, values[0], &path)) return NULL;
  int fd = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int error = errno;
  tm_release(&path);
  errno = error;
  return tm_descriptor(env, fd, "open");
}

/* close(fd): void. EINTR is no error: Linux has closed by then. */
static napi_value close_descriptor(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int fd;
  if (!tm_arguments(env, info, 1, values) || !tm_int(env, values[0], &fd)) return NULL;
  return close(fd) == 0 || errno == EINTR ? NULL : tm_throw(env, errno, "close");
}

/* openFile(root, path): fd */
static napi_value open_file(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct tm_place place;
  struct statx found;
  if (!tm_arguments(env, info, 2, values) || !tm_place_of(env, values[0], values[1], "open", &place)) return NULL;
  int fd = tm_open_regular(place.directory, place.name, O_RDONLY | O_NOATIME, &found);
  tm_leave(&place);
  return tm_descriptor(env, fd, "open");
}

/* openDirectory(root, path): fd */
static napi_value open_directory(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int root;
  struct tm_bytes path;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &root)) return NULL;
  if (!tm_bytes_of(env, values[1], &path)) return NULL;
  int fd = tm_open_directory(root, path.data, path.length, O_RDONLY);
  int error = errno;
  tm_release(&path);
  errno = error;
  return tm_descriptor(env, fd, "open");
}

/* createFile(root, path, mode): fd */
static napi_value create_file(napi_env env, napi_callback_info info) {
  napi_value values[3];
  struct tm_place place;
  int mode;
  if (!tm_arguments(env, info, 3, values) || !tm_int(env, values[2], &mode)) return NULL;
  if (!tm_place_of(env, values[0], values[1], "open", &place)) return NULL;
  int fd = openat(place.directory, place.name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 07777);
  tm_leave(&place);
  return tm_descriptor(env, fd, "open");
}

static int open_or_create(const struct tm_place *place, bool create) {
  struct statx found;
  for (int attempt = 0; attempt < 8; attempt++) {
    int fd = tm_open_regular(place->directory, place->name, O_RDWR, &found);
    if (fd >= 0 || errno != ENOENT || !create) return fd;
    fd = openat(place->directory, place->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    /* EEXIST: another process was first. */
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

/* openForUpdate(root, path, create): fd */
static napi_value open_for_update(napi_env env, napi_callback_info info) {
  napi_value values[3];
  struct tm_place place;
  bool create;
  if (!tm_arguments(env, info, 3, values) || !tm_bool(env, values[2], &create)) return NULL;
  if (!tm_place_of(env, values[0], values[1], "open", &place)) return NULL;
  int fd = open_or_create(&place, create);
  tm_leave(&place);
  return tm_descriptor(env, fd, "open");
}

static int sync_directory(struct tm_bytes *path, int root) {
  int fd = tm_open_directory(root, path->data, path->length, O_RDONLY);
  if (fd < 0) return -1;
  int result = fsync(fd);
  tm_close_quietly(fd);
  return result;
}

/* syncDirectory(root, path): void */
static napi_value sync_directory_at(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int root;
  struct tm_bytes path;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &root)) return NULL;
  if (!tm_bytes_of(env, values[1], &path)) return NULL;
  int error = sync_directory(&path, root) == 0 ? 0 : errno;
  tm_release(&path);
  return error == 0 ? NULL : tm_throw(env, error, "fsync");
}

/* syncFileSystem(fd): void */
static napi_value sync_file_system(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int fd;
  if (!tm_arguments(env, info, 1, values) || !tm_int(env, values[0], &fd)) return NULL;
  return tm_done(env, syncfs(fd), "syncfs");
}

void tm_register_files(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"openRoot", open_root},
      {"close", close_descriptor},
      {"openFile", open_file},
      {"openDirectory", open_directory},
      {"createFile", create_file},
      {"openForUpdate", open_for_update},
      {"syncDirectory", sync_directory_at},
      {"syncFileSystem", sync_file_system},
  };
  tm_export(env, exports, functions, TM_COUNT(functions));
}
