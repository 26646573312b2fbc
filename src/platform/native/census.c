/*
 * Who can write at this moment: descriptors and shared mappings of all processes, and loop devices.
 *
 * The answer is one block, all numbers in the byte order of the machine:
 *   u32 rows · u32 hidden processes · u32 sees all processes · u32 unused
 *   rows × { u64 dev · u64 ino · u64 mount · u32 pid · u32 nlink · u8 how · u8 direct · u16 bytes of process
 *            · u32 bytes of name · process · name, padded to 8 }
 *   how: 0 descriptor, 1 mapping, 2 loop
 *
 * A file is told by what the descriptor really is (statx through /proc), never by its name alone: names are those of
 * the process's own mount namespace. What cannot be seen here: descriptors under way in a socket, asynchronous writes
 * whose descriptor was closed, writers inside the kernel (nfsd, swap), other hosts. All but the last a lease notices.
 */
#include "block.h"
#include "paths.h"
#include "stat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COMM_BYTES 64
#define ROW_BYTES 40
#define FDINFO_BYTES 16384

/* From linux/stat.h, for older headers. */
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif

/* The first process namespace; from linux/proc_ns.h. */
#define FIRST_PID_NAMESPACE "pid:[4026531836]"

enum how { BY_DESCRIPTOR = 0, BY_MAPPING = 1, BY_LOOP = 2 };

struct census {
  uint64_t device;
  const char *prefix;
  size_t prefix_length;
  struct block out;
  uint32_t rows, hidden;
  bool is_out_of_memory;
};

/* The process that is looked at. */
struct process {
  int folder;
  uint32_t pid;
  bool is_hidden;
  char comm[COMM_BYTES];
  uint64_t last_ino;
};

struct found {
  struct statx stat;
  enum how how;
  bool is_direct;
  char name[PATH_MAX + 1];
};

