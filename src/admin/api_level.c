/* admin/api_level.c: the levels of the log as words. Any thread; owns nothing. */
#include "admin/api_level.h"

#include <stddef.h>
#include <string.h>

static const char *const words[] = {[LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

const char *api_level_word(enum log_level level)
{
    return words[level];
}

bool api_level_find(enum log_level *level, const char *word)
{
    for (size_t i = 0; word && i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(word, words[i]) != 0)
            continue;
        *level = (enum log_level)i;
        return true;
    }
    return false;
}
