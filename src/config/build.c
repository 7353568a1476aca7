/* config/build.c: builds the immutable configuration from raw keys, with every check that needs more than one line. Thread that loads the configuration. */
#include "config/build.h"

#include <sched.h>
#include <string.h>

#include "config/keys.h"
#include "config/suggest.h"
#include "config/value.h"

#define HASH_ENTRIES_PER_BACKEND 100
#define LAME_DUCK_MS 5000 /* lame_duck = auto, if something can ask whether Penstock is ready */
/* Maximum number of candidates compared for "did you mean", in all. A file with more wrong words than that does not have spelling mistakes. */
#define SUGGESTIONS_MAX 1000000

#define refuse(build, place, ...) config_errors_add((build)->errors, place, __VA_ARGS__)

/* Returns the key that was probably meant: first one of this section, then one of another section. Returns NULL if none is near. */
static const char *nearest_key(struct config_build *build, const struct config_raw_section *section, const char *name)
{
    struct suggest here = {0}, anywhere = {0};

    build->suggestions += config_key_count;
    if (build->suggestions > SUGGESTIONS_MAX)
        return NULL;
    for (size_t i = 0; i < config_key_count; i++)
        suggest_offer(config_key_is_in(&config_keys[i], section->kind) ? &here : &anywhere, name, config_keys[i].name);
    return here.nearest ? here.nearest : anywhere.nearest;
}

static void unknown_key(struct config_build *build, const struct config_raw_section *section, const struct config_raw_key *raw)
{
    bool here = section->kind == CONFIG_IN_POOL || section->kind == CONFIG_IN_DEFAULTS;
    const char *kind = config_section_name(section->kind), *nearest;
    const struct config_key *other = NULL;

    for (size_t i = 0; i < config_key_count && !other; i++)
        if (strcmp(config_keys[i].name, raw->name) == 0)
            other = &config_keys[i];
    /* max_connections exists in other sections, and is reserved for pools in a later version */
    if (config_key_is_later(raw->name) && (here || !other)) {
        refuse(build, &raw->place, "key \"%s\" is known but not supported by this version; remove it", raw->name);
    } else if (other && other->section == CONFIG_IN_GLOBAL) {
        refuse(build, &raw->place, "key \"%s\" belongs in [global], not in [%s]", raw->name, kind);
    } else if (other) {
        refuse(build, &raw->place, "key \"%s\" belongs in [%s NAME], not in [%s]", raw->name,
               config_section_name(other->section), kind);
    } else {
        nearest = nearest_key(build, section, raw->name);
        if (nearest)
            refuse(build, &raw->place, "unknown key \"%s\"; did you mean \"%s\"?", raw->name, nearest);
        else
            refuse(build, &raw->place, "unknown key \"%s\" (penstock check --help lists all keys)", raw->name);
    }
}

/* Returns what was written in sections of this kind. `named` belongs to the section of the last begin_section(). */
static struct config_written *written_in(struct config_build *build, enum config_section kind)
{
    return kind == CONFIG_IN_GLOBAL ? &build->global : kind == CONFIG_IN_DEFAULTS ? &build->defaults : &build->named;
}

static void forget_written(struct config_written *written)
{
    memset(written->first, 0, config_key_count * sizeof(*written->first));
}

/* Returns the first such key, which may have been refused: a repetition of it is still refused as one. */
static const struct config_raw_key *find_written(const struct config_written *written, const struct config_key *key)
{
    return written->first[key - config_keys];
}

/* Like find_written(), but returns NULL if the key was refused. */
static const struct config_raw_key *find_raw(const struct config_written *written, const struct config_key *key)
{
    const struct config_raw_key *raw = find_written(written, key);
    return raw && !raw->refused ? raw : NULL;
}

/* In [defaults], one key counts for all keys with its name. */
static void note_written(struct config_written *written, enum config_section kind, const struct config_raw_key *raw)
{
    for (size_t i = 0; i < config_key_count; i++)
        if (config_key_is_in(&config_keys[i], kind) && !written->first[i] && strcmp(config_keys[i].name, raw->name) == 0)
            written->first[i] = raw;
}

