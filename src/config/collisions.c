/* config/collisions.c: refuses addresses that are bound twice. Thread that loads the configuration. */
#include <stdio.h>
#include <string.h>

#include "config/bound.h"
#include "config/build.h"

/* Writes the path of a UNIX socket without "//" and "/./", which do not change the file. Symbolic links are detected when the sockets are opened. */
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

/* Writes a form that is equal for two spellings of one address. */
static void plain_address(char *out, size_t size, const struct addr *addr)
{
    char text[ADDR_TEXT_BYTES];

    addr_format(addr, text, sizeof(text));
    if (addr_family(addr) == AF_UNIX && addr->un.sun_path[0] != '\0') /* an abstract name is not a path */
        plain_path(out, size, text);
    else
        snprintf(out, size, "%s", text);
}

static bool same_address(const struct addr *a, const struct addr *b)
{
    char one[ADDR_TEXT_BYTES], two[ADDR_TEXT_BYTES];

    plain_address(one, sizeof(one), a);
    plain_address(two, sizeof(two), b);
    return strcmp(one, two) == 0;
}

static void report_collision(struct config_build *build, const struct config_bound *first, const struct config_bound *second)
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

/* Returns the first address that conflicts with `bound`, and adds `bound` to the index. The rules are the kernel's (inet_csk_bind_conflict): equal addresses on
 * different interfaces do not conflict, and no interface means all of them. Interfaces do not apply to UNIX sockets. All addresses are in one array, in the
 * order of the file. */
static const struct config_bound *find_collision(struct config_bound_index *bounds, const struct config_bound *bound)
{
    char own[ADDR_TEXT_BYTES], interface[CONFIG_BOUND_INTERFACE_BYTES] = CONFIG_BOUND_EVERYWHERE;
    struct config_bound_place place = {
        .family = addr_family(&bound->bind->addr), .udp = bound->bind->udp, .port = addr_port(&bound->bind->addr)};
    bool wild = addr_is_wildcard(&bound->bind->addr), everywhere = place.family == AF_UNIX || !bound->interface;
    const char *addresses[2] = {own, "*"}, *interfaces[2] = {interface, CONFIG_BOUND_EVERYWHERE};
    const struct config_bound *first = NULL;

    if (!everywhere)
        config_bound_interface(interface, bound->interface);
    plain_address(own, sizeof(own), &bound->bind->addr);
    if (wild)
        addresses[0] = addresses[1] = "any";
    if (everywhere)
        interfaces[0] = interfaces[1] = "any";
    for (int i = 0; i < 4; i++) {
        place.address = addresses[i / 2];
        place.interface = interfaces[i % 2];
        const struct config_bound *earlier = config_bound_find(bounds, &place);

        if (earlier && (!first || earlier < first))
            first = earlier;
    }
    for (int i = 0; i < 4; i++) {
        place.address = i / 2 ? "any" : wild ? "*" : own;
        place.interface = i % 2 ? "any" : interface;
        config_bound_add(bounds, bound, &place);
    }
    return first;
}

static void report_collisions(struct config_build *build, struct config_bound_index *bounds)
{
    const struct config_raw_key *reported = NULL; /* report a range that collides once, not for each port */

    for (size_t i = 0; i < bounds->count; i++) {
        const struct config_bound *bound = &bounds->all[i], *first = find_collision(bounds, bound);

        if (first && bound->key != reported) {
            report_collision(build, first, bound);
            reported = bound->key;
        }
    }
}

/* Refuses a link-local address that has neither an interface of its own nor the listener's. Reports each key once, not for each port of its range. */
static void check_interfaces(struct config_build *build, const struct config_bind_list *list, const char *interface)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct config_raw_key *key = list->keys[i];

        if (!interface && addr_lacks_interface(&list->binds[i].addr) && (i == 0 || list->keys[i - 1] != key))
            config_errors_add(build->errors, &key->place,
                              "bind = %s: a link-local address needs its interface: [fe80::1%%eth0]:PORT, or interface = eth0", key->value);
    }
}

void config_collisions_check(struct config_build *build)
{
    const struct config *config = build->config;
    struct config_bound_index bounds = {.count = 0};
    struct config_bound *bound;
    size_t n = 0;

    for (size_t l = 0; l < config->listener_count; l++)
        bounds.count += build->bind_lists[l].count;
    bounds.all = bound = config_arena_alloc(build->arena, bounds.count * sizeof(*bound));
    if (!bound)
        return;
    for (size_t l = 0; l < config->listener_count; l++) {
        const struct config_bind_list *list = &build->bind_lists[l];
        for (size_t i = 0; i < list->count; i++)
            bound[n++] = (struct config_bound){&list->binds[i], list->keys[i], l, config->listeners[l].settings.interface};
        check_interfaces(build, list, config->listeners[l].settings.interface);
    }
    report_collisions(build, &bounds);
    config_loops_check(build, &bounds);
    build->arena->failed |= bounds.arena.failed;
    config_arena_free(&bounds.arena);
}
