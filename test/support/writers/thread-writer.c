/* thread-writer FILE: a thread with descriptors of its own opens the file for writing. Says `ready`; ends with its input. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *work(void *path) {
  if (unshare(CLONE_FILES) != 0 || open(path, O_WRONLY) < 0) exit(1);
  puts("ready");
  fflush(stdout);
  pause();
  return NULL;
}

int main(int count, char **words) {
  pthread_t thread;
  if (count < 2 || pthread_create(&thread, NULL, work, words[1]) != 0) return 1;
  while (getchar() != EOF)
    ;
  return 0;
}
