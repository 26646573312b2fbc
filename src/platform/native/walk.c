/*
 * Lists directories in bulk: getdents64, statx and readlinkat by held descriptors, over a few threads.
 *
 * The answer is one block, all numbers in the byte order of the machine. For each directory, in the order asked and
 * each starting at a multiple of 8:
 *   u32 errno (0: complete) · u32 entries · u32 bytes of text, padded to 8 · u32 unused
 *   entries × 64 bytes packed stat
 *   entries × { u16 bytes of name · u16 bytes of target · u16 errno · u16 unused }
 *   text: name, then target, of each entry
 */
#include "block.h"
#include "paths.h"
#include "stat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_THREADS 4
#define DIRECTORIES_PER_THREAD 8
#define DIRENT_BYTES (128 * 1024)
#define META_BYTES 8

struct name {
  size_t offset;
  size_t length;
};

struct directory {
  char *path;
  size_t path_length;
  uint32_t error;
  uint32_t entries;
  struct block stats;
  struct block metas;
  struct block text;
};

/* What one thread needs while it lists; kept from one directory to the next. */
struct scratch {
  unsigned char dirents[DIRENT_BYTES];
  struct block bytes;
  struct block names;
};

struct job {
  int root;
  struct directory *directories;
  size_t count;
  atomic_size_t next;
};

struct linux_dirent64 {
  uint64_t d_ino;
  int64_t d_off;
  unsigned short d_reclen;
  unsigned char d_type;
  char d_name[];
};

static bool is_dot(const char *name) { return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0)); }

static int keep_names(struct scratch *scratch, size_t filled) {
  for (size_t at = 0; at < filled;) {
    const struct linux_dirent64 *entry = (const struct linux_dirent64 *)(scratch->dirents + at);
    at += entry->d_reclen;
    if (is_dot(entry->d_name)) continue;
    struct name name = {.offset = scratch->bytes.length, .length = strlen(entry->d_name)};
    if (tm_append(&scratch->bytes, entry->d_name, name.length + 1) || tm_append(&scratch->names, &name, sizeof name))
      return ENOMEM;
  }
  return 0;
}

/* All names, or the error that kept them from being all. */
static int read_names(int fd, struct scratch *scratch) {
  scratch->bytes.length = scratch->names.length = 0;
  for (;;) {
    long filled = syscall(SYS_getdents64, fd, scratch->dirents, sizeof scratch->dirents);
    if (filled == 0) return 0;
    if (filled < 0) return errno;
    int error = keep_names(scratch, (size_t)filled);
    if (error) return error;
  }
}

static int compare_names(const void *left, const void *right, void *context) {
  const struct name *a = left, *b = right;
  const unsigned char *bytes = context;
  size_t shorter = a->length < b->length ? a->length : b->length;
  int order = memcmp(bytes + a->offset, bytes + b->offset, shorter);
  if (order != 0) return order;
  return a->length < b->length ? -1 : a->length > b->length;
}

/* By one O_PATH descriptor, so that stat and target are of the same symlink. 0 or an errno. */
static int look_at_symlink(int fd, const char *name, struct statx *stat, char *target, size_t *target_length) {
  int link = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (link < 0) return errno;
  int error = tm_statx(link, "", stat) == 0 ? 0 : errno;
  *target_length = 0;
  if (error == 0 && S_ISLNK(stat->stx_mode)) {
    ssize_t length = readlinkat(link, "", target, PATH_MAX);
    if (length < 0) error = errno;
    else if (length >= PATH_MAX) error = ENAMETOOLONG;
    else *target_length = (size_t)length;
  }
  close(link);
  return error;
}

/* One entry into the directory's blocks; a vanished one is left out. Returns ENOMEM or 0. */
static int add_entry(struct directory *directory, int fd, const char *name, size_t length) {
  struct statx stat;
  char target[PATH_MAX];
  size_t target_length = 0;
  int error = tm_statx(fd, name, &stat) == 0 ? 0 : errno;
  if (error == 0 && S_ISLNK(stat.stx_mode)) error = look_at_symlink(fd, name, &stat, target, &target_length);
  if (error == ENOENT) return 0;
  unsigned char *packed = tm_grow(&directory->stats, TM_STAT_BYTES);
  if (packed == NULL) return ENOMEM;
  if (error == 0) tm_pack_stat(&stat, packed);
  else memset(packed, 0, TM_STAT_BYTES), target_length = 0;
  uint16_t meta[4] = {(uint16_t)length, (uint16_t)target_length, (uint16_t)error, 0};
  directory->entries++;
  return tm_append(&directory->metas, meta, sizeof meta) || tm_append(&directory->text, name, length) ||
                 tm_append(&directory->text, target, target_length)
             ? ENOMEM
             : 0;
}

static int list_open(int fd, struct directory *directory, struct scratch *scratch) {
  int error = read_names(fd, scratch);
  if (error) return error;
  size_t count = scratch->names.length / sizeof(struct name);
  const struct name *names = (const struct name *)scratch->names.data;
  if (count > 1) qsort_r(scratch->names.data, count, sizeof *names, compare_names, scratch->bytes.data);
  for (size_t index = 0; index < count && !error; index++)
    error = add_entry(directory, fd, (const char *)scratch->bytes.data + names[index].offset, names[index].length);
  return error;
}

