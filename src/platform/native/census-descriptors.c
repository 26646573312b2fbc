/* Descriptors opened for writing, of one process. */
#include "census.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDINFO_BYTES 16384

static bool was_opened_direct(int folder, const char *infos, const char *name) {
  char path[64], text[512];
  snprintf(path, sizeof path, "%s/%s", infos, name);
  tm_census_text(folder, path, text, sizeof text);
  const char *flags = strstr(text, "flags:");
  return flags != NULL && (strtoul(flags + 6, NULL, 8) & O_DIRECT) != 0;
}

/* Files registered with a ring can be written to without a descriptor; whether they were opened for it does not show. */
static void add_registered_files(struct census *census, struct process *process, const char *infos, const char *name) {
  char path[64];
  char *text = malloc(FDINFO_BYTES);
  if (text == NULL) return;
  snprintf(path, sizeof path, "%s/%s", infos, name);
  tm_census_text(process->folder, path, text, FDINFO_BYTES);
  char *line = strstr(text, "UserFiles:");
  unsigned long count = line == NULL ? 0 : strtoul(line + 10, NULL, 10);
  for (line = line == NULL ? NULL : strchr(line, '\n'); line != NULL && count > 0; count--) {
    char *start = strchr(++line, '/'), *end = strchr(line, '\n');
    if (end == NULL) break;
    *end = 0;
    struct found found = {.how = BY_DESCRIPTOR};
    if (start != NULL && start < end && tm_census_look(AT_FDCWD, start, AT_SYMLINK_NOFOLLOW, &found.stat) == 0) {
      snprintf(found.name, sizeof found.name, "%s", start);
      if (tm_census_wants(census, &found)) tm_census_add(census, process, &found);
    }
    line = end;
  }
  free(text);
}

/* `name`: of a link in a directory of descriptors. Its owner-write bit says whether the file was opened for writing. */
static void look_at_descriptor(struct census *census, struct process *process, int links, const char *name,
                               const char *infos) {
  struct found found = {.how = BY_DESCRIPTOR};
  if (tm_census_look(links, name, AT_SYMLINK_NOFOLLOW, &found.stat) != 0) return tm_census_note_refusal(process);
  if ((found.stat.stx_mode & S_IWUSR) == 0) return;
  if (tm_census_look(links, name, 0, &found.stat) != 0) return tm_census_note_refusal(process);
  unsigned type = found.stat.stx_mode & S_IFMT;
  if (type != S_IFREG && type != 0) return;
  tm_census_link(links, name, found.name);
  if (strcmp(found.name, "anon_inode:[io_uring]") == 0)
    return add_registered_files(census, process, infos, name);
  if (!tm_census_wants(census, &found)) return;
  found.is_direct = was_opened_direct(process->folder, infos, name);
  tm_census_add(census, process, &found);
}

static void look_at_descriptors(struct census *census, struct process *process, const char *links, const char *infos) {
  DIR *list = tm_census_list(process->folder, links);
  if (list == NULL) return tm_census_note_refusal(process);
  for (struct dirent *entry; (entry = readdir(list)) != NULL;)
    if (entry->d_name[0] != '.') look_at_descriptor(census, process, dirfd(list), entry->d_name, infos);
  closedir(list);
}

/* A thread may have taken its descriptors apart from the others', or outlive the first one, which then has none. */
static void look_at_threads(struct census *census, struct process *process) {
  struct statx task;
  /* `.`, the parent, and one for each thread. */
  if (tm_census_look(process->folder, "task", 0, &task) != 0 || task.stx_nlink <= 3) return;
  DIR *list = tm_census_list(process->folder, "task");
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

void tm_census_descriptors(struct census *census, struct process *process) {
  look_at_descriptors(census, process, "fd", "fdinfo");
  if (!process->is_hidden) look_at_threads(census, process);
}
