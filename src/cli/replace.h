/* cli/replace.h: replaces a file as a whole. Main thread. */
#ifndef CLI_REPLACE_H
#define CLI_REPLACE_H

#include <stddef.h>

/* Writes `text` to a temporary file in the same folder, flushes it to the disk, and renames it to `path`, so that a reader, or a crash, finds the old or the
 * new contents. A symbolic link stays, and the file that it leads to is replaced. The new file has the mode of the old one and, if this user may set it, its
 * owner and group; the mode 0644 if there was none. Returns 0, or a negative errno after setting `*step` to what failed, such as "write to it". */
int replace_file(const char *path, const char *text, size_t bytes, const char **step);

#endif
