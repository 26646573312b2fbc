/* What helps with contents: reflinks, holes, hints, plain copies. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* clone(from, to): void */
static napi_value clone_file(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int from, to;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &from) || !tm_int(env, values[1], &to))
    return NULL;
  if (ioctl(to, FICLONE, from) == 0) return NULL;
  /* File systems without reflinks say so in three ways. */
  return tm_throw(env, errno == ENOTTY || errno == EINVAL ? EOPNOTSUPP : errno, "ioctl(FICLONE)");
}

/* nextData(fd, offset, size, range): the range as two f64; false past the last data */
static napi_value next_data(napi_env env, napi_callback_info info) {
  napi_value values[4];
  int fd;
  int64_t offset, size;
  unsigned char *range;
  size_t length;
  if (!tm_arguments(env, info, 4, values) || !tm_int(env, values[0], &fd) || !tm_int64(env, values[1], &offset) ||
      !tm_int64(env, values[2], &size) || !tm_memory(env, values[3], 2 * sizeof(double), &range, &length))
    return NULL;
  if (offset >= size) return tm_boolean(env, false);
  off_t start = lseek(fd, offset, SEEK_DATA);
  if (start < 0 && errno == ENXIO) return tm_boolean(env, false);
  if (start < 0 && errno != EINVAL && errno != EOPNOTSUPP) return tm_throw(env, errno, "lseek");
  off_t end = start < 0 ? size : lseek(fd, start, SEEK_HOLE);
  if (start < 0) start = offset;
  if (end <= start || end > size) end = size;
  double ends[2] = {(double)start, (double)end};
  memcpy(range, ends, sizeof ends);
  return tm_boolean(env, start < size);
}

/* copyBytes(from, to, at): void; of memory that threads share, V8 itself copies a word at a time */
static napi_value copy_bytes(napi_env env, napi_callback_info info) {
  napi_value values[3];
  unsigned char *from, *to;
  size_t length, room;
  int at;
  if (!tm_arguments(env, info, 3, values) || !tm_memory(env, values[0], 0, &from, &length)) return NULL;
  if (!tm_int(env, values[2], &at) || at < 0) return tm_throw(env, EINVAL, "memcpy");
  if (!tm_memory(env, values[1], (size_t)at + length, &to, &room)) return NULL;
  memmove(to + at, from, length);
  return NULL;
}

/* advise(fd, will drop): void */
static napi_value advise(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int fd;
  bool drop;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &fd) || !tm_bool(env, values[1], &drop))
    return NULL;
  posix_fadvise(fd, 0, 0, drop ? POSIX_FADV_DONTNEED : POSIX_FADV_SEQUENTIAL);
  return NULL;
}

void tm_register_content(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"clone", clone_file},
      {"nextData", next_data},
      {"advise", advise},
      {"copyBytes", copy_bytes},
  };
  tm_export(env, exports, functions, TM_COUNT(functions));
}
