/* The addon's table of contents. Runs once for every thread that loads it. */
#include "support.h"

#include "delta.h"
#include "stat.h"

/* The wrapper refuses another number: a stale build must not be called with new arguments. */
#define INTERFACE_VERSION 3

NAPI_MODULE_INIT() {
  napi_value version;
  if (napi_create_int32(env, INTERFACE_VERSION, &version) == napi_ok)
    napi_set_named_property(env, exports, "interfaceVersion", version);
  tm_register_errors(env, exports);
  tm_register_stat(env, exports);
  tm_register_walk(env, exports);
  tm_register_files(env, exports);
  tm_register_content(env, exports);
  tm_register_small_files(env, exports);
  tm_register_names(env, exports);
  tm_register_metadata(env, exports);
  tm_register_xattrs(env, exports);
  tm_register_leases(env, exports);
  tm_register_traits(env, exports);
  tm_register_durability(env, exports);
  tm_register_census(env, exports);
  tm_register_groups(env, exports);
  tm_register_handles(env, exports);
  tm_register_reader(env, exports);
  tm_register_sockets(env, exports);
  tidemark_register_delta(env, exports);
  return exports;
}
