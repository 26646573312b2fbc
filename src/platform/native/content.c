/* Whole small files in one call, and what helps with large ones: reflinks, holes, hints. */
#include "durability.h"
#include "files.h"
#include "leases.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What readSmallFile tells beside the contents: two packed stats, u32 lease, u32 bytes read (machine byte order). */
#define FACTS_BYTES (2 * TM_STAT_BYTES + 8)

/* Up to `wanted` bytes from the start; fewer only at the end of the file. -1 with errno. */
static ssize_t read_all(int fd, unsigned char *out, size_t wanted) {
  size_t filled = 0;
  while (filled < wanted) {
    ssize_t got = pread(fd, out + filled, wanted - filled, (off_t)filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    filled += (size_t)got;
  }
  return (ssize_t)filled;
}

struct memory {
  unsigned char *at;
  size_t size;
};

struct reading {
  struct memory into;
  bool checks_writeback;
  unsigned char *facts;
};

/* NULL: done, or thrown. The file is open and closed by the caller, which drops the lease. */
static napi_value read_leased(napi_env env, int fd, const struct reading *reading) {
  enum tm_lease lease = tm_take_lease(fd);
  struct memory into = reading->into;
  unsigned char *facts = reading->facts;
  struct statx before, after;
  if (reading->checks_writeback && tm_check_writeback(fd) != 0) return tm_throw(env, errno, "sync_file_range");
  if (tm_statx(fd, "", &before) != 0) return tm_throw(env, errno, "statx");
  size_t wanted = before.stx_size < into.size ? (size_t)before.stx_size : into.size;
  ssize_t filled = read_all(fd, into.at, wanted);
  if (filled < 0) return tm_throw(env, errno, "read");
  if (tm_statx(fd, "", &after) != 0) return tm_throw(env, errno, "statx");
  /* Broken meanwhile: somebody wants to write. */
  if (lease == TM_LEASE_HELD && !tm_holds_lease(fd)) lease = TM_LEASE_REFUSED;
  tm_pack_stat(&before, facts);
  tm_pack_stat(&after, facts + TM_STAT_BYTES);
  uint32_t numbers[2] = {(uint32_t)lease, (uint32_t)filled};
  memcpy(facts + 2 * TM_STAT_BYTES, numbers, sizeof numbers);
  return NULL;
}

/* readSmallFile(root, path, into, facts, check writeback): void; as many bytes as fit, their number in the facts */
static napi_value read_small_file(napi_env env, napi_callback_info info) {
  napi_value values[5];
  struct tm_place place;
  struct statx found;
  struct reading reading;
  size_t size;
  if (!tm_arguments(env, info, 5, values) || !tm_memory(env, values[2], 0, &reading.into.at, &reading.into.size))
    return NULL;
  if (!tm_memory(env, values[3], FACTS_BYTES, &reading.facts, &size)) return NULL;
  if (!tm_bool(env, values[4], &reading.checks_writeback)) return NULL;
  if (!tm_place_of(env, values[0], values[1], "open", &place)) return NULL;
  int fd = tm_open_regular(&place, O_RDONLY | O_NOATIME, &found);
  tm_leave(&place);
  if (fd < 0) return tm_throw(env, errno, "open");
  read_leased(env, fd, &reading);
  close(fd);
  return NULL;
}

static int write_all(int fd, const unsigned char *from, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, from, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -1;
    from += written;
    length -= (size_t)written;
  }
  return 0;
}

struct small_file {
  const unsigned char *contents;
  size_t length;
  int mode;
  int64_t mtime_ns;
};

/* NULL, or the name of the call that failed, with errno. Mode last but one: writing would clear set-id bits. */
static const char *fill(int fd, const struct small_file *file) {
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, tm_timespec(file->mtime_ns)};
  if (write_all(fd, file->contents, file->length) != 0) return "write";
  if (fchmod(fd, (mode_t)file->mode & 07777) != 0) return "fchmod";
  if (futimens(fd, times) != 0) return "utimensat";
  return NULL;
}

static const char *write_new(const struct tm_place *place, const struct small_file *file) {
  int fd = openat(place->directory, place->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return "open";
  const char *failed = fill(fd, file);
  if (failed != NULL) tm_close_quietly(fd);
  /* Quotas and network file systems report at close. */
  else if (close(fd) != 0 && errno != EINTR) failed = "close";
  if (failed != NULL) {
    int error = errno;
    unlinkat(place->directory, place->name, 0);
    errno = error;
  }
  return failed;
}

/* writeSmallFile(root, path, contents, mode, mtimeNs): void; leaves nothing behind where it fails */
static napi_value write_small_file(napi_env env, napi_callback_info info) {
  napi_value values[5];
  struct tm_place place;
  struct small_file file;
  unsigned char *contents;
  if (!tm_arguments(env, info, 5, values) || !tm_memory(env, values[2], 0, &contents, &file.length)) return NULL;
  if (!tm_int(env, values[3], &file.mode) || !tm_bigint(env, values[4], &file.mtime_ns)) return NULL;
  if (!tm_place_of(env, values[0], values[1], "open", &place)) return NULL;
  file.contents = contents;
  const char *failed = write_new(&place, &file);
  tm_leave(&place);
  return failed == NULL ? NULL : tm_throw(env, errno, failed);
}

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
      {"readSmallFile", read_small_file}, {"writeSmallFile", write_small_file}, {"clone", clone_file},
      {"nextData", next_data},            {"advise", advise},
  };
  tm_export(env, exports, functions, TM_COUNT(functions));
}
