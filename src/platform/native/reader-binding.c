/* The reader as JavaScript sees it: `FanotifyReader` of fanotify.ts is a thin class around these functions. */
#include "batch.h"
#include "reader.h"

#include <errno.h>
#include <stdlib.h>

struct binding {
  struct tm_reader reader;
  struct tm_batcher batcher;
  napi_threadsafe_function listener;
  bool is_open;
};

static const napi_type_tag TAG = {0x7469646d61726b01, 0x66616e6f74696679};

/* On the reader thread. The queue has no limit and holds one call at most; it fails only while the program ends. */
static void announce(struct tm_reader *reader) {
  napi_call_threadsafe_function(reader->listener, NULL, napi_tsfn_nonblocking);
}

/* On the thread of JavaScript. After an abort it is called without an environment, and the binding may be gone. */
static void call_listener(napi_env env, napi_value listener, void *context, void *data) {
  (void)data;
  napi_value news, undefined;
  if (env == NULL) return;
  unsigned bits = tm_reader_news(&((struct binding *)context)->reader);
  if (bits == 0 || napi_create_uint32(env, bits, &news) != napi_ok || napi_get_undefined(env, &undefined) != napi_ok)
    return;
  napi_call_function(env, undefined, listener, 1, &news, NULL);
}

static void shut(struct binding *binding) {
  if (!binding->is_open) return;
  binding->is_open = false;
  tm_reader_stop(&binding->reader);
  tm_batcher_end(&binding->batcher);
  napi_release_threadsafe_function(binding->listener, napi_tsfn_abort);
}

/* A thread of JavaScript that ends must not leave the reader behind. */
static void shut_at_exit(void *argument) { shut(argument); }

static void discard(napi_env env, void *data, void *hint) {
  struct binding *binding = data;
  (void)hint;
  napi_remove_env_cleanup_hook(env, shut_at_exit, binding);
  shut(binding);
  free(binding);
}

/* The binding behind a value, open; else throws. */
static struct binding *binding_of(napi_env env, napi_value value) {
  bool is_ours = false;
  void *data = NULL;
  if (napi_check_object_type_tag(env, value, &TAG, &is_ours) != napi_ok || !is_ours ||
      napi_get_value_external(env, value, &data) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "reader expected");
    return NULL;
  }
  if (((struct binding *)data)->is_open) return data;
  tm_throw(env, EBADF, "fanotify");
  return NULL;
}

/* Fetches `count` arguments of which the first is a reader. */
static struct binding *arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  return tm_arguments(env, info, count, values) ? binding_of(env, values[0]) : NULL;
}

static napi_value number(napi_env env, double value) {
  napi_value result = NULL;
  napi_create_double(env, value, &result);
  return result;
}

