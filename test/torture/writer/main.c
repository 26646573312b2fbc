/*
 * A random writer: `writer ROOT OUTSIDE SEED NUMBER MASK LOG STATE PAUSE_US` runs rows until SIGTERM, or until nobody
 * holds the other end of its standard input any more; it then lets go of everything it holds and prints how often each
 * row was carried out. `writer rows` prints names and needs; `writer storm DIRECTORY COUNT` makes that many events, each
 * on a name of its own; `writer fill ROOT SEED COUNT` makes files to begin with.
 *
 * What it does depends on the seed and on what other writers do at the same time; the log tells what was really done.
 */
#include "writer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const struct row rows[] = {
    {"buffered_write", row_buffered_write, 4, 0},
    {"append", row_append, 3, 0},
    {"rewrite_keeping_times", row_rewrite_keeping_times, 2, 0},
    {"direct_write", row_direct_write, 3, 0},
    {"truncate_path", row_truncate_path, 1, 0},
    {"ftruncate_open", row_ftruncate_open, 1, 0},
    {"open_truncating", row_open_truncating, 1, 0},
    {"fallocate_more", row_fallocate_more, 1, 0},
    {"punch_hole", row_punch_hole, 2, 0},
    {"zero_range", row_zero_range, 2, 0},
    {"copy_range", row_copy_range, 2, 0},
    {"reflink", row_reflink, 2, 0},
    {"tmpfile_link", row_tmpfile_link, 2, 0},
    {"aio_buffered", row_aio_buffered, 4, 0},
    {"aio_direct", row_aio_direct, 4, 0},
    {"aio_closed_in_flight", row_aio_closed_in_flight, 2, 0},
    {"ring_buffered", row_ring_buffered, 3, 0},
    {"ring_direct", row_ring_direct, 3, 0},
    {"ring_polled", row_ring_polled, 2, 0},
    {"mapped_held", row_mapped_held, 8, 0},
    {"mapped_synced", row_mapped_synced, 2, 0},
    {"aio_held", row_aio_held, 6, 0},
    {"slow_write", row_slow_write, 5, 0},
    {"ring_fixed_held", row_ring_fixed_held, 3, 0},
    {"fd_in_flight", row_fd_in_flight, 4, NEEDS_TRUE_LEASES},
    {"other_table", row_other_table, 1, 0},
    {"loop_device", row_loop_device, 2, NEEDS_ROOT},
    {"rename_over", row_rename_over, 3, 0},
    {"rename_new", row_rename_new, 3, 0},
    {"exchange_files", row_exchange_files, 2, 0},
    {"exchange_directories", row_exchange_directories, 1, 0},
    {"rename_directory", row_rename_directory, 3, 0},
    {"move_out", row_move_out, 1, 0},
    {"move_in", row_move_in, 1, 0},
    {"move_file_in", row_move_file_in, 2, 0},
    {"move_back", row_move_back, 1, 0},
    {"outside_link", row_outside_link, 2, NEEDS_FILE_SYSTEM_MARK},
    {"outside_write", row_outside_write, 3, NEEDS_FILE_SYSTEM_MARK},
    {"inside_link", row_inside_link, 1, 0},
    {"make_tree", row_make_tree, 2, 0},
    {"remove_tree", row_remove_tree, 1, 0},
    {"unlink_file", row_unlink_file, 2, 0},
    {"change_mode", row_change_mode, 2, 0},
    {"change_owner", row_change_owner, 1, NEEDS_ROOT},
    {"change_times", row_change_times, 2, 0},
    {"change_xattr", row_change_xattr, 2, 0},
    {"change_acl", row_change_acl, 1, 0},
    {"make_symlink", row_make_symlink, 2, 0},
};
const size_t row_count = sizeof rows / sizeof *rows;

struct shared_state *shared;
const char *outside;
int writer_number;

static uint64_t random_state;
static volatile sig_atomic_t is_stopping;
static char noted[PATH_BYTES * 4];

/* xorshift64*: fast, and the same on every machine for the same seed. */
uint64_t next_random(void) {
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return random_state * 0x2545F4914F6CDD1DULL;
}

uint64_t below(uint64_t limit) { return limit == 0 ? 0 : (next_random() >> 16) % limit; }

int one_in(unsigned n) { return below(n) == 0; }

int64_t now_ms(void) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

void noting_inode(uint64_t inode) {
  size_t used = strlen(noted);
  snprintf(noted + used, sizeof noted - used, " #%" PRIu64, inode);
}

void noting(const char *path) {
  struct stat stat;
  size_t used = strlen(noted);
  snprintf(noted + used, sizeof noted - used, " %s", path);
  if (lstat(path, &stat) == 0) noting_inode(stat.st_ino);
}

