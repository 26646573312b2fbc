/* What the parts of the census share: looking at things in /proc, and rows. */
#include "census.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define ROW_BYTES 40

/* From linux/stat.h, for older headers. */
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif

int tm_census_look(int folder, const char *name, int flags, struct statx *out) {
  unsigned mask = STATX_BASIC_STATS | STATX_MNT_ID;
  if (!TM_IS_OLD_KERNEL && statx(folder, name, flags | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, mask, out) == 0) return 0;
  if (!TM_IS_OLD_KERNEL && errno != ENOSYS && errno != EPERM) return -1;
  struct stat from;
  if (fstatat(folder, name, &from, flags | AT_NO_AUTOMOUNT) != 0) return -1;
  memset(out, 0, sizeof *out);
  out->stx_dev_major = major(from.st_dev);
  out->stx_dev_minor = minor(from.st_dev);
  out->stx_nlink = (uint32_t)from.st_nlink;
  out->stx_mode = (uint16_t)from.st_mode;
  out->stx_ino = from.st_ino;
  return 0;
}

void tm_census_link(int folder, const char *name, char out[PATH_MAX + 1]) {
  ssize_t length = readlinkat(folder, name, out, PATH_MAX);
  out[length < 0 ? 0 : length] = 0;
}

size_t tm_census_text(int folder, const char *name, char *out, size_t size) {
  int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
  size_t filled = 0;
  while (fd >= 0 && filled < size - 1) {
    ssize_t got = read(fd, out + filled, size - 1 - filled);
    if (got <= 0) break;
    filled += (size_t)got;
  }
  if (fd >= 0) close(fd);
  out[filled] = 0;
  return filled;
}

bool tm_census_wants(const struct census *census, const struct found *found) {
  if (!S_ISREG(found->stat.stx_mode) || found->stat.stx_nlink == 0) return false;
  if (tm_device(&found->stat) == census->device) return true;
  return strncmp(found->name, census->prefix, census->prefix_length) == 0;
}

/* Read for those few that have a row. */
static void read_comm(struct process *process) {
  if (process->comm[0] != 0 || process->pid == 0) return;
  size_t length = tm_census_text(process->folder, "comm", process->comm, sizeof process->comm);
  if (length > 0 && process->comm[length - 1] == '\n') process->comm[length - 1] = 0;
}

void tm_census_add(struct census *census, struct process *process, const struct found *found) {
  read_comm(process);
  size_t comm = strlen(process->comm), name = strlen(found->name);
  size_t padded = (comm + name + 7) & ~(size_t)7;
  unsigned char *at = tm_grow(&census->out, ROW_BYTES + padded);
  if (at == NULL) {
    census->is_out_of_memory = true;
    return;
  }
  uint64_t wide[3] = {tm_device(&found->stat), found->stat.stx_ino,
                      found->stat.stx_mask & STATX_MNT_ID ? found->stat.stx_mnt_id : 0};
  uint32_t numbers[2] = {process->pid, found->stat.stx_nlink};
  unsigned char kinds[2] = {(unsigned char)found->how, found->is_direct};
  uint16_t comm_bytes = (uint16_t)comm;
  uint32_t name_bytes = (uint32_t)name;
  memset(at, 0, ROW_BYTES + padded);
  memcpy(at, wide, sizeof wide);
  memcpy(at + 24, numbers, sizeof numbers);
  memcpy(at + 32, kinds, sizeof kinds);
  memcpy(at + 34, &comm_bytes, sizeof comm_bytes);
  memcpy(at + 36, &name_bytes, sizeof name_bytes);
  memcpy(at + ROW_BYTES, process->comm, comm);
  memcpy(at + ROW_BYTES + comm, found->name, name);
  census->rows++;
}

void tm_census_note_refusal(struct process *process) {
  if (errno == EACCES || errno == EPERM) process->is_hidden = true;
}

DIR *tm_census_list(int folder, const char *name) {
  int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *list = fd < 0 ? NULL : fdopendir(fd);
  if (list == NULL) tm_close_quietly(fd);
  return list;
}
