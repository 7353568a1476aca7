/* config/endpoints.c: the addresses of a configuration: binds, backends, and what may not meet. Whoever loads runs it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/build.h"
#include "config/suggest.h"
#include "config/value.h"

#define PORT_MAX 65535

static void bind_append(struct config_build *build, const struct config_raw_key *key, struct config_bind_list *list,
                        const struct config_bind *bind)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 4 : list->room * 2;
        struct config_bind *binds = config_arena_alloc(build->arena, room * sizeof(*binds));
        const struct config_raw_key **keys = config_arena_alloc(build->arena, room * sizeof(*keys));
        if (!binds || !keys)
            return; /* the arena remembers */
        if (list->count > 0) {
            memcpy(binds, list->binds, list->count * sizeof(*binds));
            memcpy(keys, list->keys, list->count * sizeof(*keys));
        }
        list->binds = binds;
        list->keys = keys;
        list->room = room;
    }
    list->binds[list->count] = *bind;
    list->keys[list->count++] = key;
}

/* "HOST:PORT" or "HOST:PORT-PORT" with HOST instead of what the key says (it may say "*"). False: reported. */
static bool bind_host(struct config_build *build, const struct config_raw_key *key, struct config_bind_list *list, const char *host)
{
    const char *ports = strrchr(key->value, ':') + 1, *dash = strchr(ports, '-'), *problem;
    struct config_bind bind = {.file = key->place.source->file, .line = key->place.line, .optional = host[0] == '[' && *key->value == '*'};
    struct config_problem last_problem;
    uint64_t last;
    char text[160];

    snprintf(text, sizeof(text), "%s:%.*s", host, dash ? (int)(dash - ports) : (int)strlen(ports), ports);
    problem = addr_parse(&bind.addr, text);
    last = problem ? 0 : addr_port(&bind.addr);
    if (!problem && dash && !config_value_number(dash + 1, 1, PORT_MAX, &last, &last_problem))
        problem = "the end of the port range is not a number from 1 to 65535";
    else if (!problem && dash && last < addr_port(&bind.addr))
        problem = "the port range ends before it begins";
    if (problem) {
        config_errors_add(build->errors, &key->place, "bind = %s: %s", key->value, problem);
        return false;
    }
    for (unsigned port = addr_port(&bind.addr); port <= last; port++) {
        addr_set_port(&bind.addr, (uint16_t)port);
        bind_append(build, key, list, &bind);
    }
    return true;
}

void config_bind_add(struct config_build *build, const struct config_raw_key *key, struct config_bind_list *list)
{
    const char *value = key->value, *colon = strrchr(value, ':'), *problem;
    struct config_bind bind = {.file = key->place.source->file, .line = key->place.line};
    char host[96];

    if ((*value == ':' && colon == value) || value[strspn(value, "0123456789")] == '\0') {
        config_errors_add(build->errors, &key->place, "bind = %s: no address before the port; write *:PORT for all addresses", value);
    } else if (strncmp(value, "*:", 2) == 0 && colon == value + 1) {
        if (bind_host(build, key, list, "0.0.0.0"))
            bind_host(build, key, list, "[::]");
    } else if (strncmp(value, "unix:", 5) != 0 && colon && (size_t)(colon - value) < sizeof(host) && strchr(colon, '-')) {
        snprintf(host, sizeof(host), "%.*s", (int)(colon - value), value);
        bind_host(build, key, list, host);
    } else {
        problem = addr_parse(&bind.addr, value);
        if (problem)
            config_errors_add(build->errors, &key->place, "bind = %s: %s", value, problem);
        else
            bind_append(build, key, list, &bind);
    }
}

