/*
 * Shared mappings through which a file can be written, of one process.
 *
 * The kernel is asked for them by an ioctl that skips all others (Linux 6.11); before that the whole table is read as
 * text, some thousand lines for a large program.
 */
#include "census.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* From linux/fs.h, for older headers. */
struct map_query {
  uint64_t size, query_flags, query_address;
  uint64_t start, end, flags, page_size, offset, inode;
  uint32_t device_major, device_minor, name_size, build_id_size;
  uint64_t name_address, build_id_address;
};
#define MAP_QUERY _IOWR('f', 17, struct map_query)
#define MAP_WRITABLE 0x02
#define MAP_SHARED_ONES 0x08
#define MAP_THIS_OR_NEXT 0x10
#define MAP_OF_FILES 0x20

struct mapping {
  uint64_t start, end, inode;
  bool is_writable;
  /* As the process calls it; may be cut short. */
  char name[PATH_MAX + 1];
};

/*
 * The link in map_files tells whether the file behind was opened for writing: then a mapping that cannot be written to
 * now can be made so at any time.
 */
static void look_at_mapping(struct census *census, struct process *process, const struct mapping *mapping) {
  char link[64];
  struct found found = {.how = BY_MAPPING};
  snprintf(link, sizeof link, "map_files/%llx-%llx", (unsigned long long)mapping->start,
           (unsigned long long)mapping->end);
  bool can_write = mapping->is_writable;
  if (tm_census_look(process->folder, link, AT_SYMLINK_NOFOLLOW, &found.stat) == 0)
    can_write = (found.stat.stx_mode & S_IWUSR) != 0;
  if (!can_write) return;
  tm_census_link(process->folder, link, found.name);
  if (found.name[0] == 0) memcpy(found.name, mapping->name, sizeof found.name);
  /* Following the link takes a capability; without it the name has to lead to the same inode. */
  if (tm_census_look(process->folder, link, 0, &found.stat) != 0 &&
      (tm_census_look(AT_FDCWD, found.name, AT_SYMLINK_NOFOLLOW, &found.stat) != 0 ||
       found.stat.stx_ino != mapping->inode))
    return;
  /* One file in several pieces is told once. */
  if (!tm_census_wants(census, &found) || process->last_ino == found.stat.stx_ino) return;
  process->last_ino = found.stat.stx_ino;
  tm_census_add(census, process, &found);
}

/* False where the kernel does not know the question. */
static bool ask_for_mappings(struct census *census, struct process *process, int maps) {
  struct mapping mapping = {0};
  uint64_t address = 0;
  for (;;) {
    struct map_query query = {
        .size = sizeof query,
        .query_flags = MAP_THIS_OR_NEXT | MAP_OF_FILES | MAP_SHARED_ONES,
        .query_address = address,
        .name_size = PATH_MAX,
        .name_address = (uint64_t)(uintptr_t)mapping.name,
    };
    mapping.name[0] = 0;
    if (TM_IS_OLD_KERNEL || ioctl(maps, MAP_QUERY, &query) != 0) return !TM_IS_OLD_KERNEL && errno != ENOTTY;
    mapping.start = query.start;
    mapping.end = query.end;
    mapping.inode = query.inode;
    mapping.is_writable = (query.flags & MAP_WRITABLE) != 0;
    look_at_mapping(census, process, &mapping);
    address = query.end;
  }
}

/* `line` of the table. The fourth letter of the permissions is `s` for a shared mapping; 0 is no file's inode. */
static void look_at_line(struct census *census, struct process *process, const char *line) {
  struct mapping mapping = {0};
  unsigned long start, end, inode;
  char permissions[8];
  int used = 0;
  if (sscanf(line, "%lx-%lx %7s %*x %*x:%*x %lu %n", &start, &end, permissions, &inode, &used) < 4) return;
  if (strlen(permissions) < 4 || permissions[3] != 's' || inode == 0) return;
  mapping.start = start;
  mapping.end = end;
  mapping.inode = inode;
  mapping.is_writable = permissions[1] == 'w';
  snprintf(mapping.name, sizeof mapping.name, "%s", line + used);
  look_at_mapping(census, process, &mapping);
}

static void read_table(struct census *census, struct process *process, FILE *maps) {
  char *line = NULL;
  size_t size = 0;
  for (ssize_t length; (length = getline(&line, &size, maps)) > 0;) {
    const char *space = strchr(line, ' ');
    /* Hardly any is shared: the others are not worth taking apart. */
    if (space == NULL || line + length - space < 5 || space[4] != 's') continue;
    if (line[length - 1] == '\n') line[length - 1] = 0;
    look_at_line(census, process, line);
  }
  free(line);
}

void tm_census_mappings(struct census *census, struct process *process) {
  int fd = openat(process->folder, "maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return tm_census_note_refusal(process);
  if (ask_for_mappings(census, process, fd)) {
    close(fd);
    return;
  }
  FILE *maps = fdopen(fd, "r");
  if (maps == NULL) return tm_close_quietly(fd);
  read_table(census, process, maps);
  fclose(maps);
}
