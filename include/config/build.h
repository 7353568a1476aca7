/* config/build.h: what the two halves of building share: config/build.c (keys) and config/endpoints.c (addresses). Within src/config. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "config/arena.h"
#include "config/config.h"
#include "config/errors.h"
#include "config/file.h"

/* The binds of one listener while they are put together, with the keys that they come from. */
struct config_bind_list {
    struct config_bind *binds;
    const struct config_raw_key **keys;
    size_t count, room;
};

/* Where each key of a section was written first, in the order of config_keys; NULL: it was not. */
struct config_written {
    const struct config_raw_key **first;
};

struct config_build {
    const struct config_raw *raw;
    struct config_arena *arena;
    struct config_errors *errors;
    struct config *config;
    struct config_listener *listeners;
    struct config_bind_list *bind_lists; /* one per listener */
    struct config_pool *pools;
    struct config_written global, defaults, named; /* over all files; of the section in hand */
    size_t suggestions; /* candidates weighed so far */
    bool head_refused;  /* that [defaults] want to look into the body of an answer to HEAD */
};

/* Understands `raw`; what is wrong goes to `errors`, and then `config` is not to be used. */
void config_build(struct config *config, struct config_raw *raw, struct config_arena *arena, struct config_errors *errors);

/* The addresses of one `bind` key, added to the list. */
void config_bind_add(struct config_build *build, const struct config_raw_key *key, struct config_bind_list *list);

/* The backends of a pool section. */
void config_backends_build(struct config_build *build, const struct config_raw_section *section, struct config_pool *pool);

/* Addresses bound twice, over all listeners, and backends that are a listener's own address. */
void config_binds_check(struct config_build *build);

#endif
