/* config/build.h: what the parts of building share: config/build.c (keys), config/endpoints.c (addresses), config/collisions.c and config/loops.c (what may not
 * meet). Within src/config. */
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
    const struct config_raw_key ***backend_keys; /* of each pool, one per backend */
    struct config_written global, defaults, named; /* over all files; of the section in hand */
    size_t addresses;   /* of all listeners so far, those refused for being too many included */
    size_t suggestions; /* candidates weighed so far */
    bool head_refused;  /* that [defaults] want to look into the body of an answer to HEAD */
};

/* Understands `raw`; what is wrong goes to `errors`, and then `config` is not to be used. */
void config_build(struct config *config, struct config_raw *raw, struct config_arena *arena, struct config_errors *errors);

/* The addresses of one `bind` key, added to the list. */
void config_bind_add(struct config_build *build, const struct config_raw_key *key, struct config_bind_list *list);

/* The backends of a pool section. */
void config_backends_build(struct config_build *build, const struct config_raw_section *section, struct config_pool *pool);

/* Refuses addresses that are bound twice, over all listeners, and whatever brings connections back to the listener that they came from. */
void config_collisions_check(struct config_build *build);

struct config_bound_index;

/* The second half of config_collisions_check(), which has filled the index: listeners and pools that lead back to themselves. */
void config_loops_check(struct config_build *build, const struct config_bound_index *bounds);

#endif
