/* config/contents.h: reads the text of one configuration file, which may also be a pipe or a device. Within src/config; any thread. */
#ifndef CONFIG_CONTENTS_H
#define CONFIG_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Opens `path` for config_contents_read() and fills `status` (fstat(2)). With `plain`, only a regular file is accepted; otherwise also a pipe, a FIFO, a
 * terminal or another character device, as in "-c /dev/stdin". Never blocks on a FIFO. Waits up to 50 seconds for the holder of a lease (fcntl(2)). Returns a
 * descriptor that the caller owns, or -1 after setting `*problem` to the reason. */
int config_contents_open(const char *path, bool plain, struct stat *status, const char **problem);

/* Reads all of `fd`, at most CONFIG_FILE_BYTES_MAX bytes, into `*text`, which is malloc'ed and which the caller frees. Waits without limit for a terminal or
 * an unnamed pipe. For any other file without data, waits 4 seconds, and 60 seconds in all: a FIFO may have no writer or a silent one, and some files of /proc
 * have no end. Returns the number of bytes, or -1 after setting `*problem` to the reason and `*text` to NULL. */
ssize_t config_contents_read(int fd, const struct stat *status, char **text, const char **problem);

#endif