/* Waits for no server: a dead network mount must not hang the census. */
static int look(int folder, const char *name, int flags, struct statx *out) {
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

static void read_link(int folder, const char *name, char out[PATH_MAX + 1]) {
  ssize_t length = readlinkat(folder, name, out, PATH_MAX);
  out[length < 0 ? 0 : length] = 0;
}

/* NUL-terminated; 0 where it cannot be read. */
static size_t read_text(int folder, const char *name, char *out, size_t size) {
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

/* A file without a name can be nobody's file in the tree. */
static bool is_wanted(const struct census *census, const struct found *found) {
  if (!S_ISREG(found->stat.stx_mode) || found->stat.stx_nlink == 0) return false;
  if (tm_device(&found->stat) == census->device) return true;
  return strncmp(found->name, census->prefix, census->prefix_length) == 0;
}

static void add(struct census *census, const struct process *process, const struct found *found) {
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

static void note_refusal(struct process *process) {
  if (errno == EACCES || errno == EPERM) process->is_hidden = true;
}

static bool was_opened_direct(int folder, const char *infos, const char *name) {
  char path[64], text[512];
  snprintf(path, sizeof path, "%s/%s", infos, name);
  read_text(folder, path, text, sizeof text);
  const char *flags = strstr(text, "flags:");
  return flags != NULL && (strtoul(flags + 6, NULL, 8) & O_DIRECT) != 0;
}

/* Files registered with a ring can be written to without a descriptor; whether they were opened for it does not show. */
static void add_registered_files(struct census *census, struct process *process, const char *infos, const char *name) {
  char path[64];
  char *text = malloc(FDINFO_BYTES);
  if (text == NULL) return;
  snprintf(path, sizeof path, "%s/%s", infos, name);
  read_text(process->folder, path, text, FDINFO_BYTES);
  char *line = strstr(text, "UserFiles:");
  unsigned long count = line == NULL ? 0 : strtoul(line + 10, NULL, 10);
  for (line = line == NULL ? NULL : strchr(line, '\n'); line != NULL && count > 0; count--) {
    char *start = strchr(++line, '/'), *end = strchr(line, '\n');
    if (end == NULL) break;
    *end = 0;
    struct found found = {.how = BY_DESCRIPTOR};
    if (start != NULL && start < end && look(AT_FDCWD, start, AT_SYMLINK_NOFOLLOW, &found.stat) == 0) {
      snprintf(found.name, sizeof found.name, "%s", start);
      if (is_wanted(census, &found)) add(census, process, &found);
    }
    line = end;
  }
  free(text);
}

/* `name`: of a link in a directory of descriptors. Its owner-write bit says whether the file was opened for writing. */
static void look_at_descriptor(struct census *census, struct process *process, int links, const char *name,
                               const char *infos) {
  struct found found = {.how = BY_DESCRIPTOR};
  if (look(links, name, AT_SYMLINK_NOFOLLOW, &found.stat) != 0) return note_refusal(process);
  if ((found.stat.stx_mode & S_IWUSR) == 0) return;
  if (look(links, name, 0, &found.stat) != 0) return note_refusal(process);
  unsigned type = found.stat.stx_mode & S_IFMT;
  if (type != S_IFREG && type != 0) return;
  read_link(links, name, found.name);
  if (strcmp(found.name, "anon_inode:[io_uring]") == 0)
    return add_registered_files(census, process, infos, name);
  if (!is_wanted(census, &found)) return;
  found.is_direct = was_opened_direct(process->folder, infos, name);
  add(census, process, &found);
}

static DIR *open_list(int folder, const char *name) {
  int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *list = fd < 0 ? NULL : fdopendir(fd);
  if (list == NULL) tm_close_quietly(fd);
  return list;
}

static void look_at_descriptors(struct census *census, struct process *process, const char *links, const char *infos) {
  DIR *list = open_list(process->folder, links);
  if (list == NULL) return note_refusal(process);
  for (struct dirent *entry; (entry = readdir(list)) != NULL;)
    if (entry->d_name[0] != '.') look_at_descriptor(census, process, dirfd(list), entry->d_name, infos);
  closedir(list);
}

/* A thread may have taken its descriptors apart from the others', or outlive the first one, which then has none. */
static void look_at_threads(struct census *census, struct process *process) {
  struct statx task;
  /* `.`, the parent, and one for each thread. */
  if (look(process->folder, "task", 0, &task) != 0 || task.stx_nlink <= 3) return;
  DIR *list = open_list(process->folder, "task");
  if (list == NULL) return;
  for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
    long thread = strtol(entry->d_name, NULL, 10);
    if (thread <= 0 || (uint32_t)thread == process->pid) continue;
    if (syscall(SYS_kcmp, process->pid, thread, KCMP_FILES, 0, 0) <= 0) continue;
    char links[64], infos[64];
    snprintf(links, sizeof links, "task/%ld/fd", thread);
    snprintf(infos, sizeof infos, "task/%ld/fdinfo", thread);
    look_at_descriptors(census, process, links, infos);
  }
  closedir(list);
}

/*
 * `line` of /proc/pid/maps. The link in map_files tells whether the file behind was opened for writing: then a mapping
 * that cannot be written to now can be made so at any time.
 */
static void look_at_mapping(struct census *census, struct process *process, const char *line) {
  unsigned long start, end, offset, ino;
  unsigned device_major, device_minor;
  char permissions[8], link[64];
  int used = 0;
  struct found found = {.how = BY_MAPPING};
  if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %n", &start, &end, permissions, &offset, &device_major, &device_minor,
             &ino, &used) < 7)
    return;
  snprintf(link, sizeof link, "map_files/%lx-%lx", start, end);
  bool can_write = permissions[1] == 'w';
  if (look(process->folder, link, AT_SYMLINK_NOFOLLOW, &found.stat) == 0)
    can_write = (found.stat.stx_mode & S_IWUSR) != 0;
  if (!can_write) return;
  read_link(process->folder, link, found.name);
  if (found.name[0] == 0) snprintf(found.name, sizeof found.name, "%s", line + used);
  /* Following the link takes a capability; without it the name has to lead to the same inode. */
  if (look(process->folder, link, 0, &found.stat) != 0 &&
      (look(AT_FDCWD, found.name, AT_SYMLINK_NOFOLLOW, &found.stat) != 0 || found.stat.stx_ino != ino))
    return;
  if (!is_wanted(census, &found) || process->last_ino == found.stat.stx_ino) return;
  process->last_ino = found.stat.stx_ino;
  add(census, process, &found);
}

/* Shared mappings of files: the fourth letter of the permissions is `s`, and the inode is not 0. */
static void look_at_mappings(struct census *census, struct process *process) {
  int fd = openat(process->folder, "maps", O_RDONLY | O_CLOEXEC);
  FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
  if (maps == NULL) {
    note_refusal(process);
    return tm_close_quietly(fd);
  }
  char *line = NULL;
  size_t size = 0;
  for (ssize_t length; (length = getline(&line, &size, maps)) > 0;) {
    const char *space = strchr(line, ' ');
    if (space == NULL || line + length - space < 5 || space[4] != 's') continue;
    if (line[length - 1] == '\n') line[length - 1] = 0;
    look_at_mapping(census, process, line);
  }
  free(line);
  fclose(maps);
}

