/* config/load.h: a configuration from a text in memory, for tests and fuzzing. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/config.h"

/* Like config_load(), but reads `bytes` bytes at `text`. Errors use `name` as the file name. `include` is refused. Opens no file. */
struct config *config_load_text(const char *name, const char *text, size_t bytes, struct config_errors *errors);

#endif
