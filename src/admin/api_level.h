/* admin/api_level.h: the levels of the log as words. Any thread. */
#ifndef ADMIN_API_LEVEL_H
#define ADMIN_API_LEVEL_H

#include <stdbool.h>

#include "log/log.h"

/* "error", "warn", "info" or "debug". */
const char *api_level_word(enum log_level level);

/* Returns false if the word is none of them, or NULL. */
bool api_level_find(enum log_level *level, const char *word);

#endif
