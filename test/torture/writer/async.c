/*
 * Writes that are handed to the kernel and finish later: libaio and io_uring, by their system calls, so that neither
 * library has to be installed. Of these libaio and polled io_uring writes give no MODIFY event.
 *
 * While a transfer is under way `in_flight` is above zero: the kernel goes on with it although the process is stopped,
 * so the driver does not take a stopped process for a quiet one before it is zero again.
 */
#include "writer.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Per thread, because a thread may have a table of open files of its own but shares everything else. */
static _Thread_local aio_context_t context;

static int have_context(void) { return context != 0 || syscall(SYS_io_setup, 32, &context) == 0; }

static void prepare(struct iocb *block, int fd, const void *bytes, size_t length, off_t offset) {
  memset(block, 0, sizeof *block);
  block->aio_lio_opcode = IOCB_CMD_PWRITE;
  block->aio_fildes = (uint32_t)fd;
  block->aio_buf = (uint64_t)(uintptr_t)bytes;
  block->aio_nbytes = length;
  block->aio_offset = offset;
}

/* Waits for `count` transfers. The result is the first failure, or what the last one wrote. */
static long reap(long count) {
  long result = 0;
  while (count > 0) {
    struct io_event event;
    long got = syscall(SYS_io_getevents, context, 1L, 1L, &event, NULL);
    if (got < 0 && errno == EINTR) continue;
    if (got < 1) break;
    if (result >= 0) result = (long)event.res;
    count--;
  }
  if (result < 0) errno = (int)-result;
  return result < 0 ? -1 : result;
}

long aio_write(int fd, const void *bytes, size_t length, off_t offset) {
  if (!have_context()) return -1;
  struct iocb block, *list = &block;
  prepare(&block, fd, bytes, length, offset);
  atomic_fetch_add(&shared->in_flight, 1);
  long result = syscall(SYS_io_submit, context, 1L, &list) == 1 ? reap(1) : -1;
  int failure = errno;
  atomic_fetch_sub(&shared->in_flight, 1);
  errno = failure;
  return result;
}

/* Closes the file while its transfers are under way: no list of open files shows it any more. */
long aio_write_and_close(int fd, const void *bytes, size_t length) {
  enum { PARTS = 16 };
  if (!have_context()) return close(fd), -1;
  struct iocb blocks[PARTS], *list[PARTS];
  size_t each = length / PARTS / BLOCK * BLOCK;
  for (int at = 0; at < PARTS; at++) {
    prepare(&blocks[at], fd, (const char *)bytes + each * (size_t)at, each, (off_t)each * at);
    list[at] = &blocks[at];
  }
  atomic_fetch_add(&shared->in_flight, 1);
  long submitted = syscall(SYS_io_submit, context, (long)PARTS, list);
  int failure = errno;
  close(fd);
  long result = submitted > 0 ? reap(submitted) : -1;
  if (submitted > 0) failure = errno;
  atomic_fetch_sub(&shared->in_flight, 1);
  errno = failure;
  return result;
}

/* For a thread that ends. */
void aio_finish(void) {
  if (context != 0) syscall(SYS_io_destroy, context);
  context = 0;
}

/* One ring with room for one request at a time. */
struct ring {
  int fd;
  int is_polled;
  _Atomic uint32_t *submit_tail, *submit_mask, *complete_head, *complete_tail, *complete_mask;
  uint32_t *submit_array;
  struct io_uring_sqe *requests;
  struct io_uring_cqe *completions;
};

static int open_ring(struct ring *ring, int polled) {
  struct io_uring_params parameters = {.flags = polled ? IORING_SETUP_IOPOLL : 0};
  int fd = (int)syscall(SYS_io_uring_setup, 4, &parameters);
  if (fd < 0) return -1;
  size_t submit_bytes = parameters.sq_off.array + parameters.sq_entries * sizeof(uint32_t);
  size_t complete_bytes = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
  size_t bytes = submit_bytes > complete_bytes ? submit_bytes : complete_bytes;
  int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
  char *base = mmap(NULL, bytes, protection, flags, fd, IORING_OFF_SQ_RING);
  char *completion = (parameters.features & IORING_FEAT_SINGLE_MMAP) != 0
                         ? base
                         : mmap(NULL, complete_bytes, protection, flags, fd, IORING_OFF_CQ_RING);
  void *requests = mmap(NULL, parameters.sq_entries * sizeof(struct io_uring_sqe), protection, flags, fd,
                        IORING_OFF_SQES);
  if (base == MAP_FAILED || completion == MAP_FAILED || requests == MAP_FAILED) return close(fd), -1;
  *ring = (struct ring){
      .fd = fd,
      .is_polled = polled,
      .submit_tail = (void *)(base + parameters.sq_off.tail),
      .submit_mask = (void *)(base + parameters.sq_off.ring_mask),
      .submit_array = (void *)(base + parameters.sq_off.array),
      .complete_head = (void *)(completion + parameters.cq_off.head),
      .complete_tail = (void *)(completion + parameters.cq_off.tail),
      .complete_mask = (void *)(completion + parameters.cq_off.ring_mask),
      .requests = requests,
      .completions = (void *)(completion + parameters.cq_off.cqes),
  };
  return 0;
}

