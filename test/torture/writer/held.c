/*
 * Rows that keep hold of a file across checkpoints and change it while nothing, or nearly nothing, tells of it: shared
 * mappings whose descriptor is long closed, libaio on an open descriptor, a descriptor that lies in a socket, a file
 * that only a ring holds, a thread with its own table of open files, a loop device.
 *
 * A turn of such a row either takes hold of another file, or changes one it holds. Each hold ends after a random time,
 * or when the process stops.
 */
#include "writer.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/loop.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct hold {
  const struct kind *kind;
  char path[PATH_BYTES];
  uint64_t inode;
  int64_t until_ms;
  int fd;
  int other_fd;
  char *mapped;
  size_t bytes;
};

struct kind {
  int most;
  /* Each takes a hold whose path is filled in and whose `fd` is open for reading and writing. */
  enum outcome (*take)(struct hold *);
  enum outcome (*change)(struct hold *);
  void (*release)(struct hold *);
};

#define HOLDS 24
#define LONGEST_MS 4000
static struct hold holds[HOLDS];

static void release(struct hold *hold) {
  hold->kind->release(hold);
  hold->kind = NULL;
}

void release_expired(void) {
  int64_t now = now_ms();
  for (int at = 0; at < HOLDS; at++) {
    if (holds[at].kind != NULL && holds[at].until_ms < now) release(&holds[at]);
  }
}

void release_all(void) {
  for (int at = 0; at < HOLDS; at++) {
    if (holds[at].kind != NULL) release(&holds[at]);
  }
}

static enum outcome take(struct hold *hold, const struct kind *kind, int flags) {
  hold->fd = open_some(hold->path, O_RDWR | flags);
  if (hold->fd < 0) return MISSED;
  struct stat stat;
  fstat(hold->fd, &stat);
  hold->inode = stat.st_ino;
  enum outcome outcome = kind->take(hold);
  if (outcome != DONE) {
    int failure = errno;
    if (hold->fd >= 0) close(hold->fd);
    errno = failure;
    return outcome;
  }
  hold->kind = kind;
  hold->until_ms = now_ms() + 20 + (int64_t)below(LONGEST_MS);
  return DONE;
}

static enum outcome take_or_change(const struct kind *kind, int flags) {
  struct hold *mine[HOLDS], *unused = NULL;
  int count = 0;
  for (int at = 0; at < HOLDS; at++) {
    if (holds[at].kind == kind) mine[count++] = &holds[at];
    if (holds[at].kind == NULL) unused = &holds[at];
  }
  if (unused != NULL && count < kind->most && (count == 0 || one_in(4))) return take(unused, kind, flags);
  if (count == 0) return MISSED;
  struct hold *chosen = mine[below((uint64_t)count)];
  noting("(held)");
  noting_inode(chosen->inode);
  return kind->change(chosen);
}

static void close_hold(struct hold *hold) { close(hold->fd); }

/* ---- shared mappings ---- */

static sigjmp_buf beyond_the_end;

static void leave_store(int signal) {
  (void)signal;
  siglongjmp(beyond_the_end, 1);
}

/* A store beyond the end, which another writer may move at any time, raises SIGBUS. */
static enum outcome store(char *mapped, size_t bytes) {
  struct sigaction action = {.sa_handler = leave_store, .sa_flags = SA_NODEFER};
  sigaction(SIGBUS, &action, NULL);
  if (sigsetjmp(beyond_the_end, 1) != 0) return MISSED;
  size_t offset = below(bytes), length = 1 + below(600);
  if (offset + length > bytes) length = bytes - offset;
  for (size_t at = 0; at < length; at++) *(volatile char *)(mapped + offset + at) = (char)next_random();
  return DONE;
}

static char *map_file(int fd, size_t *bytes) {
  off_t size = size_of(fd);
  /* Nothing is written to make a mapping: a file that has been quiet for long is the case of interest. */
  if (size == 0 && pwrite(fd, random_block(BLOCK), BLOCK, 0) < 0) return NULL;
  *bytes = size == 0 ? BLOCK : (size_t)size;
  char *mapped = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return mapped == MAP_FAILED ? NULL : mapped;
}

static enum outcome take_mapping(struct hold *hold) {
  hold->mapped = map_file(hold->fd, &hold->bytes);
  if (hold->mapped == NULL) return outcome_of(-1);
  close(hold->fd);
  hold->fd = -1;
  return one_in(2) ? store(hold->mapped, hold->bytes), DONE : DONE;
}

