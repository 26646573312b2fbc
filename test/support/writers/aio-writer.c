/*
 * aio-writer FILE MIB: fills the file with `n` by libaio and O_DIRECT, in pieces of 4 MiB submitted all at once. Closes
 * its descriptor while they are under way, says `ready`, and says `done` when they have ended.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIECE_BYTES (4 << 20)
#define MAX_PIECES 256

int main(int count, char **words) {
  aio_context_t context = 0;
  static struct iocb blocks[MAX_PIECES];
  static struct io_event events[MAX_PIECES];
  struct iocb *list[MAX_PIECES];
  int fd = count > 2 ? open(words[1], O_WRONLY | O_DIRECT) : -1;
  int pieces = count > 2 ? atoi(words[2]) / 4 : 0;
  void *bytes;
  if (fd < 0 || pieces > MAX_PIECES || posix_memalign(&bytes, 65536, PIECE_BYTES) != 0) return 1;
  memset(bytes, 'n', PIECE_BYTES);
  if (syscall(SYS_io_setup, MAX_PIECES, &context) != 0) return 1;
  for (int index = 0; index < pieces; index++) {
    blocks[index] = (struct iocb){
        .aio_lio_opcode = IOCB_CMD_PWRITE,
        .aio_fildes = (uint32_t)fd,
        .aio_buf = (uint64_t)(uintptr_t)bytes,
        .aio_nbytes = PIECE_BYTES,
        .aio_offset = (int64_t)index * PIECE_BYTES,
    };
    list[index] = &blocks[index];
  }
  if (syscall(SYS_io_submit, context, (long)pieces, list) != pieces) return 1;
  close(fd);
  puts("ready");
  fflush(stdout);
  if (syscall(SYS_io_getevents, context, (long)pieces, (long)pieces, events, NULL) != pieces) return 1;
  for (int index = 0; index < pieces; index++)
    if (events[index].res != PIECE_BYTES) return 2;
  puts("done");
  return 0;
}