/* Not ::ffff:127.0.0.1, which [::] does not cover here: it takes IPv6 only. */
static bool is_loopback(const struct addr *addr)
{
    if (addr_family(addr) == AF_INET)
        return ntohl(addr->in.sin_addr.s_addr) >> 24 == 127;
    return addr_family(addr) == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

/* One word after the address. Every option may come once: `given` remembers. */
static void backend_option(struct config_build *build, const struct config_raw_key *key, struct config_backend *backend,
                           char *option, unsigned *given)
{
    static const struct {
        const char *name;
        uint64_t max; /* 0: takes no value */
    } options[] = {{"weight", 256}, {"max_connections", 10000000}, {"check_port", PORT_MAX}, {"backup", 0}};
    enum { WEIGHT, MAX_CONNECTIONS, CHECK_PORT, BACKUP, OPTIONS };
    struct suggest suggest = {0};
    struct config_problem problem;
    char *value = strchr(option, '=');
    uint64_t number = 0;
    unsigned i = 0;

    if (value)
        *value++ = '\0';
    while (i < OPTIONS && strcmp(options[i].name, option) != 0)
        suggest_offer(&suggest, option, options[i++].name);
    if (i == OPTIONS) {
        if (strcmp(option, "zone") == 0)
            config_errors_add(build->errors, &key->place, "backend %s: zone= is known but not supported by this version", backend->name);
        else if (suggest.nearest)
            config_errors_add(build->errors, &key->place, "backend %s: unknown option \"%s\"; did you mean \"%s\"?", backend->name,
                              option, suggest.nearest);
        else
            config_errors_add(build->errors, &key->place, "backend %s: unknown option \"%s\"%s", backend->name, option,
                              *option == '#' ? " (a comment at the end of a line begins with \";\")"
                                             : "; there are weight=, max_connections=, check_port= and backup");
        return;
    }
    if (*given & 1u << i)
        config_errors_add(build->errors, &key->place, "backend %s: %s is given twice", backend->name, option);
    *given |= 1u << i;
    if (options[i].max == 0 && value)
        config_errors_add(build->errors, &key->place, "backend %s: %s takes no value", backend->name, option);
    else if (options[i].max > 0 && !value)
        config_errors_add(build->errors, &key->place, "backend %s: %s needs a value: %s=N", backend->name, option, option);
    else if (value && !config_value_number(value, 1, options[i].max, &number, &problem))
        config_errors_add(build->errors, &key->place, "backend %s: %s=%s: %s", backend->name, option, value, problem.text);
    else if (i == WEIGHT)
        backend->weight = (uint32_t)number;
    else if (i == MAX_CONNECTIONS)
        backend->max_connections = (uint32_t)number;
    else if (i == CHECK_PORT)
        backend->check_port = (uint16_t)number;
    else
        backend->backup = true;
}

/* False: nothing came of it, reported. */
static bool backend_parse(struct config_build *build, const struct config_raw_key *key, struct config_backend *backend)
{
    char *rest, *text = config_arena_copy(build->arena, key->value, strlen(key->value));
    const char *problem;
    unsigned given = 0;
    char *address;

    if (!text)
        return false;
    *backend = (struct config_backend){.name = strtok_r(text, " \t", &rest), .weight = 1};
    address = strtok_r(NULL, " \t", &rest);
    if (!backend->name || !config_is_name(backend->name)) {
        config_errors_add(build->errors, &key->place, "backend = %s: begins with a name of letters, digits, \"_\", \"-\" and \".\" "
                          "(at most 63); write backend = NAME ADDRESS", key->value);
        return false;
    }
    if (!address) {
        config_errors_add(build->errors, &key->place, "backend %s: no address; write backend = NAME ADDRESS", backend->name);
        return false;
    }
    problem = addr_parse(&backend->addr, address);
    if (*address == '*' || (!problem && addr_is_wildcard(&backend->addr)))
        problem = "not an address to connect to";
    if (problem)
        config_errors_add(build->errors, &key->place, "backend %s: address %s: %s", backend->name, address, problem);
    for (char *option = strtok_r(NULL, " \t", &rest); option; option = strtok_r(NULL, " \t", &rest))
        backend_option(build, key, backend, option, &given);
    return true;
}

/* A UNIX backend is probed at its own socket, or at an IP address of which both halves are given: neither can be guessed. */
static void check_probe_address(struct config_build *build, const struct config_raw_key *key, const struct config_pool *pool,
                                const struct config_backend *backend)
{
    bool port = backend->check_port > 0 || pool->check_port > 0;

    if (pool->check == CONFIG_CHECK_NONE || addr_family(&backend->addr) != AF_UNIX || pool->check_address_set == port)
        return;
    if (pool->check_address_set)
        config_errors_add(build->errors, &key->place, "backend %s: a UNIX socket has no port to probe at check_address: add check_port=N "
                          "here, or to its pool check_port = N, or check_address = auto to probe the socket", backend->name);
    else
        config_errors_add(build->errors, &key->place, "backend %s: a UNIX socket has no ports: check_port%s needs a check_address; add one "
                          "to its pool, or %s to probe the socket", backend->name, backend->check_port > 0 ? "=" : "",
                          backend->check_port > 0 ? "remove check_port=" : "check_port = auto");
}

/* The name of a backend and where it stands. */
struct named {
    const char *name;
    const struct config_raw_key *key;
};

static int compare_named(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    if (order != 0)
        return order;
    return a->key->place.line < b->key->place.line ? -1 : a->key->place.line > b->key->place.line; /* one section: one file */
}

static void check_names(struct config_build *build, struct named *names, size_t count)
{
    size_t first = 0;

    qsort(names, count, sizeof(*names), compare_named);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[first].name, names[i].name) != 0)
            first = i;
        else
            config_errors_add(build->errors, &names[i].key->place, "backend %s: this name is taken by line %u", names[i].name,
                              names[first].key->place.line);
    }
}