static enum outcome change_mapping(struct hold *hold) { return store(hold->mapped, hold->bytes); }

static void release_mapping(struct hold *hold) { munmap(hold->mapped, hold->bytes); }

static const struct kind mapping = {6, take_mapping, change_mapping, release_mapping};

enum outcome row_mapped_held(void) { return take_or_change(&mapping, 0); }

enum outcome row_mapped_synced(void) {
  char path[PATH_BYTES];
  size_t bytes;
  int fd = open_some(path, O_RDWR);
  if (fd < 0) return MISSED;
  char *mapped = map_file(fd, &bytes);
  if (mapped == NULL) return close(fd), outcome_of(-1);
  if (one_in(2)) close(fd), fd = -1;
  enum outcome outcome = store(mapped, bytes);
  msync(mapped, bytes, one_in(2) ? MS_SYNC : MS_ASYNC);
  munmap(mapped, bytes);
  if (fd >= 0) close(fd);
  return outcome;
}

/* ---- libaio on a descriptor that stays open ---- */

static enum outcome change_by_aio(struct hold *hold) {
  size_t bytes = random_size();
  return outcome_of(aio_write(hold->fd, random_block(bytes), bytes, random_offset(hold->fd)));
}

static const struct kind open_for_aio = {4, change_by_aio, change_by_aio, close_hold};

enum outcome row_aio_held(void) { return take_or_change(&open_for_aio, 0); }

/* ---- a large file that grows slowly; `bytes` is how far it came ---- */

static enum outcome change_slowly(struct hold *hold) {
  enum { CHUNK = 32 << 10 };
  long written = pwrite(hold->fd, random_block(CHUNK), CHUNK, (off_t)hold->bytes);
  hold->bytes = (hold->bytes + CHUNK) % MAX_FILE_BYTES;
  return outcome_of(written);
}

static enum outcome take_slow(struct hold *hold) {
  hold->bytes = 0;
  return change_slowly(hold);
}

static const struct kind slow = {2, take_slow, change_slowly, close_hold};

enum outcome row_slow_write(void) { return take_or_change(&slow, 0); }

/* ---- a file that only a ring holds ---- */

static enum outcome change_in_ring(struct hold *hold) {
  size_t bytes = random_size();
  return outcome_of(ring_write_adopted(random_block(bytes), bytes, (off_t)below(hold->bytes + 1)));
}

static enum outcome take_into_ring(struct hold *hold) {
  hold->bytes = (size_t)size_of(hold->fd) / 2;
  if (ring_adopt(hold->fd) != 0) return outcome_of(-1);
  close(hold->fd);
  hold->fd = -1;
  return change_in_ring(hold);
}

static void release_from_ring(struct hold *hold) {
  (void)hold;
  ring_release();
}

static const struct kind in_ring = {1, take_into_ring, change_in_ring, release_from_ring};

enum outcome row_ring_fixed_held(void) { return take_or_change(&in_ring, 0); }

/* ---- a descriptor that lies in a socket: `fd` and `other_fd` are the socket's ends ---- */

static int send_descriptor(int socket, int fd) {
  char room[CMSG_SPACE(sizeof fd)] = {0}, byte = 0;
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  *head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
  memcpy(CMSG_DATA(head), &fd, sizeof fd);
  long sent = sendmsg(socket, &message, 0);
  close(fd);
  return sent == 1 ? 0 : -1;
}

static int receive_descriptor(int socket) {
  int fd = -1;
  char room[CMSG_SPACE(sizeof fd)], byte;
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || CMSG_FIRSTHDR(&message) == NULL) return -1;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

/*
 * The first write is a plain one and is noticed. From then on no descriptor, mapping or device shows that the file has a
 * writer; that it is dirty and that no lease is to be had is all there is to hold it back.
 */
static enum outcome take_into_socket(struct hold *hold) {
  int ends[2], file = hold->fd;
  if (pwrite(file, random_block(100), 100, 0) < 0) return MISSED;
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0) return MISSED;
  hold->fd = ends[0];
  hold->other_fd = ends[1];
  if (send_descriptor(ends[0], file) == 0) return DONE;
  close(ends[1]);
  return MISSED;
}

static enum outcome change_from_socket(struct hold *hold) {
  int file = receive_descriptor(hold->other_fd);
  if (file < 0) return MISSED;
  size_t bytes = random_size();
  enum outcome outcome = outcome_of(aio_write(file, random_block(bytes), bytes, random_offset(file)));
  send_descriptor(hold->fd, file);
  return outcome;
}

