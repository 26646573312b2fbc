/*
 * What the parts of the torture writer share: one process that changes a tree at random, by every path the kernel offers.
 *
 * The working directory of the process is the root of the tree; paths of the tree are relative to it. `outside` is an
 * absolute path of a folder on the same file system that is this writer's alone.
 */
#ifndef TORTURE_WRITER_H
#define TORTURE_WRITER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PATH_BYTES 512
/* No file grows beyond this, so that a tree stays small enough to be compared in full after every checkpoint. */
#define MAX_FILE_BYTES (1 << 20)
#define BLOCK 4096

/* MISSED: nothing fitting was there, or another writer was faster. It proves nothing either way. */
enum outcome { DONE, UNSUPPORTED, MISSED, OUTCOMES };

/* What a row asks of its surroundings; the driver leaves it out where it is not given. */
enum need {
  NEEDS_ROOT = 1,
  /* Only a mark on the whole file system sees a file of the root that is written through a name outside of it. */
  NEEDS_FILE_SYSTEM_MARK = 2,
  /* A writer that no list of open files shows: only a lease tells. Overlayfs cannot tell at all. */
  NEEDS_TRUE_LEASES = 4,
};

struct row {
  const char *name;
  enum outcome (*run)(void);
  unsigned weight;
  unsigned needs;
};

extern const struct row rows[];
extern const size_t row_count;

/* Read by the driver through a shared file while this process is stopped. */
struct shared_state {
  /* Transfers that the kernel may still carry out while the process is stopped. */
  _Atomic int64_t in_flight;
  _Atomic int64_t operations;
};

extern struct shared_state *shared;
extern const char *outside;
extern int writer_number;

/* main.c */
uint64_t next_random(void);
uint64_t below(uint64_t limit);
int one_in(unsigned n);
int64_t now_ms(void);
/* Names what the running row works on, for the log; its inode too, because the name may not last. */
void noting(const char *path);
void noting_inode(uint64_t inode);
enum outcome outcome_of(long result);

/* paths.c */
void random_directory(char *path);
void random_file(char *path);
int make_directories(const char *path);
int make_parents(const char *path);
/* Opens an existing file of the tree, or makes one. Negative where luck or the flags forbid it. */
int open_some(char *path, int flags);
/* The same, but only if it exists already and is a regular file. */
int open_existing(char *path, int flags);
int find_existing(char *path);
int find_directory(char *path);
void remove_tree(const char *path);
void populate(const char *path, int files);

/* content.c */
char *random_block(size_t bytes);
size_t random_size(void);
off_t size_of(int fd);
off_t random_offset(int fd);

/* async.c */
long aio_write(int fd, const void *bytes, size_t length, off_t offset);
void aio_finish(void);
long aio_write_and_close(int fd, const void *bytes, size_t length);
long ring_write(int fd, const void *bytes, size_t length, off_t offset, int polled);

int ring_adopt(int fd);
long ring_write_adopted(const void *bytes, size_t length, off_t offset);
void ring_release(void);

/* held.c */
void release_expired(void);
void release_all(void);

/* Rows; each file defines those of its kind. */
#define ROW(name) enum outcome row_##name(void)
ROW(buffered_write);
ROW(append);
ROW(rewrite_keeping_times);
ROW(direct_write);
ROW(truncate_path);
ROW(ftruncate_open);
ROW(open_truncating);
ROW(fallocate_more);
ROW(punch_hole);
ROW(zero_range);
ROW(copy_range);
ROW(reflink);
ROW(tmpfile_link);
ROW(aio_buffered);
ROW(aio_direct);
ROW(aio_closed_in_flight);
ROW(ring_buffered);
ROW(ring_direct);
ROW(ring_polled);
ROW(mapped_held);
ROW(mapped_synced);
ROW(aio_held);
ROW(slow_write);
ROW(ring_fixed_held);
ROW(fd_in_flight);
ROW(other_table);
ROW(loop_device);
ROW(rename_over);
ROW(rename_new);
ROW(exchange_files);
ROW(exchange_directories);
ROW(rename_directory);
ROW(move_out);
ROW(move_in);
ROW(move_file_in);
ROW(move_back);
ROW(outside_link);
ROW(outside_write);
ROW(inside_link);
ROW(make_tree);
ROW(remove_tree);
ROW(unlink_file);
ROW(change_mode);
ROW(change_owner);
ROW(change_times);
ROW(change_xattr);
ROW(change_acl);
ROW(make_symlink);
#undef ROW

#endif
