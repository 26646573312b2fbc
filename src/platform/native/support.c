#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void tm_export(napi_env env, napi_value exports, const struct tm_function *functions, size_t count) {
  for (size_t index = 0; index < count; index++) {
    napi_value function;
    if (napi_create_function(env, functions[index].name, NAPI_AUTO_LENGTH, functions[index].callback, NULL,
                             &function) != napi_ok)
      return;
    napi_set_named_property(env, exports, functions[index].name, function);
  }
}

static bool refuse(napi_env env, const char *message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

bool tm_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) != napi_ok || given < count)
    return refuse(env, "too few arguments");
  return true;
}

bool tm_int(napi_env env, napi_value value, int *out) {
  int32_t number;
  if (napi_get_value_int32(env, value, &number) != napi_ok) return refuse(env, "number expected");
  *out = number;
  return true;
}

bool tm_int64(napi_env env, napi_value value, int64_t *out) {
  return napi_get_value_int64(env, value, out) == napi_ok || refuse(env, "number expected");
}

bool tm_bigint(napi_env env, napi_value value, int64_t *out) {
  bool lossless = false;
  if (napi_get_value_bigint_int64(env, value, out, &lossless) != napi_ok || !lossless)
    return refuse(env, "64-bit bigint expected");
  return true;
}

bool tm_bool(napi_env env, napi_value value, bool *out) {
  return napi_get_value_bool(env, value, out) == napi_ok || refuse(env, "boolean expected");
}

bool tm_memory(napi_env env, napi_value value, size_t minimum, unsigned char **data, size_t *length) {
  napi_typedarray_type type;
  void *start;
  bool is_typed_array = false;
  if (napi_is_typedarray(env, value, &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env, value, &type, length, &start, NULL, NULL) != napi_ok || type != napi_uint8_array ||
      *length < minimum)
    return refuse(env, "Uint8Array of sufficient size expected");
  *data = start;
  return true;
}

bool tm_raw_bytes_of(napi_env env, napi_value value, struct tm_bytes *out) {
  out->data = out->inlined;
  if (napi_get_value_string_latin1(env, value, out->inlined, sizeof out->inlined, &out->length) != napi_ok)
    return refuse(env, "string expected");
  if (out->length < sizeof out->inlined - 1) return true;
  /* It filled the inline space: it may have been cut. */
  size_t length;
  if (napi_get_value_string_latin1(env, value, NULL, 0, &length) != napi_ok) return refuse(env, "string expected");
  if (length == out->length) return true;
  char *larger = malloc(length + 1);
  if (larger == NULL) {
    tm_throw(env, ENOMEM, "malloc");
    return false;
  }
  if (napi_get_value_string_latin1(env, value, larger, length + 1, &out->length) != napi_ok) {
    free(larger);
    return refuse(env, "string expected");
  }
  out->data = larger;
  return true;
}

bool tm_bytes_of(napi_env env, napi_value value, struct tm_bytes *out) {
  if (!tm_raw_bytes_of(env, value, out)) return false;
  if (memchr(out->data, 0, out->length) == NULL) return true;
  tm_release(out);
  tm_throw(env, EINVAL, "name");
  return false;
}

void tm_release(struct tm_bytes *bytes) {
  if (bytes->data != bytes->inlined) free(bytes->data);
}

napi_value tm_done(napi_env env, int result, const char *operation) {
  return result == 0 ? NULL : tm_throw(env, errno, operation);
}

napi_value tm_descriptor(napi_env env, int fd, const char *operation) {
  if (fd < 0) return tm_throw(env, errno, operation);
  napi_value value;
  if (napi_create_int32(env, fd, &value) == napi_ok) return value;
  close(fd);
  return NULL;
}

napi_value tm_boolean(napi_env env, bool value) {
  napi_value result = NULL;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value tm_string(napi_env env, const char *bytes, size_t length) {
  napi_value result = NULL;
  napi_create_string_latin1(env, bytes, length, &result);
  return result;
}

napi_value tm_null(napi_env env) {
  napi_value result = NULL;
  napi_get_null(env, &result);
  return result;
}

void tm_close_quietly(int fd) {
  int saved = errno;
  if (fd >= 0) close(fd);
  errno = saved;
}
