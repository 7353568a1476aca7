/* config/endpoints.c: builds the addresses of a configuration: binds and backends. Thread that loads the configuration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/build.h"
#include "config/suggest.h"
#include "config/value.h"

#define PORT_MAX 65535
/* Maximum over all listeners: every port of both address families. */
#define ADDRESSES_MAX 131072

static void bind_append(struct config_build *build, const struct config_raw_key *key, struct config_bind_list *list,
                        const struct config_bind *bind)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 4 : list->room * 2;
        struct config_bind *binds = config_arena_alloc(build->arena, room * sizeof(*binds));
        const struct config_raw_key **keys = config_arena_alloc(build->arena, room * sizeof(*keys));
        if (!binds || !keys)
            return; /* the arena records the failure */
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

static unsigned transports_of(const struct config_bind_list *list)
{
    return list->protocol == CONFIG_PROTOCOL_BOTH ? 2 : 1;
}

/* Appends the address with the ports from its own to `last`: first for TCP, then for UDP, as far as the listener serves them. */
static void bind_append_ports(struct config_build *build, const struct config_raw_key *key, struct config_bind_list *list, struct config_bind bind,
                              unsigned last)
{
    unsigned first = addr_port(&bind.addr);

    for (unsigned i = 0; i < transports_of(list); i++) {
        bind.udp = i == 1 || list->protocol == CONFIG_PROTOCOL_UDP;
        for (unsigned port = first; port <= last; port++) {
            addr_set_port(&bind.addr, (uint16_t)port);
            bind_append(build, key, list, &bind);
        }
    }
}

/* Counts `count` more addresses. Returns whether they are within the maximum; reports the first key that exceeds it. */
static bool reserve_addresses(struct config_build *build, const struct config_raw_key *key, size_t count)
{
    if (build->addresses <= ADDRESSES_MAX && build->addresses + count > ADDRESSES_MAX)
        config_errors_add(build->errors, &key->place, "bind = %s: more than %d addresses in all listeners together", key->value, ADDRESSES_MAX);
    build->addresses += count;
    return build->addresses <= ADDRESSES_MAX;
}

/* Like addr_parse(), for an address to listen on. */
static const char *parse_bind(struct addr *out, const char *text)
{
    const char *problem = addr_parse(out, text);
    return !problem && addr_is_group(out) ? "not an address to listen on" : problem;
}

/* Adds "HOST:PORT" or "HOST:PORT-PORT", with `host` in place of the host in the key, which may be "*". Returns false after reporting an error. */
static bool bind_host(struct config_build *build, const struct config_raw_key *key, struct config_bind_list *list, const char *host)
{
    const char *ports = strrchr(key->value, ':') + 1, *dash = strchr(ports, '-'), *problem;
    struct config_bind bind = {.file = key->place.source->file, .line = key->place.line, .optional = host[0] == '[' && *key->value == '*'};
    struct config_problem last_problem;
    uint64_t last;
    char text[160];

    if (dash == ports) /* a negative port, not a range */
        dash = NULL;
    snprintf(text, sizeof(text), "%s:%.*s", host, dash ? (int)(dash - ports) : (int)strlen(ports), ports);
    problem = parse_bind(&bind.addr, text);
    last = problem ? 0 : addr_port(&bind.addr);
    if (!problem && dash && !config_value_number(dash + 1, 1, PORT_MAX, &last, &last_problem))
        problem = "the end of the port range is not a number from 1 to 65535";
    else if (!problem && dash && last < addr_port(&bind.addr))
        problem = "the port range ends before it begins";
    if (problem) {
        config_errors_add(build->errors, &key->place, "bind = %s: %s", key->value, problem);
        return false;
    }
    if (!reserve_addresses(build, key, transports_of(list) * (last + 1 - addr_port(&bind.addr))))
        return false;
    bind_append_ports(build, key, list, bind, (unsigned)last);
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
        problem = parse_bind(&bind.addr, value);
        if (!problem && addr_family(&bind.addr) == AF_UNIX && list->protocol != CONFIG_PROTOCOL_TCP)
            problem = "a UNIX socket is for protocol = tcp only";
        if (problem)
            config_errors_add(build->errors, &key->place, "bind = %s: %s", value, problem);
        else if (reserve_addresses(build, key, transports_of(list)))
            bind_append_ports(build, key, list, bind, addr_port(&bind.addr));
    }
}

/* Whether an option of a backend looks like a comment of another file format. */
static bool is_other_comment(const char *option)
{
    return *option == '#' || strncmp(option, "//", 2) == 0;
}

static void unknown_option(struct config_build *build, const struct config_raw_key *key, const struct config_backend *backend, const char *option,
                           const char *nearest)
{
    if (strcmp(option, "zone") == 0)
        config_errors_add(build->errors, &key->place, "backend %s: zone= is known but not supported by this version", backend->name);
    else if (nearest && !is_other_comment(option))
        config_errors_add(build->errors, &key->place, "backend %s: unknown option \"%s\"; did you mean \"%s\"?", backend->name, option, nearest);
    else
        config_errors_add(build->errors, &key->place, "backend %s: unknown option \"%s\"%s", backend->name, option,
                          is_other_comment(option) ? " (a comment at the end of a line begins with \";\")"
                                                   : "; there are weight=, max_connections=, check_port=, agent_port=, drain_timeout=, state= and backup");
}

