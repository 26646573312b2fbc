/* Rows that change names: renames of all kinds, links, trees that come and go, and what is known about an entry. */
#include "writer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As many trees may wait outside to be moved back in, and as many files with a second name inside. */
#define PLACES 6

static void outside_path(char *path, char kind, unsigned number) {
  snprintf(path, PATH_BYTES, "%s/%c%u", outside, kind, number);
}

static int is_there(const char *path) {
  struct stat stat;
  return lstat(path, &stat) == 0;
}

enum outcome row_rename_over(void) {
  char from[PATH_BYTES], to[PATH_BYTES];
  if (find_existing(from) != 0 || find_existing(to) != 0 || strcmp(from, to) == 0) return MISSED;
  return outcome_of(rename(from, to));
}

static enum outcome rename_to_new(const char *from, const char *to) {
  make_parents(to);
  noting(to);
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return DONE;
  /* EINVAL: below itself. */
  return errno == EINVAL ? MISSED : outcome_of(-1);
}

enum outcome row_rename_new(void) {
  char from[PATH_BYTES], to[PATH_BYTES];
  if (find_existing(from) != 0) return MISSED;
  random_file(to);
  return rename_to_new(from, to);
}

static enum outcome exchange(const char *one, const char *other) {
  if (renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) == 0) return DONE;
  return errno == EINVAL ? MISSED : outcome_of(-1);
}

enum outcome row_exchange_files(void) {
  char one[PATH_BYTES], other[PATH_BYTES];
  if (find_existing(one) != 0 || find_existing(other) != 0 || strcmp(one, other) == 0) return MISSED;
  return exchange(one, other);
}

/* Now and then a directory with a file. */
enum outcome row_exchange_directories(void) {
  char one[PATH_BYTES], other[PATH_BYTES];
  if (find_directory(one) != 0) return MISSED;
  if ((one_in(6) ? find_existing(other) : find_directory(other)) != 0 || strcmp(one, other) == 0) return MISSED;
  return exchange(one, other);
}

enum outcome row_rename_directory(void) {
  char from[PATH_BYTES], to[PATH_BYTES];
  if (find_directory(from) != 0) return MISSED;
  random_directory(to);
  return to[0] == 0 ? MISSED : rename_to_new(from, to);
}

enum outcome row_move_out(void) {
  char from[PATH_BYTES], to[PATH_BYTES];
  if ((one_in(5) ? find_existing(from) : find_directory(from)) != 0) return MISSED;
  outside_path(to, 'm', (unsigned)below(PLACES));
  remove_tree(to);
  return outcome_of(rename(from, to));
}

/* Puts a tree from outside at a random place; what is in its way goes out and is removed there. */
static enum outcome bring_in(const char *tree) {
  char to[PATH_BYTES];
  random_directory(to);
  if (to[0] == 0) return MISSED;
  enum outcome outcome = rename_to_new(tree, to);
  if (outcome == DONE || errno != EEXIST) return outcome;
  outcome = exchange(tree, to);
  remove_tree(tree);
  return outcome;
}

enum outcome row_move_in(void) {
  char tree[PATH_BYTES];
  outside_path(tree, 't', 0);
  remove_tree(tree);
  populate(tree, 2 + (int)below(12));
  return bring_in(tree);
}

/* Made outside and put over a file of the root, or under a new name: how many programs save. */
enum outcome row_move_file_in(void) {
  char file[PATH_BYTES], to[PATH_BYTES];
  outside_path(file, 'f', 0);
  int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return MISSED;
  size_t bytes = random_size();
  long written = write(fd, random_block(bytes), bytes);
  close(fd);
  if (written < 0) return MISSED;
  if (one_in(3) || find_existing(to) != 0) {
    random_file(to);
    make_parents(to);
    noting(to);
  }
  return outcome_of(rename(file, to));
}

/* Changed outside, where nobody looks, then moved in again. */
enum outcome row_move_back(void) {
  char tree[PATH_BYTES];
  outside_path(tree, 'm', (unsigned)below(PLACES));
  struct stat stat;
  if (lstat(tree, &stat) != 0 || !S_ISDIR(stat.st_mode)) return MISSED;
  if (one_in(2)) populate(tree, 1 + (int)below(4));
  return bring_in(tree);
}