/* Makes `named` describe this section. */
static void begin_section(struct config_build *build, const struct config_raw_section *section)
{
    forget_written(&build->named);
    for (const struct config_raw_key *raw = section->keys; raw; raw = raw->next)
        note_written(&build->named, section->kind, raw);
}

/* Checks each key once, where it is written, so that a bad value in [defaults] is not reported for every section that uses it. */
static void check_keys(struct config_build *build, struct config_raw_section *section)
{
    union {
        struct config global;
        struct config_listener listener;
        struct config_pool pool;
    } scratch;
    struct config_written *written = written_in(build, section->kind);
    struct config_problem problem;

    if (section->name[0])
        forget_written(written);
    for (struct config_raw_key *raw = section->keys; raw; raw = raw->next) {
        const struct config_key *key = config_key_find(section->kind, raw->name);
        if (!key) {
            if (!raw->refused)
                unknown_key(build, section, raw);
            raw->refused = true;
            continue;
        }
        const struct config_raw_key *earlier = find_written(written, key);
        if (!earlier)
            note_written(written, section->kind, raw);
        if (earlier && !key->repeatable) {
            if (earlier->place.source == raw->place.source)
                refuse(build, &raw->place, "key \"%s\" again; first on line %u", raw->name, earlier->place.line);
            else
                refuse(build, &raw->place, "key \"%s\" again; first at %s:%u", raw->name, earlier->place.source->file,
                       earlier->place.line);
            raw->refused = true;
        } else if (!raw->refused && !config_value_set(key, raw->value, &scratch, build->arena, &problem)) {
            refuse(build, &raw->place, "%s = %s: %s", raw->name, raw->value, problem.text);
            raw->refused = true;
        }
    }
}

/* Checks config_key.used_with ("key=value|value"). Reports a key without effect only if the other key is set neither in the section nor in [defaults]: then
 * it was probably forgotten. If the other key has a different value, that was a decision. */
static void check_used(struct config_build *build, enum config_section kind, const struct config_key *key,
                       const struct config_raw_key *raw)
{
    const char *equals = strchr(key->used_with, '=');
    const struct config_key *other;
    char name[32] = "";
    uint64_t index;

    memcpy(name, key->used_with, (size_t)(equals - key->used_with));
    other = config_key_find(kind, name);
    if (other->initial && config_choice_find(equals + 1, other->initial, &index))
        return;
    if (!find_written(written_in(build, kind), other) && !find_written(&build->defaults, other))
        refuse(build, &raw->place, "%s has no effect without %s = %s", key->name, name, equals + 1);
}

/* Returns the section's own key, or that of [defaults], or NULL. */
static const struct config_raw_key *find_value(struct config_build *build, enum config_section kind, const struct config_key *key)
{
    const struct config_raw_key *raw = find_raw(written_in(build, kind), key);
    return raw || kind == CONFIG_IN_GLOBAL || key->own_section_only ? raw : find_raw(&build->defaults, key);
}

const struct config_raw_key *config_build_own(const struct config_build *build, const char *name)
{
    return find_raw(&build->named, config_key_find(CONFIG_IN_POOL, name));
}

const struct config_raw_key *config_build_default(const struct config_build *build, const char *name)
{
    return find_raw(&build->defaults, config_key_find(CONFIG_IN_POOL, name));
}

bool config_build_is_written(const struct config_build *build, const char *name)
{
    const struct config_key *key = config_key_find(CONFIG_IN_POOL, name);

    return find_written(&build->named, key) || find_written(&build->defaults, key);
}

/* Sets every field of `object` that has a key in sections of this kind to the given value or to the default. */
static void set_fields(struct config_build *build, enum config_section kind, void *object)
{
    struct config_problem problem;

    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->section != kind)
            continue;
        const struct config_raw_key *raw = find_raw(written_in(build, kind), key);
        if (raw && key->used_with)
            check_used(build, kind, key, raw);
        raw = find_value(build, kind, key);
        const char *text = raw ? raw->value : key->initial;
        if (text)
            config_value_set(key, text, object, build->arena, &problem);
    }
}

