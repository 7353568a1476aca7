/* config/pattern.h: the files that a pattern with wildcards stands for. Within src/config; any thread, blocks on folder reads. */
#ifndef CONFIG_PATTERN_H
#define CONFIG_PATTERN_H

#include <glob.h>
#include <limits.h>

/* All zero to begin with; config_matches_free() is due whatever the result was. */
struct config_matches {
    glob_t found;               /* gl_pathc paths in gl_pathv, in alphabetical order */
    char unread_path[PATH_MAX]; /* what could not be looked into when the result says so, else "" */
};

/* Fills `matches` with what matches `pattern` as in glob(7), which may be nothing. Unlike glob(3) it does not take a folder that cannot
 * be read for an empty one. Returns 0; -ENOENT: the folder of the pattern does not exist (or is not one); -ENOMEM; or the negative
 * errno of what went wrong first at `unread_path`, with the matches found elsewhere. */
int config_pattern_match(const char *pattern, struct config_matches *matches);

void config_matches_free(struct config_matches *matches);

#endif
