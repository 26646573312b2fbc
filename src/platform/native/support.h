/*
 * What every part of the addon shares: arguments, byte strings, errors.
 *
 * All functions are synchronous and hold no state between calls, so the addon may be loaded by any number of threads.
 * Names and paths come and go as JavaScript strings with one byte in each code unit ("latin1").
 */
#ifndef TIDEMARK_SUPPORT_H
#define TIDEMARK_SUPPORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Built with TIDEMARK_OLD_KERNEL, for the tests, the calls that kernels, sandboxes or file systems may lack always fail
 * as they would there, so that what stands in for them is tested too.
 */
#ifdef TIDEMARK_OLD_KERNEL
#define TM_IS_OLD_KERNEL true
#else
#define TM_IS_OLD_KERNEL false
#endif

/* A byte string taken from JavaScript: NUL-terminated, without NUL inside; may be written to. */
struct tm_bytes {
  char *data;
  size_t length;
  char inlined[1024];
};

struct tm_function {
  const char *name;
  napi_callback callback;
};

/* Puts functions on the exports object. */
void tm_export(napi_env env, napi_value exports, const struct tm_function *functions, size_t count);

/* Fetches exactly `count` arguments; throws and returns false where there are fewer. */
bool tm_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values);
bool tm_int(napi_env env, napi_value value, int *out);
bool tm_int64(napi_env env, napi_value value, int64_t *out);
bool tm_bigint(napi_env env, napi_value value, int64_t *out);
bool tm_bool(napi_env env, napi_value value, bool *out);
/* A Uint8Array (a Buffer is one) of at least `minimum` bytes. */
bool tm_memory(napi_env env, napi_value value, size_t minimum, unsigned char **data, size_t *length);

/* Any byte string without NUL. True: must be released with tm_release. */
bool tm_bytes_of(napi_env env, napi_value value, struct tm_bytes *out);
/* A byte string that may hold NULs (values of extended attributes). */
bool tm_raw_bytes_of(napi_env env, napi_value value, struct tm_bytes *out);
void tm_release(struct tm_bytes *bytes);

/* Throws an Error with code, errno (negative, as Node has it) and syscall. Always returns NULL. */
napi_value tm_throw(napi_env env, int error, const char *operation);
/* undefined where `result` is 0, else throws what errno says. */
napi_value tm_done(napi_env env, int result, const char *operation);
/* The descriptor as a number, or throws what errno says where it is negative. */
napi_value tm_descriptor(napi_env env, int fd, const char *operation);
napi_value tm_boolean(napi_env env, bool value);
napi_value tm_string(napi_env env, const char *bytes, size_t length);
napi_value tm_null(napi_env env);

/* Closes and leaves errno as it was; negative descriptors are ignored. */
void tm_close_quietly(int fd);

const char *tm_errno_name(int error);

void tm_register_errors(napi_env env, napi_value exports);
void tm_register_walk(napi_env env, napi_value exports);
void tm_register_files(napi_env env, napi_value exports);
void tm_register_content(napi_env env, napi_value exports);
void tm_register_small_files(napi_env env, napi_value exports);
void tm_register_names(napi_env env, napi_value exports);
void tm_register_metadata(napi_env env, napi_value exports);
void tm_register_xattrs(napi_env env, napi_value exports);
void tm_register_leases(napi_env env, napi_value exports);
void tm_register_traits(napi_env env, napi_value exports);
void tm_register_durability(napi_env env, napi_value exports);
void tm_register_census(napi_env env, napi_value exports);
void tm_register_groups(napi_env env, napi_value exports);
void tm_register_handles(napi_env env, napi_value exports);
void tm_register_reader(napi_env env, napi_value exports);
void tm_register_sockets(napi_env env, napi_value exports);

#define TM_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