static long await_completion(struct ring *ring) {
  while (atomic_load(ring->complete_head) == atomic_load(ring->complete_tail)) {
    long got = syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    if (got < 0 && errno != EINTR && errno != EAGAIN) return -1;
  }
  uint32_t head = atomic_load(ring->complete_head);
  int32_t result = ring->completions[head & atomic_load(ring->complete_mask)].res;
  atomic_store(ring->complete_head, head + 1);
  if (result < 0) errno = -result;
  return result < 0 ? -1 : result;
}

static long ring_transfer(struct ring *ring, int fd, int flags, const void *bytes, size_t length, off_t offset) {
  uint32_t tail = atomic_load(ring->submit_tail), slot = tail & atomic_load(ring->submit_mask);
  struct io_uring_sqe *request = &ring->requests[slot];
  memset(request, 0, sizeof *request);
  request->opcode = IORING_OP_WRITE;
  request->fd = fd;
  request->flags = (uint8_t)flags;
  request->addr = (uint64_t)(uintptr_t)bytes;
  request->len = (uint32_t)length;
  request->off = (uint64_t)offset;
  ring->submit_array[slot] = slot;
  atomic_store(ring->submit_tail, tail + 1);

  atomic_fetch_add(&shared->in_flight, 1);
  long submitted;
  do submitted = syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0);
  while (submitted < 0 && (errno == EINTR || errno == EAGAIN));
  long result = submitted == 1 ? await_completion(ring) : -1;
  int failure = errno;
  atomic_fetch_sub(&shared->in_flight, 1);
  errno = failure;
  return result;
}

/* Rings live as long as the process. */
static struct ring *ring_of(int polled) {
  static struct ring rings[2];
  static int are_open[2];
  if (!are_open[polled] && open_ring(&rings[polled], polled) != 0) return NULL;
  are_open[polled] = 1;
  return &rings[polled];
}

long ring_write(int fd, const void *bytes, size_t length, off_t offset, int polled) {
  struct ring *ring = ring_of(polled);
  return ring == NULL ? -1 : ring_transfer(ring, fd, 0, bytes, length, offset);
}

/* A file that a ring holds needs no descriptor; the process's list of open files does not show it. */
int ring_adopt(int fd) {
  struct ring *ring = ring_of(0);
  if (ring == NULL) return -1;
  long result = syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_FILES, &fd, 1);
  return result < 0 ? -1 : 0;
}

long ring_write_adopted(const void *bytes, size_t length, off_t offset) {
  return ring_transfer(ring_of(0), 0, IOSQE_FIXED_FILE, bytes, length, offset);
}

void ring_release(void) { syscall(SYS_io_uring_register, ring_of(0)->fd, IORING_UNREGISTER_FILES, NULL, 0); }

static enum outcome writing(int flags, long (*write_to)(int, const void *, size_t, off_t)) {
  char path[PATH_BYTES];
  int fd = open_some(path, O_RDWR | flags);
  if (fd < 0) return outcome_of(fd);
  size_t bytes = random_size();
  off_t offset = random_offset(fd);
  if (flags != 0) {
    bytes = (bytes + BLOCK - 1) / BLOCK * BLOCK;
    offset = offset / BLOCK * BLOCK;
  }
  enum outcome outcome = outcome_of(write_to(fd, random_block(bytes), bytes, offset));
  close(fd);
  return outcome;
}

static long by_ring(int fd, const void *bytes, size_t length, off_t offset) {
  return ring_write(fd, bytes, length, offset, 0);
}

static long by_polled_ring(int fd, const void *bytes, size_t length, off_t offset) {
  return ring_write(fd, bytes, length, offset, 1);
}

enum outcome row_aio_buffered(void) { return writing(0, aio_write); }

enum outcome row_aio_direct(void) { return writing(O_DIRECT, aio_write); }

enum outcome row_ring_buffered(void) { return writing(0, by_ring); }

enum outcome row_ring_direct(void) { return writing(O_DIRECT, by_ring); }

enum outcome row_ring_polled(void) { return writing(O_DIRECT, by_polled_ring); }

enum outcome row_aio_closed_in_flight(void) {
  char path[PATH_BYTES];
  int fd = open_some(path, O_RDWR | O_DIRECT);
  if (fd < 0) return outcome_of(fd);
  return outcome_of(aio_write_and_close(fd, random_block(MAX_FILE_BYTES / 2), MAX_FILE_BYTES / 2));
}
