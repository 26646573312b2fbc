/*
 * ring-writer FILE: opens the file for writing, registers it with an io_uring and closes the descriptor. Says `ready`
 * and lives until the end of its input. Exits with 3 where there is no io_uring.
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **words) {
  struct io_uring_params parameters = {0};
  int fd = count > 1 ? open(words[1], O_WRONLY) : -1;
  if (fd < 0) return 1;
  int ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);
  if (ring < 0) return 3;
  if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1) != 0) return 3;
  close(fd);
  puts("ready");
  fflush(stdout);
  while (getchar() != EOF)
    ;
  return 0;
}