enum outcome row_outside_link(void) {
  char file[PATH_BYTES], to[PATH_BYTES];
  outside_path(file, 'h', (unsigned)below(PLACES));
  if (one_in(3)) unlink(file);
  if (!is_there(file)) {
    int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return MISSED;
    size_t bytes = random_size();
    if (write(fd, random_block(bytes), bytes) < 0) return close(fd), MISSED;
    close(fd);
  }
  random_file(to);
  make_parents(to);
  noting(to);
  /* ENOENT and EEXIST are lost races; a file that has lost all its names cannot be linked. */
  return outcome_of(link(file, to));
}

/* The name used lies outside of the root, the content inside. */
enum outcome row_outside_write(void) {
  char file[PATH_BYTES];
  outside_path(file, 'h', (unsigned)below(PLACES));
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return MISSED;
  struct stat stat;
  fstat(fd, &stat);
  size_t bytes = random_size();
  off_t offset = random_offset(fd);
  noting(file);
  long written = one_in(2) ? pwrite(fd, random_block(bytes), bytes, offset)
                           : aio_write(fd, random_block(bytes), bytes, offset);
  close(fd);
  return stat.st_nlink < 2 ? MISSED : outcome_of(written);
}

enum outcome row_inside_link(void) {
  char from[PATH_BYTES], to[PATH_BYTES];
  if (find_existing(from) != 0) return MISSED;
  random_file(to);
  make_parents(to);
  noting(to);
  return outcome_of(link(from, to));
}

enum outcome row_make_tree(void) {
  char path[PATH_BYTES];
  random_directory(path);
  if (path[0] == 0) return MISSED;
  noting(path);
  populate(path, 1 + (int)below(6));
  return DONE;
}

enum outcome row_remove_tree(void) {
  char path[PATH_BYTES];
  if ((one_in(4) ? (random_file(path), 0) : find_directory(path)) != 0 || !is_there(path)) return MISSED;
  noting(path);
  remove_tree(path);
  return DONE;
}

enum outcome row_unlink_file(void) {
  char path[PATH_BYTES];
  return find_existing(path) != 0 ? MISSED : outcome_of(unlink(path));
}

/* The owner can always read and write, so that a run without privileges can go on. */
enum outcome row_change_mode(void) {
  char path[PATH_BYTES];
  int is_directory = one_in(4);
  if ((is_directory ? find_directory(path) : find_existing(path)) != 0) return MISSED;
  return outcome_of(chmod(path, (mode_t)((is_directory ? 0700 : 0600) | below(0100))));
}

enum outcome row_change_owner(void) {
  char path[PATH_BYTES];
  if (find_existing(path) != 0) return MISSED;
  return outcome_of(chown(path, (uid_t)below(3) * 1000, (gid_t)below(3) * 1000));
}

enum outcome row_change_times(void) {
  char path[PATH_BYTES];
  if (find_existing(path) != 0) return MISSED;
  struct timespec times[2] = {
      {.tv_nsec = UTIME_OMIT},
      {.tv_sec = (time_t)below(2000000000), .tv_nsec = (long)below(1000000000)},
  };
  return outcome_of(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

enum outcome row_change_xattr(void) {
  char path[PATH_BYTES], value[64];
  if ((one_in(4) ? find_directory(path) : find_existing(path)) != 0) return MISSED;
  const char *name = one_in(2) ? "user.torture" : "user.other";
  if (one_in(4) && removexattr(path, name) == 0) return DONE;
  snprintf(value, sizeof value, "%llu", (unsigned long long)next_random());
  return outcome_of(setxattr(path, name, value, strlen(value), 0));
}

/* An access list as the kernel stores it: version 2, then tag, permissions and id of each entry, in this order. */
enum outcome row_change_acl(void) {
  char path[PATH_BYTES];
  if (find_existing(path) != 0) return MISSED;
  struct {
    uint32_t version;
    struct {
      uint16_t tag, permissions;
      uint32_t id;
    } entries[5];
  } list = {2, {{1, 6, ~0U}, {2, (uint16_t)below(8), 1234}, {4, 4, ~0U}, {16, 7, ~0U}, {32, 4, ~0U}}};
  return outcome_of(setxattr(path, "system.posix_acl_access", &list, sizeof list, 0));
}

enum outcome row_make_symlink(void) {
  char path[PATH_BYTES], directory[PATH_BYTES], target[64];
  random_directory(directory);
  make_directories(directory);
  snprintf(path, sizeof path, "%s%sl%d", directory, directory[0] == 0 ? "" : "/", (int)below(2));
  snprintf(target, sizeof target, "../target-%d", (int)below(1000));
  noting(path);
  unlink(path);
  return outcome_of(symlink(target, path));
}
