/*
 * The thread that reads events into a ring, and what it shares with the thread of JavaScript.
 *
 * The reader thread writes to the ring and never takes; JavaScript takes and commits and never writes. Where the ring
 * is full the reader waits for a commit; events stay in the kernel's queue until then.
 */
#ifndef TIDEMARK_READER_H
#define TIDEMARK_READER_H

#include "keys.h"
#include "ring.h"

#include <pthread.h>

/* What a call into JavaScript is about; several at once. */
enum tm_news {
  TM_NEWS_READABLE = 1,
  TM_NEWS_MOUNTS = 2,
  TM_NEWS_BARRIER = 4,
  TM_NEWS_FAILED = 8,
};

struct tm_reader {
  struct tm_ring ring;
  int group, ring_fd, wake, mounts;
  pthread_t thread;
  bool is_running;
  /* Called on the reader thread whenever news come while none are pending. */
  void (*announce)(struct tm_reader *reader);
  void *listener;
  /* News that JavaScript has not fetched. */
  atomic_uint news;
  /* JavaScript knows that there is something to take, and has not taken since. */
  atomic_bool told;
  /* The reader waits for room. */
  atomic_bool starved;
  atomic_bool stopping;
  /* Barriers asked for and passed, counted. */
  atomic_uint barriers_asked, barriers_passed;
  /* errno that ended the thread, or 0. */
  atomic_int error;
};

/*
 * Takes up a ring and starts the thread. The descriptors remain the caller's. 0, or -1 with errno: EBUSY where another
 * process reads this ring, EPROTO where it is no ring of ours.
 */
int tm_reader_start(struct tm_reader *reader, int group, int ring);
/* Ends the thread and gives up everything; again: nothing. */
void tm_reader_stop(struct tm_reader *reader);
/* Fetches the news and makes room for new ones. */
unsigned tm_reader_news(struct tm_reader *reader);
void tm_reader_commit(struct tm_reader *reader, uint64_t position);
/* The number of a new barrier. */
unsigned tm_reader_barrier(struct tm_reader *reader);

#endif
