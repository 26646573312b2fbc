/* Whether what was read is on disk, too. */
#ifndef TIDEMARK_DURABILITY_H
#define TIDEMARK_DURABILITY_H

/* 0, or -1 with the errno of a failed writeback of this file that nobody was told of yet. Writes nothing itself. */
int tm_check_writeback(int fd);

#endif
