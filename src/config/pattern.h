/* config/pattern.h: finds the files that match a pattern with wildcards. Within src/config; any thread. Blocks on directory reads. */
#ifndef CONFIG_PATTERN_H
#define CONFIG_PATTERN_H

#include <glob.h>
#include <limits.h>

/* Starts as all zero. Free it with config_matches_free() after every result. */
struct config_matches {
    glob_t found;               /* gl_pathc paths in gl_pathv, in alphabetical order */
    char unread_path[PATH_MAX]; /* what could not be read, if the result says so, else "" */
};

/* Fills `matches` with the paths that match `pattern` as in glob(7), possibly none. Unlike glob(3), it does not treat an unreadable directory as empty. Returns
 * 0; -ENOENT if the pattern's directory does not exist or is not a directory; -ENOMEM; or the negative errno of the first failure, which was at `unread_path`,
 * together with the matches found elsewhere. */
int config_pattern_match(const char *pattern, struct config_matches *matches);

void config_matches_free(struct config_matches *matches);

#endif
