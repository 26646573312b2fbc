/*
 * Names. All writers draw from one small name space, so that they meet: what one creates the next one renames, maps or
 * removes. Nothing is remembered; a path is drawn, and where nothing is there another one.
 */
#include "writer.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 12
#define MAX_DEPTH 3
#define FILES_PER_DIRECTORY 7

/* The last one is no valid UTF-8. */
static const char *const file_names[FILES_PER_DIRECTORY] = {"f0", "f1", "f2", "f3", "f4", "f5", "f\xff"};

/* An empty path is the root itself. */
void random_directory(char *path) {
  static const char depths[] = {0, 1, 1, 1, 2, 2, 2, 2, 3, 3};
  int depth = depths[below(sizeof depths)];
  path[0] = 0;
  for (int at = 0; at < depth; at++) sprintf(path + strlen(path), "%s%c", at == 0 ? "" : "/", (char)('a' + below(3)));
}

void random_file(char *path) {
  random_directory(path);
  sprintf(path + strlen(path), "%s%s", path[0] == 0 ? "" : "/", file_names[below(FILES_PER_DIRECTORY)]);
}

int make_directories(const char *path) {
  char partial[PATH_BYTES];
  snprintf(partial, sizeof partial, "%s", path);
  for (char *at = partial + 1; *partial != 0; at++) {
    if (*at != '/' && *at != 0) continue;
    char kept = *at;
    *at = 0;
    if (mkdir(partial, 0755) != 0 && errno != EEXIST) return -1;
    if (kept == 0) break;
    *at = kept;
  }
  return 0;
}

int make_parents(const char *path) {
  char parent[PATH_BYTES];
  snprintf(parent, sizeof parent, "%s", path);
  char *slash = strrchr(parent, '/');
  if (slash == NULL || slash == parent) return 0;
  *slash = 0;
  return make_directories(parent);
}

int open_existing(char *path, int flags) {
  for (int attempt = 0; attempt < TRIES; attempt++) {
    random_file(path);
    int fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == EINVAL || errno == EOPNOTSUPP)) return -1;
    if (fd < 0) continue;
    struct stat stat;
    if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode)) return noting(path), fd;
    close(fd);
  }
  errno = ENOENT;
  return -1;
}

int open_some(char *path, int flags) {
  int fd = open_existing(path, flags);
  if (fd >= 0 || errno != ENOENT) return fd;
  random_file(path);
  if (make_parents(path) != 0) return -1;
  fd = open(path, flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd >= 0) noting(path);
  return fd;
}

int find_existing(char *path) {
  struct stat stat;
  for (int attempt = 0; attempt < TRIES; attempt++) {
    random_file(path);
    if (lstat(path, &stat) == 0 && S_ISREG(stat.st_mode)) return noting(path), 0;
  }
  errno = ENOENT;
  return -1;
}

/* Never the root itself. */
int find_directory(char *path) {
  struct stat stat;
  for (int attempt = 0; attempt < TRIES; attempt++) {
    random_directory(path);
    if (path[0] != 0 && lstat(path, &stat) == 0 && S_ISDIR(stat.st_mode)) return noting(path), 0;
  }
  errno = ENOENT;
  return -1;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *where) {
  (void)stat;
  (void)type;
  (void)where;
  remove(path);
  return 0;
}

/* Goes on where another writer was faster. */
void remove_tree(const char *path) { nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT); }

/* Fills a folder, usually one outside of the root, with the same names as everywhere, so that they go on being used. */
void populate(const char *path, int files) {
  char inside[PATH_BYTES], whole[PATH_BYTES * 2];
  make_directories(path);
  for (int at = 0; at < files; at++) {
    random_file(inside);
    snprintf(whole, sizeof whole, "%s/%s", path, inside);
    if (make_parents(whole) != 0) continue;
    int fd = open(whole, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) continue;
    noting(whole);
    size_t bytes = random_size();
    if (write(fd, random_block(bytes), bytes) < 0) at = files;
    close(fd);
  }
}
