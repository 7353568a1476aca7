/* config/contents.h: the text of one configuration file, which need not be a file. Within src/config; any thread. */
#ifndef CONFIG_CONTENTS_H
#define CONFIG_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Opens `path` for config_contents_read() and fills `status` (fstat(2)). With `plain` only a regular file will do; else a pipe, a FIFO, a terminal or another
 * character device may take its place, as in "-c /dev/stdin". Never blocks on a FIFO; waits up to 50 seconds for the holder of a lease (fcntl(2)). Returns a
 * descriptor, the caller's; or -1, and `*problem` says why. */
int config_contents_open(const char *path, bool plain, struct stat *status, const char **problem);

/* Reads all of `fd`, at most CONFIG_FILE_BYTES_MAX, into `*text` (malloc'ed, the caller frees). Waits for a terminal or an unnamed pipe as long as it takes,
 * for anything else that has nothing to read yet only 4 seconds, and 60 in all: a FIFO may have no writer, or one that says nothing, and some files of
 * /proc have no end. Returns the number of bytes; or -1, and `*problem` says why, with `*text` NULL. */
ssize_t config_contents_read(int fd, const struct stat *status, char **text, const char **problem);

#endif