void config_backends_build(struct config_build *build, const struct config_raw_section *section, struct config_pool *pool)
{
    const struct config_raw_key *key;
    struct config_backend *backends;
    struct named *names;
    size_t room = 0;

    for (key = section->keys; key; key = key->next)
        room += strcmp(key->name, "backend") == 0;
    backends = config_arena_alloc(build->arena, room * sizeof(*backends));
    names = config_arena_alloc(build->arena, room * sizeof(*names));
    pool->backends = backends;
    if (room == 0)
        config_errors_add(build->errors, &section->place, "pool \"%s\" has no backends: add backend = NAME ADDRESS", pool->name);
    for (key = section->keys; key && backends && names; key = key->next) {
        size_t n = pool->backend_count;
        if (key->refused || strcmp(key->name, "backend") != 0 || !backend_parse(build, key, &backends[n]))
            continue;
        check_probe_address(build, key, pool, &backends[n]);
        names[n] = (struct named){backends[n].name, key};
        pool->backend_count++;
    }
    if (names)
        check_names(build, names, pool->backend_count);
}

struct bound {
    const struct config_bind *bind;
    const struct config_raw_key *key;
    const char *interface;
};

/* The path of a UNIX socket without "//" and "/./", which name the same file. Symbolic links are found out when the sockets are made. */
static void plain_path(char *out, size_t size, const char *path)
{
    size_t n = 0;

    for (; *path && n + 1 < size; path++) {
        while (path[0] == '/' && (path[1] == '/' || (path[1] == '.' && path[2] == '/')))
            path += path[1] == '/' ? 1 : 2;
        out[n++] = *path;
    }
    out[n] = '\0';
}

/* What two spellings of one address have in common. */
static void plain_address(char *out, size_t size, const struct addr *addr)
{
    char text[ADDR_TEXT_BYTES];

    addr_format(addr, text, sizeof(text));
    if (addr_family(addr) == AF_UNIX && addr->un.sun_path[0] != '\0') /* an abstract name is no path */
        plain_path(out, size, text);
    else
        snprintf(out, size, "%s", text);
}

static bool same_address(const struct addr *a, const struct addr *b)
{
    char one[ADDR_TEXT_BYTES], two[ADDR_TEXT_BYTES];

    if (addr_family(a) != AF_UNIX || addr_family(b) != AF_UNIX)
        return addr_equal(a, b);
    plain_address(one, sizeof(one), a);
    plain_address(two, sizeof(two), b);
    return strcmp(one, two) == 0;
}

static void report_collision(struct config_build *build, const struct bound *first, const struct bound *second)
{
    char one[ADDR_TEXT_BYTES], two[ADDR_TEXT_BYTES];
    const struct config_place *at = &first->key->place;

    addr_format(&first->bind->addr, one, sizeof(one));
    addr_format(&second->bind->addr, two, sizeof(two));
    if (same_address(&first->bind->addr, &second->bind->addr))
        config_errors_add(build->errors, &second->key->place, "bind = %s: %s is already bound at %s:%u", second->key->value, two,
                          at->source->file, at->line);
    else
        config_errors_add(build->errors, &second->key->place, "bind = %s: %s overlaps %s at %s:%u", second->key->value, two, one,
                          at->source->file, at->line);
}

/* Addresses bound so far, each under up to four texts: its own or "*" for a wildcard's, and "any"; its interface or none, and any. The first under each text is
 * kept. So what collides is found by looking up a few texts, however many addresses share a port. */
struct bound_index {
    struct config_index index;
    struct config_arena arena;
};

#define BOUND_TEXT_BYTES (ADDR_TEXT_BYTES + 64)

static void bound_text(char out[BOUND_TEXT_BYTES], const struct bound *bound, const char *address, const char *interface)
{
    snprintf(out, BOUND_TEXT_BYTES, "%d %u %s %s", addr_family(&bound->bind->addr), (unsigned)addr_port(&bound->bind->addr), interface, address);
}

static void remember_bound(struct bound_index *bounds, const struct bound *bound, const char *address, const char *interface)
{
    char text[BOUND_TEXT_BYTES], *copy;

    bound_text(text, bound, address, interface);
    if (config_index_find(&bounds->index, text))
        return;
    copy = config_arena_copy(&bounds->arena, text, strlen(text));
    if (copy)
        config_index_add(&bounds->index, &bounds->arena, copy, bound);
}

static const struct bound *earlier_bound(const struct bound_index *bounds, const struct bound *bound, const char *address, const char *interface)
{
    char text[BOUND_TEXT_BYTES];

    bound_text(text, bound, address, interface);
    return config_index_find(&bounds->index, text);
}

