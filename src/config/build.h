/* config/build.h: shared by the sources that build a configuration: config/build.c (keys), config/endpoints.c (addresses), config/collisions.c (addresses bound
 * twice), config/loops.c (loops) and config/probes.c (checks). Within src/config. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "config/arena.h"
#include "config/config.h"
#include "config/errors.h"
#include "config/file.h"

/* The binds of one listener while they are collected, and the keys that they and its pool come from. */
struct config_bind_list {
    struct config_bind *binds;
    const struct config_raw_key **keys;
    const struct config_raw_key *pool;
    size_t count, room;
    enum config_protocol protocol; /* of the listener */
};

/* The first place where each key of a section was written, in the order of config_keys; NULL: nowhere. */
struct config_written {
    const struct config_raw_key **first;
};

struct config_build {
    const struct config_raw *raw;
    struct config_arena *arena;
    struct config_errors *errors;
    struct config *config;
    struct config_listener *listeners;
    struct config_bind_list *bind_lists; /* one for each listener */
    struct config_pool *pools;
    const struct config_raw_key ***backend_keys; /* for each pool, one for each of its backends */
    bool *has_check;    /* for each pool, whether the file says how to check it */
    struct config_written global, defaults, named; /* global, defaults: over all files; named: the present section */
    size_t addresses;   /* of all listeners so far, including those refused because of the maximum */
    size_t suggestions; /* candidates compared so far */
    bool exec_refused;  /* check = exec without allow_exec was reported */
    bool head_refused;  /* [defaults] was refused for check_body together with the method HEAD */
    const struct config_raw_key *ca_refused; /* the check_tls_ca of [defaults], if it was refused */
};

/* Builds `config` from `raw`. Adds every error to `errors`; if there is one, `config` must not be used. */
void config_build(struct config *config, struct config_raw *raw, struct config_arena *arena, struct config_errors *errors);

/* Adds the addresses of one `bind` key to the list. */
void config_bind_add(struct config_build *build, const struct config_raw_key *key, struct config_bind_list *list);

/* Returns the key of the present pool section, or that of [defaults], or NULL if there is none or it was refused. */
const struct config_raw_key *config_build_own(const struct config_build *build, const char *name);
const struct config_raw_key *config_build_default(const struct config_build *build, const char *name);
/* Whether the present pool section or [defaults] has the key, even if it was refused. */
bool config_build_is_written(const struct config_build *build, const char *name);

/* Returns the default of check_timeout. */
uint32_t config_probes_timeout_ms(enum config_check check);

/* Refuses a pool, that of the present section, whose keys about probes cannot work together or name a file that cannot be read. */
void config_probes_check(struct config_build *build, const struct config_raw_section *section, const struct config_pool *pool);

/* Builds the backends of a pool section. */
void config_backends_build(struct config_build *build, const struct config_raw_section *section, struct config_pool *pool);

/* Refuses addresses that are bound twice, over all listeners, and backends that lead connections back to the listener that they came from. */
void config_collisions_check(struct config_build *build);

/* Refuses listeners whose pool cannot serve their protocol, and gives pools that serve only UDP their default check. */
void config_protocols_check(struct config_build *build);

struct config_bound_index;

/* Second half of config_collisions_check(), which has filled the index: refuses listeners and pools that lead back to themselves. */
void config_loops_check(struct config_build *build, const struct config_bound_index *bounds);

#endif
