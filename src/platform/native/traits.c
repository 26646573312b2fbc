/* What statfs says of a file system. */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

/* traits(fd, numbers): the f_type; numbers as five f64: free bytes, total bytes, read-only, longest name, type */
static napi_value traits(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int fd;
  unsigned char *out;
  size_t length;
  struct statfs found;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &fd)) return NULL;
  double numbers[5];
  if (!tm_memory(env, values[1], sizeof numbers, &out, &length)) return NULL;
  if (fstatfs(fd, &found) != 0) return tm_throw(env, errno, "statfs");
  double unit = found.f_frsize > 0 ? (double)found.f_frsize : (double)found.f_bsize;
  numbers[0] = (double)found.f_bavail * unit;
  numbers[1] = (double)found.f_blocks * unit;
  numbers[2] = found.f_flags & ST_RDONLY ? 1 : 0;
  numbers[3] = (double)found.f_namelen;
  numbers[4] = (double)(uint32_t)found.f_type;
  memcpy(out, numbers, sizeof numbers);
  return NULL;
}

void tm_register_traits(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {{"traits", traits}};
  tm_export(env, exports, functions, TM_COUNT(functions));
}
