#include "ring.h"

#include "fan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* "tidemark" read as a number. */
#define MAGIC 0x6B72616D65646974ULL
#define VERSION 1
/* The kernel hands over this much at once at most: enough to make the call itself cheap. */
#define READ_BYTES (1 << 19)

int tm_ring_create(size_t capacity) {
  capacity &= ~(size_t)(TM_FAN_EVENT_MAX - 1);
  struct tm_ring_header header = {
      .magic = MAGIC, .version = VERSION, .header_bytes = TM_RING_HEADER_BYTES, .capacity = capacity};
  int fd = memfd_create("tidemark-events", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -1;
  /* Memory is reserved now, and the size sealed: no lack of it can come between the kernel and an event. */
  int error = posix_fallocate(fd, 0, (off_t)(TM_RING_HEADER_BYTES + capacity));
  if (error == 0 && pwrite(fd, &header, sizeof header, 0) != sizeof header) error = errno;
  if (error == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) error = errno;
  if (error == 0) return fd;
  close(fd);
  errno = error;
  return -1;
}

static bool is_sound(const struct tm_ring_header *header, uint64_t size) {
  uint64_t committed = atomic_load(&header->committed), written = atomic_load(&header->written);
  return header->magic == MAGIC && header->version == VERSION && header->header_bytes == TM_RING_HEADER_BYTES &&
         header->capacity == size - TM_RING_HEADER_BYTES && header->capacity % 4 == 0 && committed % 4 == 0 &&
         written % 4 == 0 && committed <= written && written - committed <= header->capacity;
}

static uint64_t left_in_lap(const struct tm_ring *ring, uint64_t position) {
  return ring->capacity - position % ring->capacity;
}

/* Where the next read begins. The rest of a lap that is left over is made zero first, which tells the taker. */
static uint64_t place_of_read(struct tm_ring *ring, uint64_t written) {
  uint64_t left = left_in_lap(ring, written);
  if (left >= TM_FAN_EVENT_MAX) return written;
  memset(ring->data + written % ring->capacity, 0, left);
  return written + left;
}

/* Where the next event is: there, or at the start of the next lap. Positions are multiples of four, as lengths are. */
static uint64_t place_of_event(const struct tm_ring *ring, uint64_t position) {
  uint32_t length;
  uint64_t left = left_in_lap(ring, position);
  if (left >= TM_FAN_EVENT_MAX) return position;
  memcpy(&length, ring->data + position % ring->capacity, sizeof length);
  return length == 0 ? position + left : position;
}

/* Length of the event at `at`, or 0 if none can be there. */
static size_t event_length(const unsigned char *at, uint64_t most) {
  struct fanotify_event_metadata event;
  if (most < sizeof event) return 0;
  memcpy(&event, at, sizeof event);
  bool is_event = event.vers == FANOTIFY_METADATA_VERSION && event.metadata_len == TM_FAN_METADATA_BYTES &&
                  event.event_len >= TM_FAN_METADATA_BYTES && event.event_len % 4 == 0 && event.event_len <= most;
  return is_event ? event.event_len : 0;
}

/* True where the information records fill the event exactly: the kernel had copied all of it. */
static bool is_whole(const unsigned char *event, size_t length) {
  size_t at = TM_FAN_METADATA_BYTES;
  while (at + 4 <= length) {
    uint16_t size;
    memcpy(&size, event + at + 2, sizeof size);
    if (size < 4) return false;
    at += size;
  }
  return at == length;
}

/* Counts in the events that the kernel had copied when the process was killed. */
static void recover(struct tm_ring *ring) {
  uint64_t written = tm_ring_written(ring), cleared = atomic_load(&ring->header->cleared);
  bool is_torn = false;
  while (written < cleared && !is_torn) {
    const unsigned char *at = ring->data + written % ring->capacity;
    size_t length = event_length(at, cleared - written);
    if (length == 0) break;
    is_torn = !is_whole(at, length);
    if (!is_torn) written += length;
  }
  if (written > tm_ring_written(ring)) atomic_store(&ring->header->written, written);
  if (is_torn) tm_ring_put_loss(ring);
  atomic_store(&ring->header->cleared, tm_ring_written(ring));
}

int tm_ring_map(int fd, struct tm_ring *ring) {
  struct stat found;
  if (fstat(fd, &found) != 0) return -1;
  if (found.st_size < TM_RING_HEADER_BYTES + TM_RING_MIN_BYTES) {
    errno = EPROTO;
    return -1;
  }
  size_t size = (size_t)found.st_size;
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (memory == MAP_FAILED) return -1;
  ring->header = memory;
  ring->data = (unsigned char *)memory + TM_RING_HEADER_BYTES;
  ring->capacity = size - TM_RING_HEADER_BYTES;
  if (!is_sound(ring->header, size)) {
    munmap(memory, size);
    errno = EPROTO;
    return -1;
  }
  recover(ring);
  return 0;
}

void tm_ring_unmap(struct tm_ring *ring) {
  if (ring->header != NULL) munmap(ring->header, TM_RING_HEADER_BYTES + ring->capacity);
  ring->header = NULL;
}

static uint64_t smaller(uint64_t left, uint64_t right) { return left < right ? left : right; }

size_t tm_ring_room(struct tm_ring *ring, unsigned char **at) {
  struct tm_ring_header *header = ring->header;
  uint64_t written = atomic_load(&header->written), limit = atomic_load(&header->committed) + ring->capacity;
  /* With what may be left over of a lap. */
  if (limit < written + 2 * TM_FAN_EVENT_MAX) return 0;
  uint64_t position = place_of_read(ring, written), lap_end = position + left_in_lap(ring, position);
  uint64_t end = smaller(smaller(limit, lap_end), position + READ_BYTES);
  uint64_t cleared = atomic_load(&header->cleared);
  if (cleared < position) cleared = position;
  /* Half a read that is zero already will do: most reads are small, and clearing ahead of each would cost. */
  if (cleared < smaller(end, position + READ_BYTES / 2)) {
    memset(ring->data + cleared % ring->capacity, 0, end - cleared);
    cleared = end;
  }
  /* In this order: a `cleared` ahead of the zeros, or behind `written`, would show old events as new. */
  atomic_store(&header->cleared, cleared);
  atomic_store(&header->written, position);
  *at = ring->data + position % ring->capacity;
  return (size_t)(smaller(cleared, end) - position);
}

void tm_ring_wrote(struct tm_ring *ring, size_t bytes) { atomic_fetch_add(&ring->header->written, bytes); }

void tm_ring_put_loss(struct tm_ring *ring) {
  struct fanotify_event_metadata loss = {
      .event_len = TM_FAN_METADATA_BYTES,
      .vers = FANOTIFY_METADATA_VERSION,
      .metadata_len = TM_FAN_METADATA_BYTES,
      .mask = FAN_Q_OVERFLOW,
      .fd = FAN_NOFD,
  };
  memcpy(ring->data + tm_ring_written(ring) % ring->capacity, &loss, sizeof loss);
  tm_ring_wrote(ring, sizeof loss);
  /* Whatever else the kernel left there is cleared before the next read. */
  atomic_store(&ring->header->cleared, tm_ring_written(ring));
}

uint64_t tm_ring_written(const struct tm_ring *ring) { return atomic_load(&ring->header->written); }

uint64_t tm_ring_committed(const struct tm_ring *ring) { return atomic_load(&ring->header->committed); }

const unsigned char *tm_ring_event(const struct tm_ring *ring, uint64_t *position, uint64_t end, size_t *length) {
  if (*position >= end) return NULL;
  *position = place_of_event(ring, *position);
  if (*position >= end) return NULL;
  const unsigned char *at = ring->data + *position % ring->capacity;
  *length = event_length(at, end - *position);
  return at;
}

void tm_ring_commit(struct tm_ring *ring, uint64_t position) { atomic_store(&ring->header->committed, position); }
