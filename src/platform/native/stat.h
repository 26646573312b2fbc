/* statx, and its packed form of 64 bytes (documented at `Stat` in filesystem.ts). */
#ifndef TIDEMARK_STAT_H
#define TIDEMARK_STAT_H

#include "support.h"

#include <sys/stat.h>
#include <time.h>

#define TM_STAT_BYTES 64

/* Never follows a symlink and never mounts. An empty name stats the descriptor itself. 0, or -1 with errno. */
int tm_statx(int directory, const char *name, struct statx *out);
void tm_pack_stat(const struct statx *from, unsigned char *out);
/* Device number of what was found, as it is packed. */
uint64_t tm_device(const struct statx *from);
struct timespec tm_timespec(int64_t nanoseconds);

void tm_register_stat(napi_env env, napi_value exports);

#endif