/* As the kernel sees it (inet_csk_bind_conflict): different interfaces keep equal addresses apart, none given means all. Interfaces mean nothing to UNIX
 * sockets. The first that is in the way of `bound`, which is then remembered; they are all in one array, in the order of the file. */
static const struct bound *find_collision(struct bound_index *bounds, const struct bound *bound)
{
    char own[ADDR_TEXT_BYTES], interface[32] = "-";
    bool wild = addr_is_wildcard(&bound->bind->addr), everywhere;
    const char *addresses[2] = {own, "*"}, *interfaces[2] = {interface, "-"};
    const struct bound *first = NULL;

    if (addr_family(&bound->bind->addr) != AF_UNIX && bound->interface)
        snprintf(interface, sizeof(interface), "=%s", bound->interface);
    everywhere = strcmp(interface, "-") == 0;
    plain_address(own, sizeof(own), &bound->bind->addr);
    if (wild)
        addresses[0] = addresses[1] = "any";
    if (everywhere)
        interfaces[0] = interfaces[1] = "any";
    for (int i = 0; i < 4; i++) {
        const struct bound *earlier = earlier_bound(bounds, bound, addresses[i / 2], interfaces[i % 2]);

        if (earlier && (!first || earlier < first))
            first = earlier;
    }
    for (int i = 0; i < 4; i++)
        remember_bound(bounds, bound, i / 2 ? "any" : wild ? "*" : own, i % 2 ? "any" : interface);
    return first;
}

static void check_collisions(struct config_build *build, const struct bound *bound, size_t count)
{
    const struct config_raw_key *reported = NULL; /* a range that collides is reported once, not for each port */
    struct bound_index bounds = {0};

    for (size_t i = 0; i < count; i++) {
        const struct bound *first = find_collision(&bounds, &bound[i]);

        if (first && bound[i].key != reported) {
            report_collision(build, first, &bound[i]);
            reported = bound[i].key;
        }
    }
    build->arena->failed |= bounds.arena.failed;
    config_arena_free(&bounds.arena);
}

/* The ports of a pool's backends, as bits: a range of thousands of binds is not held against each of thousands of backends.
 * UNIX addresses have port 0. */
struct port_set {
    uint8_t bits[(PORT_MAX + 1) / 8];
};

static void port_set_fill(struct port_set *set, const struct config_pool *pool)
{
    memset(set, 0, sizeof(*set));
    for (size_t i = 0; i < pool->backend_count; i++) {
        uint16_t port = addr_port(&pool->backends[i].addr);
        set->bits[port / 8] |= (uint8_t)(1u << port % 8);
    }
}

static bool port_set_has(const struct port_set *set, uint16_t port)
{
    return set->bits[port / 8] & 1u << port % 8;
}

static void check_loops(struct config_build *build, const struct bound *bound, const struct config_pool *pool)
{
    const struct addr *own = &bound->bind->addr;
    for (size_t i = 0; i < pool->backend_count; i++) {
        const struct addr *addr = &pool->backends[i].addr;
        bool through_wildcard = addr_is_wildcard(own) && is_loopback(addr) && addr_family(own) == addr_family(addr) &&
                                addr_port(own) == addr_port(addr);
        if (!through_wildcard && !same_address(own, addr))
            continue;
        config_errors_add(build->errors, &bound->key->place, "bind = %s: backend %s of pool \"%s\" has this address: "
                          "connections would come back for ever", bound->key->value, pool->backends[i].name, pool->name);
        return;
    }
}

void config_binds_check(struct config_build *build)
{
    const struct config *config = build->config;
    const struct config_pool *filled = NULL; /* the pool that `ports` speaks of */
    struct bound *bound;
    struct port_set ports;
    size_t count = 0, n = 0;

    for (size_t l = 0; l < config->listener_count; l++)
        count += build->bind_lists[l].count;
    bound = config_arena_alloc(build->arena, count * sizeof(*bound));
    if (!bound || count == 0)
        return;
    for (size_t l = 0; l < config->listener_count; l++) {
        const struct config_bind_list *list = &build->bind_lists[l];
        bool has_pool = config->listeners[l].pool < config->pool_count;
        const struct config_pool *pool = has_pool ? &config->pools[config->listeners[l].pool] : NULL;
        if (pool && pool != filled)
            port_set_fill(&ports, pool);
        filled = pool ? pool : filled;
        for (size_t i = 0; i < list->count; i++, n++) {
            bound[n] = (struct bound){&list->binds[i], list->keys[i], config->listeners[l].interface};
            if (pool && port_set_has(&ports, addr_port(&list->binds[i].addr)))
                check_loops(build, &bound[n], pool);
        }
    }
    check_collisions(build, bound, count);
}
