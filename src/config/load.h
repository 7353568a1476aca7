/* config/load.h: a configuration together with what it was built from, and configurations from a text in memory. Within src/config, and for tests. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/arena.h"
#include "config/config.h"
#include "config/file.h"

/* Every configuration is the first member of one of these. */
struct config_loaded {
    struct config config;
    struct config_raw raw; /* what the files say, which config/text.c writes and config/edit.c changes */
    struct config_arena arena;
};

/* Returns what the configuration is a part of. */
const struct config_loaded *config_loaded_of(const struct config *config);

/* Builds the configuration from `loaded->raw`, unless there are errors already. `whole` is the place of errors that concern no line. Returns the
 * configuration, or NULL after freeing `loaded`; then `errors` says why. Takes ownership of `loaded`, which is from calloc(). */
struct config *config_loaded_build(struct config_loaded *loaded, const struct config_place *whole, struct config_errors *errors);

/* Like config_load(), but reads `bytes` bytes at `text`. Errors use `name` as the file name. `include` is refused. Opens no file. */
struct config *config_load_text(const char *name, const char *text, size_t bytes, struct config_errors *errors);

#endif