/* Threads of the kernel hold no files, but as another user they cannot be told from processes that do. */
static bool is_kernel_thread(const struct process *process) {
  char text[1024];
  read_text(process->folder, "stat", text, sizeof text);
  const char *rest = strrchr(text, ')');
  unsigned flags = 0;
  if (rest == NULL || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1) return false;
  return (flags & 0x00200000 /* PF_KTHREAD */) != 0;
}

static void look_at_process(struct census *census, int proc, const char *name) {
  struct process process = {.pid = (uint32_t)strtoul(name, NULL, 10)};
  process.folder = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (process.folder < 0) return;
  size_t length = read_text(process.folder, "comm", process.comm, sizeof process.comm);
  if (length > 0 && process.comm[length - 1] == '\n') process.comm[length - 1] = 0;
  look_at_descriptors(census, &process, "fd", "fdinfo");
  if (!process.is_hidden) {
    look_at_threads(census, &process);
    look_at_mappings(census, &process);
  }
  if (process.is_hidden && !is_kernel_thread(&process)) census->hidden++;
  close(process.folder);
}

static bool look_at_processes(struct census *census) {
  DIR *list = open_list(AT_FDCWD, "/proc");
  if (list == NULL) return false;
  bool sees_first = false;
  for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    if (strcmp(entry->d_name, "1") == 0) sees_first = true;
    look_at_process(census, dirfd(list), entry->d_name);
  }
  closedir(list);
  char space[PATH_MAX + 1];
  read_link(AT_FDCWD, "/proc/self/ns/pid", space);
  /* Without process 1, /proc is mounted so that it hides those of others; in a namespace, those outside do not show. */
  return sees_first && strcmp(space, FIRST_PID_NAMESPACE) == 0;
}

static void look_at_loop(struct census *census, int block, const char *name) {
  static const struct process kernel = {.folder = -1};
  char path[64], text[8];
  struct found found = {.how = BY_LOOP};
  snprintf(path, sizeof path, "%.24s/ro", name);
  read_text(block, path, text, sizeof text);
  if (text[0] == '1') return;
  snprintf(path, sizeof path, "%.24s/loop/backing_file", name);
  size_t length = read_text(block, path, found.name, sizeof found.name);
  if (length == 0) return;
  if (found.name[length - 1] == '\n') found.name[length - 1] = 0;
  if (look(AT_FDCWD, found.name, AT_SYMLINK_NOFOLLOW, &found.stat) != 0) return;
  snprintf(path, sizeof path, "%.24s/loop/dio", name);
  read_text(block, path, text, sizeof text);
  found.is_direct = text[0] == '1';
  if (is_wanted(census, &found)) add(census, &kernel, &found);
}

static void look_at_loops(struct census *census) {
  DIR *list = open_list(AT_FDCWD, "/sys/block");
  if (list == NULL) return;
  for (struct dirent *entry; (entry = readdir(list)) != NULL;)
    if (strncmp(entry->d_name, "loop", 4) == 0) look_at_loop(census, dirfd(list), entry->d_name);
  closedir(list);
}

/* NULL: thrown. */
static napi_value as_buffer(napi_env env, const struct census *census, bool sees_all) {
  uint32_t head[4] = {census->rows, census->hidden, sees_all, 0};
  void *data;
  napi_value result = NULL;
  if (census->is_out_of_memory) return tm_throw(env, ENOMEM, "malloc");
  if (napi_create_arraybuffer(env, sizeof head + census->out.length, &data, &result) != napi_ok) return NULL;
  memcpy(data, head, sizeof head);
  if (census->out.length > 0) memcpy((unsigned char *)data + sizeof head, census->out.data, census->out.length);
  return result;
}

/* openWriters(device, prefix): ArrayBuffer */
static napi_value open_writers(napi_env env, napi_callback_info info) {
  napi_value values[2];
  struct tm_bytes prefix;
  int64_t device;
  if (!tm_arguments(env, info, 2, values) || !tm_bigint(env, values[0], &device) ||
      !tm_bytes_of(env, values[1], &prefix))
    return NULL;
  struct census census = {.device = (uint64_t)device, .prefix = prefix.data, .prefix_length = prefix.length};
  bool sees_all = look_at_processes(&census);
  look_at_loops(&census);
  napi_value result = as_buffer(env, &census, sees_all);
  free(census.out.data);
  tm_release(&prefix);
  return result;
}

void tm_register_census(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {{"openWriters", open_writers}};
  tm_export(env, exports, functions, TM_COUNT(functions));
}
