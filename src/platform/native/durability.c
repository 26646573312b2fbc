#include "durability.h"
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Memory, position and length of direct reads have to be multiples of the device's block; this is one for all of them. */
#define ALIGNMENT (64 * 1024)
#define DIRECT_BYTES (256 * 1024)

int tm_check_writeback(int fd) {
  /* Waits for pages under writeback and tells the file's error as fsync would; starts no writing, flushes no disk. */
  if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) == 0) return 0;
  return errno == EIO || errno == ENOSPC || errno == EDQUOT ? -1 : 0;
}

/* checkWriteback(fd): void */
static napi_value check_writeback(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int fd;
  if (!tm_arguments(env, info, 1, values) || !tm_int(env, values[0], &fd)) return NULL;
  return tm_done(env, tm_check_writeback(fd), "sync_file_range");
}

/* openDirect(fd): fd or null. By the descriptor, not by a path: it has to be the same file. */
static napi_value open_direct(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int fd;
  char path[TM_PROC_PATH_BYTES];
  if (!tm_arguments(env, info, 1, values) || !tm_int(env, values[0], &fd)) return NULL;
  tm_proc_path(fd, path);
  int direct = open(path, O_RDONLY | O_DIRECT | O_NONBLOCK | O_NOATIME | O_CLOEXEC);
  if (direct < 0 && errno == EPERM) direct = open(path, O_RDONLY | O_DIRECT | O_NONBLOCK | O_CLOEXEC);
  return direct < 0 ? tm_null(env) : tm_descriptor(env, direct, "open");
}

/* One aligned piece at a time; a piece that is not full is the last of the file. */
static ssize_t read_pieces(int fd, unsigned char *piece, unsigned char *into, size_t wanted, off_t position) {
  size_t filled = 0;
  while (filled < wanted) {
    ssize_t got = pread(fd, piece, DIRECT_BYTES, position + (off_t)filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    size_t taken = (size_t)got < wanted - filled ? (size_t)got : wanted - filled;
    memcpy(into + filled, piece, taken);
    filled += taken;
    if (got < DIRECT_BYTES) break;
  }
  return (ssize_t)filled;
}

/* readDirect(fd, into, position): bytes read */
static napi_value read_direct(napi_env env, napi_callback_info info) {
  napi_value values[3], result = NULL;
  int fd;
  unsigned char *into;
  size_t size;
  int64_t position;
  void *piece;
  if (!tm_arguments(env, info, 3, values) || !tm_int(env, values[0], &fd) ||
      !tm_memory(env, values[1], 0, &into, &size) || !tm_int64(env, values[2], &position))
    return NULL;
  int error = posix_memalign(&piece, ALIGNMENT, DIRECT_BYTES);
  if (error != 0) return tm_throw(env, error, "posix_memalign");
  ssize_t filled = read_pieces(fd, piece, into, size, position);
  error = errno;
  free(piece);
  if (filled < 0) return tm_throw(env, error, "read");
  napi_create_int64(env, filled, &result);
  return result;
}

void tm_register_durability(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"checkWriteback", check_writeback},
      {"openDirect", open_direct},
      {"readDirect", read_direct},
  };
  tm_export(env, exports, functions, TM_COUNT(functions));
}