enum backend_option { WEIGHT, MAX_CONNECTIONS, CHECK_PORT, AGENT_PORT, DRAIN_TIMEOUT, STATE, BACKUP, OPTIONS };

static const struct {
    const char *name;
    const char *form;    /* of its value, for messages; NULL: it has no value */
    uint64_t max;        /* largest value, if that is a number */
    const char *choices; /* the values, if they are words; NULL: a number */
    const char *zero;    /* word for 0; NULL: none */
    bool is_of_pool;     /* it has the same values as the pool's key of this name */
} options[OPTIONS] = {
    [WEIGHT] = {"weight", "N", .max = 256},
    [MAX_CONNECTIONS] = {"max_connections", "N", .max = 10000000, .zero = "off"},
    [CHECK_PORT] = {"check_port", "N", .max = PORT_MAX},
    [AGENT_PORT] = {"agent_port", "N", .max = PORT_MAX},
    [DRAIN_TIMEOUT] = {"drain_timeout", "TIME", .is_of_pool = true},
    [STATE] = {"state", "ready|drain|maint", .choices = "ready|drain|maint"},
    [BACKUP] = {"backup", NULL},
};

/* Parses the value of an option that the pool has as well, drain_timeout. */
static bool parse_as_key(struct config_build *build, const char *name, const char *value, uint64_t *number, struct config_problem *problem)
{
    struct config_pool scratch;

    if (!config_value_set(config_key_find(CONFIG_IN_POOL, name), value, &scratch, build->arena, problem))
        return false;
    *number = scratch.settings.drain_timeout_ms;
    return true;
}

/* Parses the value of an option; NULL: it has none. Returns false after reporting an error. */
static bool parse_option(struct config_build *build, const struct config_raw_key *key, const struct config_backend *backend, enum backend_option option,
                         const char *value, uint64_t *number)
{
    const char *name = options[option].name, *form = options[option].form;
    struct config_problem problem;

    *number = 0;
    if (!form && value)
        config_errors_add(build->errors, &key->place, "backend %s: %s takes no value", backend->name, name);
    else if (form && !value)
        config_errors_add(build->errors, &key->place, "backend %s: %s needs a value: %s=%s", backend->name, name, name, form);
    else if (options[option].choices && !config_choice_find(options[option].choices, value, number))
        config_errors_add(build->errors, &key->place, "backend %s: %s=%s: not one of: ready, drain, maint", backend->name, name, value);
    else if (options[option].zero && strcmp(value, options[option].zero) == 0)
        return true;
    else if (options[option].is_of_pool && !parse_as_key(build, name, value, number, &problem))
        config_errors_add(build->errors, &key->place, "backend %s: %s=%s: %s", backend->name, name, value, problem.text);
    else if (options[option].max > 0 && !config_value_number(value, 1, options[option].max, number, &problem))
        config_errors_add(build->errors, &key->place, "backend %s: %s=%s: %s%s%s", backend->name, name, value, problem.text,
                          options[option].zero ? ", or " : "", options[option].zero ? options[option].zero : "");
    else
        return true;
    return false;
}

static void store_option(struct config_backend *backend, enum backend_option option, uint64_t number)
{
    switch (option) {
    case WEIGHT:
        backend->settings.weight = (uint32_t)number;
        break;
    case MAX_CONNECTIONS:
        backend->settings.max_connections = (uint32_t)number;
        break;
    case CHECK_PORT:
        backend->settings.check_port = (uint16_t)number;
        break;
    case AGENT_PORT:
        backend->settings.agent_port = (uint16_t)number;
        break;
    case DRAIN_TIMEOUT:
        backend->settings.drain_timeout_ms = (uint32_t)number;
        break;
    case STATE:
        backend->settings.state = (enum config_backend_state)number;
        break;
    default:
        backend->settings.backup = true;
    }
}

/* Parses one word after the address. Each option may be given once; `given` records them. Returns false after reporting an error; then the words that follow
 * are not options. */
static bool backend_option(struct config_build *build, const struct config_raw_key *key, struct config_backend *backend,
                           char *option, const char *rest, unsigned *given)
{
    struct suggest suggest = {0};
    char *value = strchr(option, '=');
    uint64_t number;
    unsigned i = 0;

    if (value)
        *value++ = '\0';
    while (i < OPTIONS && strcmp(options[i].name, option) != 0)
        suggest_offer(&suggest, option, options[i++].name);
    if (i == OPTIONS) {
        unknown_option(build, key, backend, option, suggest.nearest);
        return !is_other_comment(option);
    }
    rest += strspn(rest, " \t");
    if (value ? *value == '\0' && *rest : *rest == '=') {
        config_errors_add(build->errors, &key->place, "backend %s: options are written without blanks: %s=%s", backend->name, option,
                          options[i].form ? options[i].form : "N");
        return false;
    }
    if (*given & 1u << i)
        config_errors_add(build->errors, &key->place, "backend %s: %s is given twice", backend->name, option);
    *given |= 1u << i;
    if (parse_option(build, key, backend, (enum backend_option)i, value, &number))
        store_option(backend, (enum backend_option)i, number);
    return true;
}

