/*
 * map-writer FILE: maps the file for reading and writing, shared, and closes its descriptor. Says `ready`; stores a byte
 * for each line it reads and says `stored`; unmaps at the end of its input.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int count, char **words) {
  char line[64];
  int fd = count > 1 ? open(words[1], O_RDWR) : -1;
  char *map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return 1;
  /* `quiet`: a mapping that could be made writable again at any time. */
  if (count > 2 && strcmp(words[2], "quiet") == 0 && mprotect(map, 4096, PROT_READ) != 0) return 1;
  close(fd);
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    map[0]++;
    puts("stored");
    fflush(stdout);
  }
  munmap(map, 4096);
  return 0;
}
