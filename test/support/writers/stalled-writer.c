/*
 * stalled-writer FILE HALF: overwrites a file of two halves of HALF bytes with `n`, in one write that stops between the
 * halves. Says `stalled` there and goes on after a line of its input; says `written` when the file is closed.
 *
 * The second half of its memory is empty, and its page faults are answered by another thread: the kernel is in the
 * middle of the write, with the new time stamp set and half of the data copied.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096

static int faults;
static char page[PAGE] __attribute__((aligned(PAGE)));

static void *answer(void *unused) {
  int is_first = 1;
  struct uffd_msg message;
  while (read(faults, &message, sizeof message) == sizeof message) {
    if (is_first) {
      puts("stalled");
      fflush(stdout);
      getchar();
      is_first = 0;
    }
    struct uffdio_copy copy = {
        .dst = message.arg.pagefault.address & ~(uint64_t)(PAGE - 1), .src = (uintptr_t)page, .len = PAGE};
    if (ioctl(faults, UFFDIO_COPY, &copy) != 0) exit(2);
  }
  return unused;
}

int main(int count, char **words) {
  size_t half = count > 2 ? (size_t)atol(words[2]) : 0;
  int fd = count > 2 ? open(words[1], O_WRONLY) : -1;
  pthread_t thread;
  faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
  struct uffdio_api api = {.api = UFFD_API};
  if (fd < 0) return 1;
  if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0) return 3;
  char *bytes = mmap(NULL, 2 * half, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (bytes == MAP_FAILED) return 1;
  madvise(bytes, 2 * half, MADV_NOHUGEPAGE);
  memset(bytes, 'n', half);
  memset(page, 'n', PAGE);
  struct uffdio_register range = {
      .range = {.start = (uintptr_t)bytes + half, .len = half}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  if (ioctl(faults, UFFDIO_REGISTER, &range) != 0) return 3;
  if (pthread_create(&thread, NULL, answer, NULL) != 0) return 1;
  if (pwrite(fd, bytes, 2 * half, 0) != (ssize_t)(2 * half)) return 4;
  close(fd);
  puts("written");
  return 0;
}