static bool has_beyond_ascii(const char *text)
{
    while (*text && (unsigned char)*text < 0x80)
        text++;
    return *text != '\0';
}

/* Parses one `backend` key of a pool. Returns false after reporting an error. */
static bool backend_parse(struct config_build *build, const struct config_raw_key *key, const struct config_pool *pool, struct config_backend *backend)
{
    char *rest, *text = config_arena_copy(build->arena, key->value, strlen(key->value));
    const char *problem;
    unsigned given = 0;
    char *address;

    if (!text)
        return false;
    *backend = (struct config_backend){.name = strtok_r(text, " \t", &rest), .settings = {.weight = 1, .drain_timeout_ms = pool->settings.drain_timeout_ms}};
    address = strtok_r(NULL, " \t", &rest);
    if (backend->name && has_beyond_ascii(backend->name)) {
        config_errors_add(build->errors, &key->place, "backend = %s: contains a character that is not ASCII, such as a no-break space", key->value);
        return false;
    }
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
    if (*address == '*' || (!problem && (addr_is_wildcard(&backend->addr) || addr_is_group(&backend->addr))))
        problem = "not an address to connect to";
    if (!problem && addr_lacks_interface(&backend->addr))
        problem = "a link-local address needs its interface: [fe80::1%eth0]:PORT";
    if (problem)
        config_errors_add(build->errors, &key->place, "backend %s: address %s: %s", backend->name, address, problem);
    for (char *option = strtok_r(NULL, " \t", &rest); option && backend_option(build, key, backend, option, rest, &given);)
        option = strtok_r(NULL, " \t", &rest);
    return true;
}

/* Refuses a UNIX backend with only one of check_address and check_port. It is probed at its own socket or at an IP address, which needs both. A UDP probe needs
 * an IP address. */
static void check_probe_address(struct config_build *build, const struct config_raw_key *key, const struct config_pool *pool,
                                const struct config_backend *backend)
{
    bool port = backend->settings.check_port > 0 || pool->settings.check_port > 0;

    if (pool->settings.check == CONFIG_CHECK_UDP && addr_family(&backend->addr) == AF_UNIX && !(pool->settings.check_address_set && port)) {
        config_errors_add(build->errors, &key->place, "backend %s: check = udp cannot probe a UNIX socket: add check_address and check_port to its pool, "
                          "or choose another check", backend->name);
        return;
    }
    if (pool->settings.check == CONFIG_CHECK_NONE || addr_family(&backend->addr) != AF_UNIX || pool->settings.check_address_set == port)
        return;
    if (pool->settings.check_address_set)
        config_errors_add(build->errors, &key->place, "backend %s: a UNIX socket has no port to probe at check_address: add check_port=N "
                          "here, or to its pool check_port = N, or check_address = auto to probe the socket", backend->name);
    else
        config_errors_add(build->errors, &key->place, "backend %s: a UNIX socket has no ports: check_port%s needs a check_address; add one "
                          "to its pool, or %s to probe the socket", backend->name, backend->settings.check_port > 0 ? "=" : "",
                          backend->settings.check_port > 0 ? "remove check_port=" : "check_port = auto");
}

/* The name of a backend and its place in the file. */
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
    return a->key->place.line < b->key->place.line ? -1 : a->key->place.line > b->key->place.line; /* all keys of a section are in one file */
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
    const struct config_raw_key *key, **keys;
    struct config_backend *backends;
    struct named *names;
    size_t room = 0;

    for (key = section->keys; key; key = key->next)
        room += strcmp(key->name, "backend") == 0;
    backends = config_arena_alloc(build->arena, room * sizeof(*backends));
    names = config_arena_alloc(build->arena, room * sizeof(*names));
    keys = config_arena_alloc(build->arena, room * sizeof(*keys));
    pool->backends = backends;
    build->backend_keys[section->position] = keys;
    if (room == 0)
        config_errors_add(build->errors, &section->place, "pool \"%s\" has no backends: add backend = NAME ADDRESS", pool->name);
    for (key = section->keys; key && backends && names && keys; key = key->next) {
        size_t n = pool->backend_count;
        if (key->refused || strcmp(key->name, "backend") != 0 || !backend_parse(build, key, pool, &backends[n]))
            continue;
        check_probe_address(build, key, pool, &backends[n]);
        names[n] = (struct named){backends[n].name, key};
        keys[n] = key;
        pool->backend_count++;
    }
    if (names)
        check_names(build, names, pool->backend_count);
}
