#include "reader.h"

#include "fan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * After a read of less than this the reader lets some more events come, unless a barrier is asked for: meanwhile the
 * kernel merges, and neither thread is woken for each event (measured: eleven events a read without it).
 */
#define SMALL_READ_BYTES (1 << 16)
#define REST_MS 1

/* A barrier that is being worked on: passed when the queue ran empty, or when all events of its time were read. */
struct barrier {
  bool is_active;
  unsigned number;
  /* Events still to be read; -1 where the kernel does not tell how many it has. */
  int64_t left;
};

static void tell(struct tm_reader *reader, unsigned news) {
  if (atomic_fetch_or(&reader->news, news) == 0) reader->announce(reader);
}

static void tell_readable(struct tm_reader *reader) {
  if (!atomic_exchange(&reader->told, true)) tell(reader, TM_NEWS_READABLE);
}

/* FIONREAD on a fanotify group counts the metadata of each queued event. */
static int64_t queued_events(const struct tm_reader *reader) {
  int bytes = 0;
  if (ioctl(reader->group, FIONREAD, &bytes) != 0) return -1;
  return bytes / TM_FAN_METADATA_BYTES;
}

static int64_t count_events(const unsigned char *at, size_t bytes) {
  int64_t count = 0;
  for (size_t done = 0; done + TM_FAN_METADATA_BYTES <= bytes; count++) {
    uint32_t length;
    memcpy(&length, at + done, sizeof length);
    if (length < TM_FAN_METADATA_BYTES) break;
    done += length;
  }
  return count;
}

static void begin_barrier(struct tm_reader *reader, struct barrier *barrier) {
  unsigned asked = atomic_load(&reader->barriers_asked);
  if (barrier->is_active || asked == atomic_load(&reader->barriers_passed)) return;
  *barrier = (struct barrier){.is_active = true, .number = asked, .left = queued_events(reader)};
}

static void end_barrier(struct tm_reader *reader, struct barrier *barrier, bool is_empty) {
  if (!barrier->is_active || !(is_empty || barrier->left == 0)) return;
  barrier->is_active = false;
  atomic_store(&reader->barriers_passed, barrier->number);
  tell(reader, TM_NEWS_BARRIER);
}

/* One read. Returns the bytes read, -1 where the group cannot be read any more. */
static ssize_t read_events(struct tm_reader *reader, unsigned char *at, size_t room, struct barrier *barrier) {
  ssize_t bytes = read(reader->group, at, room);
  int error = bytes < 0 ? errno : 0;
  if (bytes > 0) {
    if (barrier->is_active && barrier->left > 0) {
      int64_t count = count_events(at, (size_t)bytes);
      barrier->left = count < barrier->left ? barrier->left - count : 0;
    }
    tm_ring_wrote(&reader->ring, (size_t)bytes);
    tell_readable(reader);
  } else if (error == EFAULT || error == ENOMEM) {
    /* The kernel took events off its queue and could not hand them over. */
    tm_ring_put_loss(&reader->ring);
    tell_readable(reader);
  } else if (error != EAGAIN && error != EINTR) {
    atomic_store(&reader->error, error == 0 ? EIO : error);
    tell(reader, TM_NEWS_FAILED);
    return -1;
  }
  end_barrier(reader, barrier, error == EAGAIN);
  return bytes > 0 ? bytes : 0;
}

/* Room for the next read. Where there is none, `starved` is set first, so that no commit is missed in between. */
static size_t find_room(struct tm_reader *reader, unsigned char **at) {
  size_t room = tm_ring_room(&reader->ring, at);
  if (room == 0) {
    atomic_store(&reader->starved, true);
    room = tm_ring_room(&reader->ring, at);
  }
  if (room > 0) atomic_store(&reader->starved, false);
  return room;
}

static void hear_wake(const struct tm_reader *reader) {
  uint64_t count;
  /* Non-blocking; EAGAIN where the count was fetched already. */
  if (read(reader->wake, &count, sizeof count) < 0) return;
}

/*
 * Waits for something to do; true where there may be events. A barrier whose events are not known by number is passed
 * by reading until there is nothing, so with a barrier there is no waiting.
 */