/* Returns the number of CPUs that this process may run on. */
static uint32_t cpu_count(struct config_arena *arena)
{
    uint32_t count = 1;
    for (int cpus = CPU_SETSIZE; cpus <= 64 * CPU_SETSIZE; cpus *= 2) { /* EINVAL: the kernel has more CPUs than the set can hold */
        size_t bytes = CPU_ALLOC_SIZE((size_t)cpus);
        cpu_set_t *set = config_arena_alloc(arena, bytes);
        if (!set)
            break;
        if (sched_getaffinity(0, bytes, set) == 0) {
            count = (uint32_t)CPU_COUNT_S(bytes, set);
            break;
        }
    }
    return count > 1024 ? 1024 : count; /* the maximum of `workers` */
}

static uint32_t next_prime(uint32_t n)
{
    while (!config_value_is_prime(n))
        n++;
    return n;
}

static void finish_hash_table(struct config_build *build, struct config_pool *pool)
{
    const struct config_key *key = config_key_find(CONFIG_IN_POOL, "hash_table_size");
    const struct config_raw_key *raw = find_value(build, CONFIG_IN_POOL, key);

    if (raw && pool->settings.hash_table_size < pool->backend_count) {
        refuse(build, &raw->place, "hash_table_size = %s: fewer entries than the %zu backends of pool \"%s\"", raw->value,
               pool->backend_count, pool->name);
    } else if (!raw && pool->settings.hash_table_size < pool->backend_count * HASH_ENTRIES_PER_BACKEND) {
        size_t wanted = pool->backend_count * HASH_ENTRIES_PER_BACKEND;
        pool->settings.hash_table_size = wanted < key->max ? next_prime((uint32_t)wanted) : (uint32_t)key->max;
    }
}

/* The default: a quarter of the interval, at least 100 ms, at most the interval itself. */
static uint32_t fast_interval_ms(uint32_t interval_ms)
{
    uint32_t fast_ms = interval_ms / 4 < 100 ? 100 : interval_ms / 4;
    return fast_ms < interval_ms ? fast_ms : interval_ms;
}

static void build_pool(struct config_build *build, const struct config_raw_section *section, struct config_pool *pool)
{
    begin_section(build, section);
    pool->name = section->name;
    set_fields(build, CONFIG_IN_POOL, pool);
    build->has_check[section->position] = find_value(build, CONFIG_IN_POOL, config_key_find(CONFIG_IN_POOL, "check"));
    config_backends_build(build, section, pool);
    finish_hash_table(build, pool);
    if (pool->settings.check_timeout_ms == 0)
        pool->settings.check_timeout_ms = config_probes_timeout_ms(pool->settings.check);
    if (pool->settings.check_fast_interval_ms == 0)
        pool->settings.check_fast_interval_ms = fast_interval_ms(pool->settings.check_interval_ms);
    if (pool->settings.check_down_interval_ms == 0)
        pool->settings.check_down_interval_ms = pool->settings.check_interval_ms;
    if (pool->settings.agent_interval_ms == 0)
        pool->settings.agent_interval_ms = pool->settings.check_interval_ms;
    config_probes_check(build, section, pool);
}

/* Returns the index of the pool with this name, or pool_count after reporting that there is none. */
static size_t find_pool(struct config_build *build, const struct config_raw_key *raw)
{
    const struct config *config = build->config;
    const struct config_raw_section *section = config_index_find(&build->raw->pools, raw->value);
    struct suggest suggest = {0};

    if (section)
        return section->position;
    build->suggestions += config->pool_count;
    for (size_t i = 0; i < config->pool_count && build->suggestions <= SUGGESTIONS_MAX; i++)
        suggest_offer(&suggest, raw->value, config->pools[i].name);
    if (suggest.nearest)
        refuse(build, &raw->place, "pool = %s: there is no such pool; did you mean \"%s\"?", raw->value, suggest.nearest);
    else
        refuse(build, &raw->place, "pool = %s: there is no section [pool %s]", raw->value, raw->value);
    return config->pool_count;
}