static void list_directory(int root, struct directory *directory, struct scratch *scratch) {
  int fd = tm_open_directory(root, directory->path, directory->path_length, O_RDONLY | O_NOATIME);
  int error = fd < 0 ? errno : list_open(fd, directory, scratch);
  if (fd >= 0) close(fd);
  if (!error) return;
  directory->error = (uint32_t)error;
  directory->entries = 0;
  directory->stats.length = directory->metas.length = directory->text.length = 0;
}

static void *work(void *argument) {
  struct job *job = argument;
  struct scratch *scratch = calloc(1, sizeof *scratch);
  for (;;) {
    size_t index = atomic_fetch_add(&job->next, 1);
    if (index >= job->count) break;
    if (scratch == NULL) job->directories[index].error = ENOMEM;
    else list_directory(job->root, &job->directories[index], scratch);
  }
  if (scratch != NULL) {
    free(scratch->bytes.data);
    free(scratch->names.data);
  }
  free(scratch);
  return NULL;
}

/* The calling thread works too; helpers that cannot be started are done without. */
static void run(struct job *job) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  size_t wanted = job->count / DIRECTORIES_PER_THREAD + 1;
  if (processors > 0 && wanted > (size_t)processors) wanted = (size_t)processors;
  if (wanted > MAX_THREADS) wanted = MAX_THREADS;
  pthread_t helpers[MAX_THREADS];
  size_t started = 0;
  sigset_t all, before;
  sigfillset(&all);
  /* Helpers inherit the mask: signals stay with the threads that expect them. */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (started + 1 < wanted && pthread_create(&helpers[started], NULL, work, job) == 0) started++;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  work(job);
  while (started > 0) pthread_join(helpers[--started], NULL);
}

static size_t padded(size_t length) { return (length + 7) & ~(size_t)7; }

static size_t packed_bytes(const struct directory *directory) {
  return 16 + directory->stats.length + directory->metas.length + padded(directory->text.length);
}

static unsigned char *put_block(unsigned char *out, const struct block *block) {
  if (block->length > 0) memcpy(out, block->data, block->length);
  return out + block->length;
}

static unsigned char *put_directory(unsigned char *out, const struct directory *directory) {
  size_t text = padded(directory->text.length);
  uint32_t header[4] = {directory->error, directory->entries, (uint32_t)text, 0};
  memcpy(out, header, sizeof header);
  out = put_block(out + sizeof header, &directory->stats);
  out = put_block(out, &directory->metas);
  put_block(out, &directory->text);
  memset(out + directory->text.length, 0, text - directory->text.length);
  return out + text;
}

static napi_value pack(napi_env env, const struct job *job) {
  size_t total = 0;
  for (size_t index = 0; index < job->count; index++) total += packed_bytes(&job->directories[index]);
  void *out;
  napi_value result;
  if (napi_create_arraybuffer(env, total, &out, &result) != napi_ok) return tm_throw(env, ENOMEM, "getdents64");
  unsigned char *at = out;
  for (size_t index = 0; index < job->count; index++) at = put_directory(at, &job->directories[index]);
  return result;
}

/* Paths lie one after the other with a NUL between: cheaper to pass than an array. */
static void split_paths(struct job *job, char *paths, size_t length) {
  size_t start = 0;
  for (size_t index = 0; index < job->count; index++) {
    job->directories[index].path = paths + start;
    job->directories[index].path_length = strlen(paths + start);
    start += job->directories[index].path_length + 1;
    if (start > length) start = length;
  }
}

static size_t count_paths(const char *paths, size_t length) {
  size_t count = 1;
  for (size_t index = 0; index < length; index++) count += paths[index] == 0;
  return count;
}

static void release(struct job *job) {
  for (size_t index = 0; job->directories != NULL && index < job->count; index++) {
    free(job->directories[index].stats.data);
    free(job->directories[index].metas.data);
    free(job->directories[index].text.data);
  }
  free(job->directories);
}

/* readDirectories(root, paths joined by NUL): ArrayBuffer */
static napi_value read_directories(napi_env env, napi_callback_info info) {
  napi_value values[2], result = NULL;
  struct tm_bytes paths;
  struct job job = {.next = 0};
  if (!tm_arguments(env, info, 2, values) || !tm_int(env, values[0], &job.root)) return NULL;
  if (!tm_raw_bytes_of(env, values[1], &paths)) return NULL;
  job.count = count_paths(paths.data, paths.length);
  job.directories = calloc(job.count, sizeof *job.directories);
  if (job.directories == NULL) {
    tm_throw(env, ENOMEM, "getdents64");
  } else {
    split_paths(&job, paths.data, paths.length);
    run(&job);
    result = pack(env, &job);
  }
  release(&job);
  tm_release(&paths);
  return result;
}

void tm_register_walk(napi_env env, napi_value exports) {
  static const struct tm_function functions[] = {{"readDirectories", read_directories}};
  tm_export(env, exports, functions, TM_COUNT(functions));
}
