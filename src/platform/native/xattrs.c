/* Extended attributes by O_PATH descriptor, through /proc/self/fd: works on symlinks too and cannot be led astray. */
#include "paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The kernel's own limits. */
#define MAX_VALUE_BYTES 65536
#define MAX_LIST_BYTES 65536

struct target {
  int handle;
  char path[TM_PROC_PATH_BYTES];
};

/* Opens what two arguments name. False: thrown. */
static bool open_target(napi_env env, napi_value root, napi_value path, const char *operation, struct target *out) {
  struct tm_place place;
  if (!tm_place_of(env, root, path, operation, &place)) return false;
  out->handle = tm_open_handle(&place);
  tm_leave(&place);
  if (out->handle < 0) {
    tm_throw(env, errno, operation);
    return false;
  }
  tm_proc_path(out->handle, out->path);
  return true;
}

static bool push(napi_env env, napi_value list, const char *bytes, size_t length) {
  uint32_t count;
  return napi_get_array_length(env, list, &count) == napi_ok &&
         napi_set_element(env, list, count, tm_string(env, bytes, length)) == napi_ok;
}

/* 0 or an errno. An attribute removed since it was listed is left out. */
static int push_attribute(napi_env env, napi_value list, const char *path, const char *name, char *value) {
  ssize_t length = getxattr(path, name, value, MAX_VALUE_BYTES);
  if (length < 0) return errno == ENODATA ? 0 : errno;
  return push(env, list, name, strlen(name)) && push(env, list, value, (size_t)length) ? 0 : ENOMEM;
}

static int push_attributes(napi_env env, napi_value list, const char *path, char *names, char *value) {
  ssize_t length = listxattr(path, names, MAX_LIST_BYTES);
  if (length < 0) {
    if (errno == EOPNOTSUPP) return 0; /* none can be there */
    tm_blame_proc();
    return errno;
  }
  for (ssize_t at = 0; at < length; at += (ssize_t)strlen(names + at) + 1) {
    int error = push_attribute(env, list, path, names + at, value);
    if (error != 0) return error;
  }
  return 0;
}

/* getXattrs(root, path): [name, value, name, value, …] */
static napi_value get_xattrs(napi_env env, napi_callback_info info) {
  napi_value values[2], list;
  struct target target;
  if (!tm_arguments(env, info, 2, values) || napi_create_array(env, &list) != napi_ok) return NULL;
  if (!open_target(env, values[0], values[1], "getxattr", &target)) return NULL;
  char *space = malloc(MAX_LIST_BYTES + MAX_VALUE_BYTES);
  int error = space == NULL ? ENOMEM : push_attributes(env, list, target.path, space, space + MAX_LIST_BYTES);
  free(space);
  close(target.handle);
  return error == 0 ? list : tm_throw(env, error, "getxattr");
}

static int set_on(const struct target *target, const struct tm_bytes *name, const struct tm_bytes *value) {
  int result = setxattr(target->path, name->data, value->data, value->length, 0);
  if (result != 0) tm_blame_proc();
  tm_close_quietly(target->handle);
  return result;
}

/* setXattr(root, path, name, value): void */
static napi_value set_xattr(napi_env env, napi_callback_info info) {
  napi_value values[4];
  struct tm_bytes name, value;
  struct target target;
  if (!tm_arguments(env, info, 4, values) || !tm_bytes_of(env, values[2], &name)) return NULL;
  if (tm_raw_bytes_of(env, values[3], &value)) {
    if (open_target(env, values[0], values[1], "setxattr", &target))
      tm_done(env, set_on(&target, &name, &value), "setxattr");
    tm_release(&value);
  }
  tm_release(&name);
  return NULL;
}

static int remove_from(const struct target *target, const struct tm_bytes *name) {
  int result = removexattr(target->path, name->data);
  if (result != 0) tm_blame_proc();
  tm_close_quietly(target->handle);
  return result;
}

/* removeXattr(root, path, name): void; ENODATA where it is not there */
static napi_value remove_xattr(napi_env env, napi_callback_info info) {
  napi_value values[3];
  struct tm_bytes name;
  struct target target;
  if (!tm_arguments(env, info, 3, values) || !tm_bytes_of(env, values[2], &name)) return NULL;
  if (open_target(env, values[0], values[1], "removexattr", &target))
    tm_done(env, remove_from(&target, &name), "removexattr");
  tm_release(&name);
  return NULL;
}

void tm_register_xattrs(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"getXattrs", get_xattrs}, {"setXattr", set_xattr}, {"removeXattr", remove_xattr}};
  tm_export(env, exports, functions, TM_COUNT(functions));
}