static void release_from_socket(struct hold *hold) {
  int file = receive_descriptor(hold->other_fd);
  close(hold->fd);
  close(hold->other_fd);
  if (file >= 0) close(file);
}

static const struct kind in_socket = {3, take_into_socket, change_from_socket, release_from_socket};

enum outcome row_fd_in_flight(void) { return take_or_change(&in_socket, 0); }

/* ---- a thread whose open files are not those of its process ---- */

struct errand {
  char path[PATH_BYTES];
  _Atomic int64_t until_ms;
  uint64_t seed;
  _Atomic int is_done;
};

static void *run_errand(void *given) {
  struct errand *errand = given;
  char *block = aligned_alloc(BLOCK, BLOCK);
  /* The new table starts empty, or its copies would keep open what the process closes. */
  if (block != NULL && syscall(SYS_close_range, 0U, ~0U, CLOSE_RANGE_UNSHARE) == 0) {
    int fd = open(errand->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    while (fd >= 0 && now_ms() < errand->until_ms) {
      memset(block, (int)(errand->seed++ & 0xff), BLOCK);
      aio_write(fd, block, BLOCK, (off_t)(errand->seed % 4) * BLOCK);
      usleep(40000);
    }
    if (fd >= 0) close(fd);
    aio_finish();
  }
  free(block);
  atomic_store(&errand->is_done, 1);
  return NULL;
}

static struct errand errand;

static enum outcome start_errand(struct hold *hold) {
  close(hold->fd);
  hold->fd = -1;
  snprintf(errand.path, sizeof errand.path, "%s", hold->path);
  errand.until_ms = now_ms() + 100 + (int64_t)below(1500);
  errand.seed = next_random();
  atomic_store(&errand.is_done, 0);
  pthread_t thread;
  if (pthread_create(&thread, NULL, run_errand, &errand) != 0) return MISSED;
  pthread_detach(thread);
  return DONE;
}

static enum outcome leave_errand(struct hold *hold) {
  (void)hold;
  return MISSED;
}

static void await_errand(struct hold *hold) {
  (void)hold;
  errand.until_ms = 0;
  while (!atomic_load(&errand.is_done)) usleep(1000);
}

static const struct kind elsewhere = {1, start_errand, leave_errand, await_errand};

enum outcome row_other_table(void) { return take_or_change(&elsewhere, 0); }

/* ---- a loop device: `fd` is the device ---- */

enum { DISK_BYTES = 256 << 10 };

static int attach(int file) {
  int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) return -1;
  int device = -1;
  for (int attempt = 0; attempt < 5 && device < 0; attempt++) {
    char path[64];
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) break;
    snprintf(path, sizeof path, "/dev/loop%d", number);
    device = open(path, O_RDWR | O_CLOEXEC);
    struct loop_config config = {.fd = (uint32_t)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
    if (device >= 0 && ioctl(device, LOOP_CONFIGURE, &config) != 0) close(device), device = -1;
  }
  int failure = errno;
  close(control);
  errno = failure;
  return device;
}

/* Synced at once: what lies in the device's own cache would reach the file at a time that nobody chooses. */
static enum outcome change_by_device(struct hold *hold) {
  atomic_fetch_add(&shared->in_flight, 1);
  long written = pwrite(hold->fd, random_block(BLOCK), BLOCK, (off_t)below(DISK_BYTES / BLOCK) * BLOCK);
  if (written >= 0 && fsync(hold->fd) != 0) written = -1;
  atomic_fetch_sub(&shared->in_flight, 1);
  return outcome_of(written);
}

static enum outcome take_device(struct hold *hold) {
  int file = hold->fd;
  if (ftruncate(file, DISK_BYTES) != 0) return MISSED;
  int device = attach(file);
  if (device < 0) return outcome_of(-1);
  close(file);
  hold->fd = device;
  return change_by_device(hold);
}

/* Others may look at the device for a moment, and until they are gone it is not detached. */
static void release_device(struct hold *hold) {
  struct loop_info64 info;
  fsync(hold->fd);
  ioctl(hold->fd, LOOP_CLR_FD);
  for (int attempt = 0; attempt < 20 && ioctl(hold->fd, LOOP_GET_STATUS64, &info) == 0; attempt++) usleep(1000);
  close(hold->fd);
}

static const struct kind device = {1, take_device, change_by_device, release_device};

enum outcome row_loop_device(void) { return take_or_change(&device, 0); }
