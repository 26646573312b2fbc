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
#include "census.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first process namespace; from linux/proc_ns.h. */
#define FIRST_PID_NAMESPACE "pid:[4026531836]"

/* Threads of the kernel hold no files, but as another user they cannot be told from processes that do. */
static bool is_kernel_thread(const struct process *process) {
  char text[1024];
  tm_census_text(process->folder, "stat", text, sizeof text);
  const char *rest = strrchr(text, ')');
  unsigned flags = 0;
  if (rest == NULL || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1) return false;
  return (flags & 0x00200000 /* PF_KTHREAD */) != 0;
}

static void look_at_process(struct census *census, int proc, const char *name) {
  struct process process = {.pid = (uint32_t)strtoul(name, NULL, 10)};
  process.folder = openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (process.folder < 0) return;
  tm_census_descriptors(census, &process);
  if (!process.is_hidden) tm_census_mappings(census, &process);
  if (process.is_hidden && !is_kernel_thread(&process)) census->hidden++;
  close(process.folder);
}

static bool look_at_processes(struct census *census) {
  DIR *list = tm_census_list(AT_FDCWD, "/proc");
  if (list == NULL) return false;
  bool sees_first = false;
  for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    if (strcmp(entry->d_name, "1") == 0) sees_first = true;
    look_at_process(census, dirfd(list), entry->d_name);
  }
  closedir(list);
  char space[PATH_MAX + 1];
  tm_census_link(AT_FDCWD, "/proc/self/ns/pid", space);
  /* Without process 1, /proc is mounted so that it hides those of others; in a namespace, those outside do not show. */
  return sees_first && strcmp(space, FIRST_PID_NAMESPACE) == 0;
}

static void look_at_loop(struct census *census, int block, const char *name) {
  struct process kernel = {.folder = -1};
  char path[64], text[8];
  struct found found = {.how = BY_LOOP};
  snprintf(path, sizeof path, "%.24s/ro", name);
  tm_census_text(block, path, text, sizeof text);
  if (text[0] == '1') return;
  snprintf(path, sizeof path, "%.24s/loop/backing_file", name);
  size_t length = tm_census_text(block, path, found.name, sizeof found.name);
  if (length == 0) return;
  if (found.name[length - 1] == '\n') found.name[length - 1] = 0;
  if (tm_census_look(AT_FDCWD, found.name, AT_SYMLINK_NOFOLLOW, &found.stat) != 0) return;
  snprintf(path, sizeof path, "%.24s/loop/dio", name);
  tm_census_text(block, path, text, sizeof text);
  found.is_direct = text[0] == '1';
  if (tm_census_wants(census, &found)) tm_census_add(census, &kernel, &found);
}

static void look_at_loops(struct census *census) {
  DIR *list = tm_census_list(AT_FDCWD, "/sys/block");
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