static bool wait_for_events(struct tm_reader *reader, bool has_room, bool rests, bool has_barrier) {
  struct pollfd watched[3] = {
      {.fd = has_room && !rests ? reader->group : -1, .events = POLLIN},
      {.fd = reader->wake, .events = POLLIN},
      {.fd = reader->mounts, .events = POLLPRI},
  };
  int patience_ms = rests ? REST_MS : -1;
  if (poll(watched, TM_COUNT(watched), has_barrier && has_room ? 0 : patience_ms) < 0) return false;
  if (watched[1].revents) hear_wake(reader);
  if (watched[2].revents) tell(reader, TM_NEWS_MOUNTS);
  return has_room && (watched[0].revents || has_barrier);
}

static void *run(void *argument) {
  struct tm_reader *reader = argument;
  struct barrier barrier = {.is_active = false};
  unsigned char *at = NULL;
  bool rests = false;
  if (tm_ring_written(&reader->ring) != tm_ring_committed(&reader->ring)) tell_readable(reader);
  while (!atomic_load(&reader->stopping)) {
    size_t room = find_room(reader, &at);
    begin_barrier(reader, &barrier);
    end_barrier(reader, &barrier, false);
    bool may_read = wait_for_events(reader, room > 0, rests && !barrier.is_active, barrier.is_active);
    ssize_t bytes = may_read ? read_events(reader, at, room, &barrier) : 0;
    if (bytes < 0) break;
    rests = bytes > 0 && bytes < SMALL_READ_BYTES;
  }
  return NULL;
}

/* Locks belong to processes, and end when all threads of one have let go of its files: then nobody reads any more. */
static int lock_ring(int ring) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (fcntl(ring, F_SETLK, &whole) == 0) return 0;
  if (errno == EACCES || errno == EAGAIN) errno = EBUSY;
  return -1;
}

static int open_all(struct tm_reader *reader, int group, int ring) {
  reader->group = fcntl(group, F_DUPFD_CLOEXEC, 3);
  reader->ring_fd = fcntl(ring, F_DUPFD_CLOEXEC, 3);
  if (reader->group < 0 || reader->ring_fd < 0 || lock_ring(reader->ring_fd) != 0) return -1;
  if (tm_ring_map(reader->ring_fd, &reader->ring) != 0) return -1;
  reader->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (reader->wake < 0) return -1;
  /* Without /proc there is no word of mounts; poll passes over -1. */
  reader->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
  return 0;
}

static int start_thread(struct tm_reader *reader) {
  sigset_t all, before;
  sigfillset(&all);
  /* The thread inherits the mask: signals stay with the threads that expect them. */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&reader->thread, NULL, run, reader);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  reader->is_running = error == 0;
  if (error == 0) pthread_setname_np(reader->thread, "tidemark-events");
  errno = error;
  return error == 0 ? 0 : -1;
}

static void close_all(struct tm_reader *reader) {
  int *const descriptors[] = {&reader->group, &reader->ring_fd, &reader->wake, &reader->mounts};
  tm_ring_unmap(&reader->ring);
  for (size_t index = 0; index < TM_COUNT(descriptors); index++) {
    tm_close_quietly(*descriptors[index]);
    *descriptors[index] = -1;
  }
}

int tm_reader_start(struct tm_reader *reader, int group, int ring) {
  reader->group = reader->ring_fd = reader->wake = reader->mounts = -1;
  if (open_all(reader, group, ring) == 0 && start_thread(reader) == 0) return 0;
  int error = errno;
  close_all(reader);
  errno = error;
  return -1;
}

static void wake(const struct tm_reader *reader) {
  uint64_t one = 1;
  /* Fails only where the count is at its limit: then the thread is woken already. */
  if (write(reader->wake, &one, sizeof one) < 0) return;
}

void tm_reader_stop(struct tm_reader *reader) {
  if (!reader->is_running) return;
  atomic_store(&reader->stopping, true);
  wake(reader);
  pthread_join(reader->thread, NULL);
  reader->is_running = false;
  close_all(reader);
}

unsigned tm_reader_news(struct tm_reader *reader) { return atomic_exchange(&reader->news, 0); }

void tm_reader_commit(struct tm_reader *reader, uint64_t position) {
  tm_ring_commit(&reader->ring, position);
  if (atomic_load(&reader->starved)) wake(reader);
}

unsigned tm_reader_barrier(struct tm_reader *reader) {
  unsigned number = atomic_fetch_add(&reader->barriers_asked, 1) + 1;
  wake(reader);
  return number;
}