static bool make_listener(struct binding *binding, napi_env env, napi_value callback) {
  napi_value name;
  return napi_create_string_utf8(env, "tidemark-fanotify", NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_create_threadsafe_function(env, callback, NULL, name, 0, 1, NULL, NULL, binding, call_listener,
                                         &binding->listener) == napi_ok;
}

/* 0, or an errno with everything undone. */
static int open_binding(struct binding *binding, int group, int ring, uint32_t directory_limit) {
  binding->reader.announce = announce;
  binding->reader.listener = binding->listener;
  if (tm_reader_start(&binding->reader, group, ring) != 0) return errno;
  uint64_t position = tm_ring_committed(&binding->reader.ring);
  if (tm_batcher_begin(&binding->batcher, position, directory_limit)) return 0;
  tm_reader_stop(&binding->reader);
  return ENOMEM;
}

/* startReader(group, ring, directory limit, (news: bits of `tm_news`) => void): reader */
static napi_value start_reader(napi_env env, napi_callback_info info) {
  napi_value values[4], result = NULL;
  int group, ring;
  int limit;
  if (!tm_arguments(env, info, 4, values) || !tm_int(env, values[0], &group) || !tm_int(env, values[1], &ring) ||
      !tm_int(env, values[2], &limit))
    return NULL;
  struct binding *binding = calloc(1, sizeof *binding);
  if (binding == NULL) return tm_throw(env, ENOMEM, "fanotify");
  if (!make_listener(binding, env, values[3])) {
    free(binding);
    return NULL;
  }
  int error = open_binding(binding, group, ring, (uint32_t)limit);
  binding->is_open = error == 0;
  if (error == 0 && napi_create_external(env, binding, discard, NULL, &result) == napi_ok) {
    napi_type_tag_object(env, result, &TAG);
    napi_add_env_cleanup_hook(env, shut_at_exit, binding);
    return result;
  }
  if (error == 0) shut(binding);
  else napi_release_threadsafe_function(binding->listener, napi_tsfn_abort);
  free(binding);
  return tm_throw(env, error == 0 ? ENOMEM : error, "fanotify");
}

/* stopReader(reader): void; the thread has ended when it returns */
static napi_value stop_reader(napi_env env, napi_callback_info info) {
  napi_value values[1];
  struct binding *binding = arguments(env, info, 1, values);
  if (binding != NULL) shut(binding);
  return NULL;
}

/* holdLoop(reader, boolean): whether the reader keeps the event loop alive */
static napi_value hold_loop(napi_env env, napi_callback_info info) {
  napi_value values[2];
  bool holds;
  struct binding *binding = arguments(env, info, 2, values);
  if (binding == NULL || !tm_bool(env, values[1], &holds)) return NULL;
  if (holds) napi_ref_threadsafe_function(env, binding->listener);
  else napi_unref_threadsafe_function(env, binding->listener);
  return NULL;
}

/* takeEvents(reader, into, limit): void; the form of a batch is in batch.h. Throws once a failed reader is empty. */
static napi_value take_events(napi_env env, napi_callback_info info) {
  napi_value values[3];
  unsigned char *out;
  size_t room;
  int limit;
  struct binding *binding = arguments(env, info, 3, values);
  if (binding == NULL || !tm_memory(env, values[1], TM_BATCH_MIN_BYTES, &out, &room) || !tm_int(env, values[2], &limit))
    return NULL;
  struct tm_reader *reader = &binding->reader;
  /* First of all: what comes from here on is news again. */
  atomic_store(&reader->told, false);
  int error = atomic_load(&reader->error);
  if (error != 0 && binding->batcher.taken == tm_ring_written(&reader->ring)) return tm_throw(env, error, "fanotify");
  tm_batcher_take(&binding->batcher, &reader->ring, out, room < UINT32_MAX ? room : UINT32_MAX,
                  limit > 0 ? (uint32_t)limit : 1);
  return NULL;
}

/* commitEvents(reader): void; everything taken so far */
static napi_value commit_events(napi_env env, napi_callback_info info) {
  napi_value values[1];
  struct binding *binding = arguments(env, info, 1, values);
  if (binding != NULL) tm_reader_commit(&binding->reader, binding->batcher.taken);
  return NULL;
}

/* ringUsage(reader): number, 0 to 1 */
static napi_value ring_usage(napi_env env, napi_callback_info info) {
  napi_value values[1];
  struct binding *binding = arguments(env, info, 1, values);
  if (binding == NULL) return NULL;
  const struct tm_ring *ring = &binding->reader.ring;
  return number(env, (double)(tm_ring_written(ring) - tm_ring_committed(ring)) / (double)ring->capacity);
}

/* askBarrier(reader): its number; passed once passedBarriers says so much or more */
static napi_value ask_barrier(napi_env env, napi_callback_info info) {
  napi_value values[1];
  struct binding *binding = arguments(env, info, 1, values);
  return binding == NULL ? NULL : number(env, tm_reader_barrier(&binding->reader));
}

/* passedBarriers(reader): number of the last one passed */
static napi_value passed_barriers(napi_env env, napi_callback_info info) {
  napi_value values[1];
  struct binding *binding = arguments(env, info, 1, values);
  return binding == NULL ? NULL : number(env, atomic_load(&binding->reader.barriers_passed));
}

/* setForeign(reader, directory): void */
static napi_value set_foreign(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t directory;
  struct binding *binding = arguments(env, info, 2, values);
  if (binding == NULL || !tm_int64(env, values[1], &directory)) return NULL;
  tm_scope_set_foreign(&binding->batcher.scope, (uint32_t)directory);
  return NULL;
}

/* resetForeign(reader): void */
static napi_value reset_foreign(napi_env env, napi_callback_info info) {
  napi_value values[1];
  struct binding *binding = arguments(env, info, 1, values);
  if (binding != NULL) tm_scope_reset_foreign(&binding->batcher.scope);
  return NULL;
}

/* keyOf(reader, directory): byte string, or null for a number that was never given or is void by now */
static napi_value key_of(napi_env env, napi_callback_info info) {
  napi_value values[2];
  int64_t directory;
  struct tm_key key;
  struct binding *binding = arguments(env, info, 2, values);
  if (binding == NULL || !tm_int64(env, values[1], &directory)) return NULL;
  const struct tm_key_entry *entry = tm_keys_at(&binding->batcher.scope.directories, (uint32_t)directory);
  if (entry == NULL) return tm_null(env);
  tm_keys_get(&binding->batcher.scope.directories, entry, &key);
  return tm_string(env, (const char *)key.bytes, key.length);
}

/* internKey(reader, key): number */
static napi_value intern_key(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct tm_key key;
  struct binding *binding = arguments(env, info, 2, values);
  if (binding == NULL || !tm_key_of(env, values[1], &key)) return NULL;
  uint32_t directory = tm_scope_intern(&binding->batcher.scope, &key);
  return directory == 0 ? tm_throw(env, ENOMEM, "fanotify") : number(env, directory);
}

/* followObject(reader, key, boolean): void */
static napi_value follow_object(napi_env env, napi_callback_info info) {
  napi_value values[3];
  struct tm_key key;
  bool follows;
  struct binding *binding = arguments(env, info, 3, values);
  if (binding == NULL || !tm_key_of(env, values[1], &key) || !tm_bool(env, values[2], &follows)) return NULL;
  struct tm_objects *objects = &binding->batcher.scope.objects;
  if (!follows) tm_objects_unfollow(objects, &key);
  else if (!tm_objects_follow(objects, &key)) return tm_throw(env, ENOMEM, "fanotify");
  return NULL;
}

/* eventCounts(reader): [received, dropped as foreign] */
static napi_value event_counts(napi_env env, napi_callback_info info) {
  napi_value values[1], result;
  struct binding *binding = arguments(env, info, 1, values);
  if (binding == NULL || napi_create_array_with_length(env, 2, &result) != napi_ok) return NULL;
  napi_set_element(env, result, 0, number(env, (double)binding->batcher.received));
  napi_set_element(env, result, 1, number(env, (double)binding->batcher.dropped));
  return result;
}

void tm_register_reader(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {
      {"startReader", start_reader},   {"stopReader", stop_reader},         {"holdLoop", hold_loop},
      {"takeEvents", take_events},     {"commitEvents", commit_events},     {"ringUsage", ring_usage},
      {"askBarrier", ask_barrier},     {"passedBarriers", passed_barriers}, {"setForeign", set_foreign},
      {"resetForeign", reset_foreign}, {"keyOf", key_of},                   {"internKey", intern_key},
      {"eventCounts", event_counts},   {"followObject", follow_object},
  };
  tm_export(env, exports, functions, TM_COUNT(functions));
}
