/* System errors as JavaScript errors: code, errno and syscall as Node's own file system errors carry them. */
#include "support.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The names that file system calls return; strerrorname_np is glibc's alone. */
const char *tm_errno_name(int error) {
  switch (error) {
#define NAME(name) \
  case name:       \
    return #name;
    NAME(E2BIG) NAME(EACCES) NAME(EADDRINUSE) NAME(EAFNOSUPPORT) NAME(EAGAIN) NAME(EBADF) NAME(EBADMSG) NAME(EBUSY) NAME(ECANCELED) NAME(ECONNABORTED)
    NAME(ECONNREFUSED) NAME(ECONNRESET) NAME(EDEADLK) NAME(EDOM) NAME(EDQUOT) NAME(EEXIST) NAME(EFAULT) NAME(EFBIG)
    NAME(EHOSTDOWN) NAME(EHOSTUNREACH) NAME(EILSEQ) NAME(EINPROGRESS) NAME(EINTR) NAME(EINVAL) NAME(EIO)
    NAME(EISDIR) NAME(EKEYEXPIRED) NAME(EKEYREVOKED) NAME(ELOOP) NAME(EMEDIUMTYPE) NAME(EMFILE) NAME(EMLINK)
    NAME(EMSGSIZE) NAME(ENAMETOOLONG) NAME(ENETDOWN) NAME(ENETUNREACH) NAME(ENFILE) NAME(ENOBUFS) NAME(ENODATA)
    NAME(ENODEV) NAME(ENOENT) NAME(ENOEXEC) NAME(ENOKEY) NAME(ENOLCK) NAME(ENOLINK) NAME(ENOMEDIUM) NAME(ENOMEM)
    NAME(ENOSPC) NAME(ENOSYS) NAME(ENOTCONN) NAME(ENOTDIR) NAME(ENOTEMPTY) NAME(ENOTSOCK) NAME(ENOTTY) NAME(ENXIO)
    NAME(EOPNOTSUPP) NAME(EOVERFLOW) NAME(EPERM) NAME(EPIPE) NAME(EPROTO) NAME(ERANGE) NAME(EREMOTEIO) NAME(EROFS)
    NAME(ESPIPE) NAME(ESRCH) NAME(ESTALE) NAME(ETIMEDOUT) NAME(ETXTBSY) NAME(EUCLEAN) NAME(EUSERS) NAME(EXDEV)
#undef NAME
  default:
    return "EIO";
  }
}

static void describe(int error, const char *operation, char *out, size_t size) {
  char text[128];
  /* The GNU variant may return a pointer elsewhere; both are handled by copying what it names. */
#if defined(__GLIBC__)
  const char *message = strerror_r(error, text, sizeof text);
#else
  const char *message = strerror_r(error, text, sizeof text) == 0 ? text : "unknown error";
#endif
  snprintf(out, size, "%s: %s, %s", tm_errno_name(error), message, operation);
  char *first = strchr(out, ' ');
  if (first != NULL) first[1] = (char)tolower((unsigned char)first[1]);
}

/* NULL where JavaScript has no room for it. */
static napi_value error_of(napi_env env, int error, const char *operation) {
  char text[256];
  describe(error, operation, text, sizeof text);
  napi_value code, message, made, number, call;
  if (napi_create_string_utf8(env, tm_errno_name(error), NAPI_AUTO_LENGTH, &code) != napi_ok ||
      napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) != napi_ok ||
      napi_create_string_utf8(env, operation, NAPI_AUTO_LENGTH, &call) != napi_ok ||
      napi_create_int32(env, -error, &number) != napi_ok || napi_create_error(env, code, message, &made) != napi_ok)
    return NULL;
  napi_set_named_property(env, made, "errno", number);
  napi_set_named_property(env, made, "syscall", call);
  return made;
}

napi_value tm_throw(napi_env env, int error, const char *operation) {
  napi_value made = error_of(env, error, operation);
  if (made != NULL) napi_throw(env, made);
  return NULL;
}

/* errorOf(number, operation): Error, as a call that failed with it throws */
static napi_value error_of_number(napi_env env, napi_callback_info info) {
  napi_value values[2], made = NULL;
  int error;
  struct tm_bytes operation;
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &error)) return NULL;
  if (!tm_bytes_of(env, values[1], &operation)) return NULL;
  made = error_of(env, error, operation.data);
  tm_release(&operation);
  return made;
}

/* errnoName(number): string */
static napi_value errno_name(napi_env env, napi_callback_info info) {
  napi_value values[1];
  int error;
  if (!tm_arguments(env, info, 1, values) || !tm_int(env, values[0], &error)) return NULL;
  const char *name = tm_errno_name(error);
  return tm_string(env, name, strlen(name));
}

void tm_register_errors(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {{"errnoName", errno_name}, {"errorOf", error_of_number}};
  tm_export(env, exports, functions, TM_COUNT(functions));
}