static void build_listener(struct config_build *build, const struct config_raw_section *section, size_t index)
{
    struct config_listener *listener = &build->listeners[index];
    struct config_bind_list *list = &build->bind_lists[index];
    const struct config_key *pool_key = config_key_find(CONFIG_IN_LISTENER, "pool");
    const struct config_raw_key *pool;

    begin_section(build, section);
    pool = find_raw(&build->named, pool_key);
    listener->name = section->name;
    listener->pool = build->config->pool_count;
    set_fields(build, CONFIG_IN_LISTENER, listener);
    list->protocol = listener->settings.protocol;
    for (const struct config_raw_key *key = section->keys; key; key = key->next)
        if (!key->refused && strcmp(key->name, "bind") == 0)
            config_bind_add(build, key, list);
    listener->binds = list->binds;
    listener->bind_count = list->count;
    list->pool = pool;
    if (pool)
        listener->pool = find_pool(build, pool);
    else if (!find_written(&build->named, pool_key))
        refuse(build, &section->place, "listener \"%s\" has no pool: add pool = NAME", section->name);
    if (!find_written(&build->named, config_key_find(CONFIG_IN_LISTENER, "bind")))
        refuse(build, &section->place, "listener \"%s\" has no address: add bind = ADDRESS:PORT", section->name);
}

static void warn_of_unused_pools(struct config_build *build)
{
    const struct config *config = build->config;
    bool *used = config_arena_alloc(build->arena, config->pool_count * sizeof(*used));
    size_t pool = 0;

    for (size_t i = 0; i < config->listener_count && used; i++)
        if (config->listeners[i].pool < config->pool_count)
            used[config->listeners[i].pool] = true;
    for (const struct config_raw_section *s = build->raw->sections; s && used; s = s->next)
        if (s->kind == CONFIG_IN_POOL && !used[pool++])
            config_errors_warn(build->errors, &s->place, "pool \"%s\" is not used by any listener", s->name);
}

static bool make_room(struct config_build *build)
{
    struct config *config = build->config;
    config->listener_count = build->raw->listener_count;
    config->pool_count = build->raw->pool_count;
    build->listeners = config_arena_alloc(build->arena, config->listener_count * sizeof(*build->listeners));
    build->bind_lists = config_arena_alloc(build->arena, config->listener_count * sizeof(*build->bind_lists));
    build->pools = config_arena_alloc(build->arena, config->pool_count * sizeof(*build->pools));
    build->backend_keys = config_arena_alloc(build->arena, config->pool_count * sizeof(*build->backend_keys));
    config->listeners = build->listeners;
    config->pools = build->pools;
    build->has_check = config_arena_alloc(build->arena, config->pool_count * sizeof(*build->has_check));
    return build->listeners && build->bind_lists && build->pools && build->backend_keys && build->has_check;
}

void config_build(struct config *config, struct config_raw *raw, struct config_arena *arena, struct config_errors *errors)
{
    struct config_build build = {.raw = raw, .arena = arena, .errors = errors, .config = config};
    size_t listener = 0, pool = 0;

    build.global.first = config_arena_alloc(arena, config_key_count * sizeof(*build.global.first));
    build.defaults.first = config_arena_alloc(arena, config_key_count * sizeof(*build.defaults.first));
    build.named.first = config_arena_alloc(arena, config_key_count * sizeof(*build.named.first));
    if (!build.global.first || !build.defaults.first || !build.named.first)
        return;
    for (struct config_raw_section *s = raw->sections; s; s = s->next)
        check_keys(&build, s);
    set_fields(&build, CONFIG_IN_GLOBAL, config);
    if (config->workers == 0)
        config->workers = cpu_count(arena);
    config->admin_is_default = !find_raw(&build.global, config_key_find(CONFIG_IN_GLOBAL, "admin"));
    if (config->lame_duck_ms == UINT32_MAX)
        config->lame_duck_ms = addr_family(&config->http) == AF_UNSPEC ? 0 : LAME_DUCK_MS;
    if (!make_room(&build))
        return;
    for (const struct config_raw_section *s = raw->sections; s; s = s->next)
        if (s->kind == CONFIG_IN_POOL)
            build_pool(&build, s, &build.pools[pool++]);
    for (const struct config_raw_section *s = raw->sections; s; s = s->next)
        if (s->kind == CONFIG_IN_LISTENER)
            build_listener(&build, s, listener++);
    config_protocols_check(&build);
    config_collisions_check(&build);
    if (config_errors_count(errors) == 0 && config->listener_count > 0) /* otherwise the listener that uses the pool may have been refused */
        warn_of_unused_pools(&build);
}
