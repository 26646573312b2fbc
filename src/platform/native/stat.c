#include "stat.h"
#include "paths.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

static struct statx_timestamp timestamp_from(struct timespec from) {
  return (struct statx_timestamp){.tv_sec = from.tv_sec, .tv_nsec = (uint32_t)from.tv_nsec};
}

/* For sandboxes that refuse statx. */
static int stat_old(int directory, const char *name, int flags, struct statx *out) {
  struct stat from;
  if (fstatat(directory, name, &from, flags) != 0) return -1;
  memset(out, 0, sizeof *out);
  out->stx_mask = STATX_BASIC_STATS;
  out->stx_dev_major = major(from.st_dev);
  out->stx_dev_minor = minor(from.st_dev);
  out->stx_nlink = (uint32_t)from.st_nlink;
  out->stx_mode = (uint16_t)from.st_mode;
  out->stx_uid = from.st_uid;
  out->stx_gid = from.st_gid;
  out->stx_ino = from.st_ino;
  out->stx_size = (uint64_t)from.st_size;
  out->stx_mtime = timestamp_from(from.st_mtim);
  out->stx_ctime = timestamp_from(from.st_ctim);
  return 0;
}

int tm_statx(int directory, const char *name, struct statx *out) {
  int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name[0] == 0 ? AT_EMPTY_PATH : 0);
  if (TM_IS_OLD_KERNEL) return stat_old(directory, name, flags, out);
  if (statx(directory, name, flags, STATX_BASIC_STATS | STATX_BTIME, out) == 0) return 0;
  return errno == ENOSYS || errno == EPERM ? stat_old(directory, name, flags, out) : -1;
}

uint64_t tm_device(const struct statx *from) { return makedev(from->stx_dev_major, from->stx_dev_minor); }

/* Saturates: no file system keeps years beyond 2262, but a forged one may say so. */
static int64_t nanoseconds(struct statx_timestamp from) {
  int64_t result;
  if (__builtin_mul_overflow((int64_t)from.tv_sec, INT64_C(1000000000), &result) ||
      __builtin_add_overflow(result, (int64_t)from.tv_nsec, &result))
    return from.tv_sec < 0 ? INT64_MIN : INT64_MAX;
  return result;
}

static unsigned char *put32(unsigned char *out, uint32_t value) {
  value = htole32(value);
  memcpy(out, &value, sizeof value);
  return out + sizeof value;
}

static unsigned char *put64(unsigned char *out, uint64_t value) {
  value = htole64(value);
  memcpy(out, &value, sizeof value);
  return out + sizeof value;
}

void tm_pack_stat(const struct statx *from, unsigned char *out) {
  out = put64(out, tm_device(from));
  out = put32(out, from->stx_nlink);
  out = put32(out, from->stx_mode);
  out = put32(out, from->stx_uid);
  out = put32(out, from->stx_gid);
  out = put64(out, from->stx_ino);
  out = put64(out, from->stx_size);
  out = put64(out, (uint64_t)nanoseconds(from->stx_mtime));
  out = put64(out, (uint64_t)nanoseconds(from->stx_ctime));
  put64(out, from->stx_mask & STATX_BTIME ? (uint64_t)nanoseconds(from->stx_btime) : 0);
}

struct timespec tm_timespec(int64_t nanoseconds) {
  int64_t seconds = nanoseconds / 1000000000, rest = nanoseconds % 1000000000;
  if (rest < 0) seconds--, rest += 1000000000;
  return (struct timespec){.tv_sec = seconds, .tv_nsec = (long)rest};
}

/* stat(root, path, packed): true, or false where nothing is there */
static napi_value stat_path(napi_env env, napi_callback_info info) {
  napi_value values[3];
  struct tm_place place;
  unsigned char *packed;
  size_t size;
  if (!tm_arguments(env, info, 3, values) || !tm_memory(env, values[2], TM_STAT_BYTES, &packed, &size)) return NULL;
  if (!tm_int(env, values[0], &place.root) || !tm_bytes_of(env, values[1], &place.path)) return NULL;
  struct statx found;
  int result = -1;
  if (tm_enter(&place) == 0) {
    result = tm_statx(place.directory, place.name, &found);
    tm_leave(&place);
  }
  if (result == 0) tm_pack_stat(&found, packed);
  else if (errno != ENOENT && errno != ENOTDIR) return tm_throw(env, errno, "statx");
  return tm_boolean(env, result == 0);
}

/* fstat(fd, packed): void */
static napi_value stat_descriptor(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int fd;
  unsigned char *packed;
  size_t size;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &fd)) return NULL;
  if (!tm_memory(env, values[1], TM_STAT_BYTES, &packed, &size)) return NULL;
  struct statx found;
  if (tm_statx(fd, "", &found) != 0) return tm_throw(env, errno, "statx");
  tm_pack_stat(&found, packed);
  return NULL;
}

void tm_register_stat(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {{"stat", stat_path}, {"fstat", stat_descriptor}};
  tm_export(env, exports, functions, TM_COUNT(functions));
}
