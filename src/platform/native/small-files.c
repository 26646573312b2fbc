/*
 * Whole small files, many in one call: crossing from JavaScript and back, and opening the same directory anew, would cost
 * as much for each as reading it.
 */
#include "files.h"

#include "digests.h"
#include "durability.h"
#include "leases.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What readSmallFiles tells of each file, in machine byte order but for the stats and digests. */
struct facts {
  unsigned char before[TM_STAT_BYTES];
  unsigned char after[TM_STAT_BYTES];
  /* errno; whatever else is told means nothing then. */
  uint32_t error;
  uint32_t lease;
  /* Bytes read. */
  uint32_t length;
  uint32_t has_digests;
  uint8_t strong[TM_SHA256_BYTES];
  uint8_t fast[TM_XXH64_BYTES];
};

struct memory {
  unsigned char *at;
  size_t size;
};

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

struct reading {
  size_t most;
  bool checks_writeback;
};

/* 0, or -1 with errno. The file is closed by the caller, which drops the lease. */
static int read_leased(int fd, const struct reading *reading, unsigned char *into, struct facts *facts) {
  enum tm_lease lease = tm_take_lease(fd);
  struct statx before, after;
  if (reading->checks_writeback && tm_check_writeback(fd) != 0) return -1;
  if (tm_statx(fd, "", &before) != 0) return -1;
  size_t wanted = before.stx_size < reading->most ? (size_t)before.stx_size : reading->most;
  ssize_t filled = read_all(fd, into, wanted);
  if (filled < 0 || tm_statx(fd, "", &after) != 0) return -1;
  /* Broken meanwhile: somebody wants to write. */
  if (lease == TM_LEASE_HELD && !tm_holds_lease(fd)) lease = TM_LEASE_REFUSED;
  tm_pack_stat(&before, facts->before);
  tm_pack_stat(&after, facts->after);
  facts->lease = (uint32_t)lease;
  facts->length = (uint32_t)filled;
  return 0;
}

static void read_one(const struct tm_row *row, const struct reading *reading, unsigned char *into, struct facts *facts) {
  struct statx found;
  int fd = tm_open_regular(row->directory, row->name, O_RDONLY | O_NOATIME, &found);
  if (fd < 0 || read_leased(fd, reading, into, facts) != 0) facts->error = (uint32_t)errno;
  tm_close_quietly(fd);
  if (facts->error != 0) return;
  facts->has_digests = tm_sha256(into, facts->length, facts->strong);
  if (facts->has_digests) tm_xxh64(into, facts->length, facts->fast);
}

/* Reads until `into` has no room for another file, or there is none; the number of files. */
static uint32_t read_row(struct tm_row *row, struct tm_bytes *paths, const struct reading *reading, struct memory into,
                         struct facts *facts, size_t count) {
  uint32_t done = 0;
  char *path = paths->data, *end = paths->data + paths->length;
  while (done < count && path <= end && into.size >= reading->most) {
    size_t length = strlen(path);
    struct facts *found = &facts[done++];
    memset(found, 0, sizeof *found);
    if (tm_step(row, path, length) != 0) found->error = (uint32_t)errno;
    else read_one(row, reading, into.at, found);
    into.at += found->length;
    into.size -= found->length;
    path += length + 1;
  }
  return done;
}

/* readSmallFiles(root, paths joined by NUL, most bytes of a file, into, facts, check writeback): number of files read */
static napi_value read_small_files(napi_env env, napi_callback_info info) {
  napi_value values[6], result = NULL;
  struct tm_row row = {.directory = -1};
  struct tm_bytes paths;
  struct memory into, facts;
  struct reading reading;
  int most;
  if (!tm_arguments(env, info, 6, values) || !tm_int(env, values[0], &row.root) || !tm_int(env, values[2], &most))
    return NULL;
  if (!tm_memory(env, values[3], (size_t)most, &into.at, &into.size)) return NULL;
  if (!tm_memory(env, values[4], sizeof(struct facts), &facts.at, &facts.size)) return NULL;
  if (!tm_bool(env, values[5], &reading.checks_writeback) || !tm_raw_bytes_of(env, values[1], &paths)) return NULL;
  reading.most = (size_t)most;
  size_t count = facts.size / sizeof(struct facts);
  uint32_t done = read_row(&row, &paths, &reading, into, (struct facts *)facts.at, count);
  tm_end_row(&row);
  tm_release(&paths);
  napi_create_uint32(env, done, &result);
  return result;
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

void tm_register_small_files(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"readSmallFiles", read_small_files},
      {"writeSmallFile", write_small_file},
  };
  tm_export(env, exports, functions, TM_COUNT(functions));
}