/* An error that says "not on this file system" is told apart from a race that was lost. */
enum outcome outcome_of(long result) {
  if (result >= 0) return DONE;
  switch (errno) {
    case EOPNOTSUPP:
    case EINVAL:
    case ENOSYS:
    case ENOTTY:
    case EPERM:
      return UNSUPPORTED;
    default:
      return MISSED;
  }
}

static void stop(int signal) {
  (void)signal;
  is_stopping = 1;
}

static int is_orphaned(void) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  if (poll(&input, 1, 0) <= 0) return 0;
  char byte;
  return read(0, &byte, 1) <= 0;
}

static size_t choose_row(uint64_t mask) {
  uint64_t total = 0;
  for (size_t at = 0; at < row_count; at++) total += mask >> at & 1 ? rows[at].weight : 0;
  uint64_t drawn = below(total);
  for (size_t at = 0; at < row_count; at++) {
    unsigned weight = mask >> at & 1 ? rows[at].weight : 0;
    if (drawn < weight) return at;
    drawn -= weight;
  }
  return row_count - 1;
}

static void run_rows(uint64_t mask, int log, unsigned pause_us, uint64_t counts[][OUTCOMES]) {
  static const char *const words[] = {"done", "unsupported", "missed"};
  while (!is_stopping) {
    size_t chosen = choose_row(mask);
    noted[0] = 0;
    enum outcome outcome = rows[chosen].run();
    counts[chosen][outcome]++;
    atomic_fetch_add(&shared->operations, 1);
    if (outcome == DONE && log >= 0) {
      dprintf(log, "%" PRId64 " %d %s%s\n", now_ms(), writer_number, rows[chosen].name, noted);
    } else if (outcome == UNSUPPORTED && log >= 0 && counts[chosen][outcome] == 1) {
      dprintf(log, "%" PRId64 " %d %s %s: %s\n", now_ms(), writer_number, rows[chosen].name, words[outcome],
              strerror(errno));
    }
    release_expired();
    if (pause_us > 0) usleep((useconds_t)below(2 * pause_us));
    if (atomic_load(&shared->operations) % 64 == 0 && is_orphaned()) is_stopping = 1;
  }
}

static void print_counts(uint64_t counts[][OUTCOMES]) {
  for (size_t at = 0; at < row_count; at++) {
    printf("%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", rows[at].name, counts[at][DONE], counts[at][UNSUPPORTED],
           counts[at][MISSED]);
  }
}

static void seed(const char *text) {
  random_state = strtoull(text, NULL, 10) * 0x9E3779B97F4A7C15ULL + 0xD1B54A32D192ED03ULL;
  for (int at = 0; at < 8; at++) next_random();
}

/* Created and removed under names that never come twice, so that no two events can be merged. */
static int storm(const char *directory, long count) {
  if (chdir(directory) != 0) return 1;
  char name[64];
  for (long at = 0; at < count; at++) {
    snprintf(name, sizeof name, "storm-%ld-%d", at, (int)getpid());
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return 1;
    dprintf(fd, "%ld", at);
    close(fd);
    if (at % 64 != 0) unlink(name);
  }
  return 0;
}

static int fill(const char *root, const char *seed_text, long count) {
  if (chdir(root) != 0) return 1;
  seed(seed_text);
  char path[PATH_BYTES];
  for (long at = 0; at < count; at++) {
    random_file(path);
    make_parents(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    size_t bytes = random_size() + BLOCK;
    if (fd >= 0 && write(fd, random_block(bytes), bytes) < 0) return 1;
    if (fd >= 0) close(fd);
  }
  return 0;
}

static struct shared_state *map_state(const char *path) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 || ftruncate(fd, BLOCK) != 0) return NULL;
  void *mapped = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  return mapped == MAP_FAILED ? NULL : mapped;
}

int main(int count, char **words) {
  umask(022);
  if (count == 2 && strcmp(words[1], "rows") == 0) {
    for (size_t at = 0; at < row_count; at++) printf("%s %u\n", rows[at].name, rows[at].needs);
    return 0;
  }
  if (count == 4 && strcmp(words[1], "storm") == 0) return storm(words[2], atol(words[3]));
  if (count == 5 && strcmp(words[1], "fill") == 0) return fill(words[2], words[3], atol(words[4]));
  if (count != 9) return fprintf(stderr, "usage: writer ROOT OUTSIDE SEED NUMBER MASK LOG STATE PAUSE_US\n"), 2;

  outside = words[2];
  seed(words[3]);
  writer_number = atoi(words[4]);
  uint64_t mask = strtoull(words[5], NULL, 16);
  int log = open(words[6], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  shared = map_state(words[7]);
  if (shared == NULL || chdir(words[1]) != 0) return perror("writer"), 1;
  /* Also where it was stopped when the driver was killed. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);

  static uint64_t counts[64][OUTCOMES];
  run_rows(mask, log, (unsigned)atoi(words[8]), counts);
  release_all();
  print_counts(counts);
  return 0;
}
