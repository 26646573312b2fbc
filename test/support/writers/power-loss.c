/*
 * power-loss FOLDER: shuts the file system of the folder down without writing anything, its journal included; what is on
 * its disk then is what a power loss would leave. Exits with 3 where it cannot.
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* ext4 and xfs share the number; 2: no flushing of the log. */
#define SHUT_DOWN _IOR('X', 125, uint32_t)

int main(int count, char **words) {
  uint32_t how = 2;
  int fd = count > 1 ? open(words[1], O_RDONLY | O_DIRECTORY) : -1;
  return fd < 0 || ioctl(fd, SHUT_DOWN, &how) != 0 ? 3 : 0;
}
