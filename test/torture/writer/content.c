/* Rows that change what one file holds, by plain system calls that have happened when they return. */
#include "writer.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Aligned for O_DIRECT, new bytes at each call. Only one is in use at a time, save what a thread makes for itself. */
char *random_block(size_t bytes) {
  static char *block;
  if (block == NULL && posix_memalign((void **)&block, BLOCK, MAX_FILE_BYTES + 2 * BLOCK) != 0) abort();
  uint64_t *words = (uint64_t *)block;
  for (size_t at = 0; at <= bytes / sizeof *words; at++) words[at] = next_random();
  return block;
}

size_t random_size(void) {
  uint64_t drawn = below(20);
  if (drawn == 0) return 1 + below(MAX_FILE_BYTES / 2);
  return 1 + below(drawn < 6 ? 64 << 10 : 12 << 10);
}

off_t size_of(int fd) {
  struct stat stat;
  return fstat(fd, &stat) == 0 ? stat.st_size : 0;
}

off_t random_offset(int fd) {
  off_t offset = (off_t)below((uint64_t)size_of(fd) + 1);
  return offset > MAX_FILE_BYTES / 2 ? offset / 4 : offset;
}

static size_t blocks(size_t bytes) { return (bytes + BLOCK - 1) / BLOCK * BLOCK; }

static enum outcome closing(int fd, long result) {
  enum outcome outcome = outcome_of(result);
  close(fd);
  return outcome;
}

enum outcome row_buffered_write(void) {
  char path[PATH_BYTES];
  int fd = open_some(path, O_RDWR);
  if (fd < 0) return MISSED;
  size_t bytes = random_size();
  return closing(fd, pwrite(fd, random_block(bytes), bytes, random_offset(fd)));
}

enum outcome row_append(void) {
  char path[PATH_BYTES];
  int fd = open_some(path, O_WRONLY | O_APPEND);
  if (fd < 0) return MISSED;
  size_t bytes = 1 + below(4000);
  if (size_of(fd) > MAX_FILE_BYTES / 2) return closing(fd, ftruncate(fd, 100));
  return closing(fd, write(fd, random_block(bytes), bytes));
}

/* Size and modification time are as before; only ctime, or an event, can tell. */
enum outcome row_rewrite_keeping_times(void) {
  char path[PATH_BYTES];
  int fd = open_existing(path, O_RDWR);
  if (fd < 0) return MISSED;
  struct stat before;
  fstat(fd, &before);
  if (before.st_size == 0) return close(fd), MISSED;
  size_t bytes = before.st_size < 8192 ? (size_t)before.st_size : 8192;
  long result = pwrite(fd, random_block(bytes), bytes, 0);
  struct timespec times[2] = {before.st_atim, before.st_mtim};
  futimens(fd, times);
  return closing(fd, result);
}

enum outcome row_direct_write(void) {
  char path[PATH_BYTES];
  int fd = open_some(path, O_RDWR | O_DIRECT);
  if (fd < 0) return outcome_of(fd);
  size_t bytes = blocks(1 + below(32 << 10));
  return closing(fd, pwrite(fd, random_block(bytes), bytes, random_offset(fd) / BLOCK * BLOCK));
}

enum outcome row_truncate_path(void) {
  char path[PATH_BYTES];
  return find_existing(path) != 0 ? MISSED : outcome_of(truncate(path, (off_t)random_size()));
}

enum outcome row_ftruncate_open(void) {
  char path[PATH_BYTES];
  int fd = open_existing(path, O_RDWR);
  return fd < 0 ? MISSED : closing(fd, ftruncate(fd, (off_t)random_size()));
}

enum outcome row_open_truncating(void) {
  char path[PATH_BYTES];
  int fd = open_existing(path, O_WRONLY | O_TRUNC);
  if (fd < 0) return MISSED;
  size_t bytes = one_in(3) ? 0 : random_size();
  return closing(fd, write(fd, random_block(bytes), bytes));
}

static enum outcome allocate(int mode) {
  char path[PATH_BYTES];
  int fd = open_some(path, O_RDWR);
  if (fd < 0) return MISSED;
  return closing(fd, fallocate(fd, mode, random_offset(fd), 1 + (off_t)below(32 << 10)));
}

enum outcome row_fallocate_more(void) { return allocate(one_in(2) ? 0 : FALLOC_FL_KEEP_SIZE); }

enum outcome row_punch_hole(void) { return allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE); }

enum outcome row_zero_range(void) { return allocate(FALLOC_FL_ZERO_RANGE); }

static enum outcome between(long (*transfer)(int from, int to)) {
  char path[PATH_BYTES];
  int from = open_existing(path, O_RDONLY);
  if (from < 0) return MISSED;
  int to = open_some(path, O_RDWR);
  if (to < 0) return close(from), MISSED;
  long result = transfer(from, to);
  enum outcome outcome = closing(to, result);
  close(from);
  return outcome;
}

static long copy_some(int from, int to) {
  off_t in = random_offset(from), out = random_offset(to);
  return copy_file_range(from, &in, to, &out, 1 + below(64 << 10), 0);
}

/* EINVAL here means overlapping ranges of one file, which says nothing about the file system. */
enum outcome row_copy_range(void) {
  enum outcome outcome = between(copy_some);
  return outcome == UNSUPPORTED && errno == EINVAL ? MISSED : outcome;
}

static long clone_whole(int from, int to) { return ioctl(to, FICLONE, from); }

enum outcome row_reflink(void) { return between(clone_whole); }

enum outcome row_tmpfile_link(void) {
  char path[PATH_BYTES], directory[PATH_BYTES], by_descriptor[64];
  random_directory(directory);
  make_directories(directory);
  int fd = open(directory[0] == 0 ? "." : directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0644);
  if (fd < 0) return outcome_of(fd);
  size_t bytes = random_size();
  if (write(fd, random_block(bytes), bytes) < 0) return closing(fd, -1);
  random_file(path);
  make_parents(path);
  noting(path);
  snprintf(by_descriptor, sizeof by_descriptor, "/proc/self/fd/%d", fd);
  long result = linkat(AT_FDCWD, by_descriptor, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
  /* Written once more under its name, so that creation is not all there is to see. */
  if (result == 0 && one_in(2) && write(fd, random_block(100), 100) < 0) result = -1;
  return closing(fd, result);
}
