/* Opening regular files, and nothing but regular files. */
#ifndef TIDEMARK_FILES_H
#define TIDEMARK_FILES_H

#include "paths.h"
#include "stat.h"

/*
 * Opens an existing regular file; `found` is its stat through the descriptor. Pipes, sockets and devices are looked at
 * before and never opened, unless one is put there in that very moment; then it is closed again. -1 with errno:
 * ELOOP for a symlink, EINVAL for anything else that is no regular file.
 */
int tm_open_regular(int directory, const char *name, int flags, struct statx *found);

#endif
