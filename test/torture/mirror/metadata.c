/*
 * Gives entries the owner, mode, extended attributes, access list and modification time of others, to the nanosecond,
 * which Node cannot: `metadata < pairs`, each pair two paths that end in a zero byte, source and target. A source that is
 * gone is passed over.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <fcntl.h>

#define NAMES_BYTES 65536

/* What lies below other prefixes belongs to the kernel or to the file system. */
static int is_carried(const char *name) {
  return strncmp(name, "user.", 5) == 0 || strcmp(name, "system.posix_acl_access") == 0 ||
         strcmp(name, "system.posix_acl_default") == 0;
}

static void remove_attributes(const char *path) {
  static char names[NAMES_BYTES];
  ssize_t bytes = llistxattr(path, names, sizeof names);
  for (char *name = names; bytes > 0 && name < names + bytes; name += strlen(name) + 1) {
    if (is_carried(name)) lremovexattr(path, name);
  }
}

static void copy_attributes(const char *from, const char *to) {
  static char names[NAMES_BYTES], value[NAMES_BYTES];
  ssize_t bytes = llistxattr(from, names, sizeof names);
  for (char *name = names; bytes > 0 && name < names + bytes; name += strlen(name) + 1) {
    if (!is_carried(name)) continue;
    ssize_t length = lgetxattr(from, name, value, sizeof value);
    if (length >= 0 && lsetxattr(to, name, value, (size_t)length, 0) != 0) perror(to);
  }
}

/* The access list last but one: it and the mode overwrite each other's bits, to the same end. */
static void copy(const char *from, const char *to) {
  struct stat stat;
  if (lstat(from, &stat) != 0) return;
  if (lchown(to, stat.st_uid, stat.st_gid) != 0) perror(to);
  remove_attributes(to);
  if (!S_ISLNK(stat.st_mode) && chmod(to, stat.st_mode & 07777) != 0) perror(to);
  copy_attributes(from, to);
  struct timespec times[2] = {stat.st_atim, stat.st_mtim};
  if (utimensat(AT_FDCWD, to, times, AT_SYMLINK_NOFOLLOW) != 0) perror(to);
}

int main(void) {
  char *from = NULL, *to = NULL;
  size_t from_room = 0, to_room = 0;
  while (getdelim(&from, &from_room, 0, stdin) > 0 && getdelim(&to, &to_room, 0, stdin) > 0) copy(from, to);
  free(from);
  free(to);
  return 0;
}
