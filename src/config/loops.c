/* config/loops.c: refuses a configuration in which connections or datagrams loop back to the listener that they came from, directly or through other listeners.
 * Thread that loads the configuration.
 *
 * Pools are the nodes of a graph. Each backend that reaches a listener is an edge to the pool of that listener. A depth-first search follows the edges. An edge
 * to a pool on the current path closes a cycle and is reported. Without the reported edges there are no cycles. Each backend costs a few look-ups. There is one
 * search for TCP and one for UDP. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/bound.h"
#include "config/build.h"
#include "config/machine.h"

enum {
    LINKS_MAX = 40,      /* symbolic links followed in one path; the kernel has the same limit */
    STEPS_SHOWN_MAX = 4, /* steps of a loop that a message shows */
};

/* A pool on the current path. */
struct step {
    size_t pool;
    size_t backend;                     /* the backend that leads to the next pool; in the last pool, the one being checked */
    const struct config_bound *reached; /* the address that this backend reaches */
};

enum mark { NEW, ON_THE_WAY, DONE };

struct loops {
    struct config_build *build;
    const struct config_bound_index *bounds;
    bool udp;                  /* this search is for UDP */
    struct config_index paths; /* bound UNIX paths, with links resolved */
    struct config_machine machine;
    struct config_arena arena; /* owns all memory of the search */
    uint8_t *marks;            /* one for each pool */
    struct step *steps;        /* from the pool where the search began to the present one */
    size_t depth;
};

static bool has_path(const struct addr *addr)
{
    return addr_family(addr) == AF_UNIX && addr->un.sun_path[0] != '\0';
}

/* Writes the path without symbolic links, "..", "." and double slashes. Components that do not exist (yet) remain as written. */
static void resolve_path(char out[PATH_MAX], const char *path)
{
    char rest[PATH_MAX], target[PATH_MAX], *at = rest;
    size_t used = 0, n;
    int links = 0;

    snprintf(rest, sizeof(rest), "%s", path);
    for (; *at; at += n) {
        n = strcspn(at, "/");
        if (n == 0) {
            n = 1;
        } else if (n == 2 && memcmp(at, "..", 2) == 0) {
            while (used > 0 && out[--used] != '/')
                ;
        } else if ((n != 1 || *at != '.') && used + 1 + n < PATH_MAX) {
            out[used] = '/';
            memcpy(out + used + 1, at, n);
            out[used + 1 + n] = '\0';
            ssize_t bytes = links < LINKS_MAX ? readlink(out, target, sizeof(target)) : -1;
            if (bytes > 0 && (size_t)bytes + strlen(at + n) < sizeof(rest)) { /* insert the target of the link before the rest */
                memmove(rest + bytes, at + n, strlen(at + n) + 1);
                memcpy(rest, target, (size_t)bytes);
                used = *target == '/' ? 0 : used;
                links++;
                at = rest;
                n = 0;
            } else {
                used += 1 + n;
            }
        }
    }
    out[used] = '\0';
}

static void add_path(struct loops *loops, const struct config_bound *bound)
{
    char path[PATH_MAX], *copy;

    resolve_path(path, bound->bind->addr.un.sun_path);
    copy = config_index_find(&loops->paths, path) ? NULL : config_arena_copy(&loops->arena, path, strlen(path));
    if (copy)
        config_index_add(&loops->paths, &loops->arena, copy, bound);
}

/* Returns what a connection to an IP address reaches, by the rules of the kernel (inet_lookup_listener). */
static const struct config_bound *find_inet(struct loops *loops, const struct addr *addr)
{
    char own[ADDR_TEXT_BYTES], interface[CONFIG_BOUND_INTERFACE_BYTES];
    struct config_bound_place place = {
        .family = addr_family(addr), .udp = loops->udp, .port = addr_port(addr), .address = "any", .interface = "any"};
    const char *interfaces[] = {interface, CONFIG_BOUND_EVERYWHERE}, *addresses[] = {own, "*"}, *name;
    const struct config_bound *bound = config_bound_find(loops->bounds, &place);

    if (!bound) /* the common case */
        return NULL;
    addr_format(addr, own, sizeof(own));
    name = config_machine_interface(&loops->machine, &loops->arena, addr);
    if (!name) { /* the address is not on this machine, so a wildcard does not include it; a listener bound to it has it on the machine that the file is for */
        place.address = own;
        return config_bound_find(loops->bounds, &place);
    }
    config_bound_interface(interface, name);
    bound = NULL;
    for (int i = 0; i < 4 && !bound; i++) {
        place.address = addresses[i / 2];
        place.interface = interfaces[i % 2];
        bound = config_bound_find(loops->bounds, &place);
    }
    return bound;
}

/* Returns the listener's address that a connection to this backend reaches, or NULL if it reaches none. */
static const struct config_bound *find_reached(struct loops *loops, const struct addr *addr)
{
    char text[PATH_MAX];

    if (addr_family(addr) != AF_UNIX)
        return find_inet(loops, addr);
    if (has_path(addr)) {
        resolve_path(text, addr->un.sun_path);
        return config_index_find(&loops->paths, text);
    }
    addr_format(addr, text, sizeof(text));
    return config_bound_find(loops->bounds, &(struct config_bound_place){.family = AF_UNIX, .address = text, .interface = CONFIG_BOUND_EVERYWHERE});
}

/* Writes "line N", or "FILE:N" if `place` is in another file than `here`. */
static void write_place(FILE *out, const struct config_place *place, const struct config_place *here)
{
    if (!place->source->file)
        fputs("changed while running", out);
    else if (place->source == here->source)
        fprintf(out, "line %u", place->line);
    else
        fprintf(out, "%s:%u", place->source->file, place->line);
}

static const struct config_place *step_place(const struct loops *loops, const struct step *step)
{
    return &loops->build->backend_keys[step->pool][step->backend]->place;
}

/* Writes "-> pool P -> backend B (PLACE) -> listener L (PLACE)". */
static void write_step(FILE *out, const struct loops *loops, const struct step *step, const struct config_place *here)
{
    const struct config_build *build = loops->build;

    fprintf(out, " -> pool %s -> backend %s (", build->pools[step->pool].name, build->pools[step->pool].backends[step->backend].name);
    write_place(out, step_place(loops, step), here);
    fprintf(out, ") -> listener %s (", build->listeners[step->reached->listener].name);
    write_place(out, &step->reached->key->place, here);
    fputc(')', out);
}

/* Writes why the backend of the last step reaches its listener: "the address of listener L (PLACE)". */
static void write_reason(FILE *out, struct loops *loops, const struct step *last, const struct config_place *here)
{
    const struct addr *addr = &loops->build->pools[last->pool].backends[last->backend].addr;
    const char *listener = loops->build->listeners[last->reached->listener].name, *interface;

    if (addr_family(addr) == AF_UNIX) {
        fprintf(out, "the socket of listener %s (", listener);
    } else if (addr_equal(addr, &last->reached->bind->addr)) {
        fprintf(out, "the address of listener %s (", listener);
    } else if (addr_is_loopback(addr)) {
        fprintf(out, "an address of this machine that listener %s accepts (", listener);
    } else {
        interface = config_machine_interface(&loops->machine, &loops->arena, addr);
        fprintf(out, "an address of this machine (%s) that listener %s accepts (", interface, listener);
    }
    write_place(out, &last->reached->key->place, here);
    fputc(')', out);
}

/* Writes the loop, which begins and ends with the listener that the last step reaches. */
static void write_way(FILE *out, const struct loops *loops, size_t first, const struct config_place *here)
{
    size_t count = loops->depth - first, left_out = count > STEPS_SHOWN_MAX ? count - STEPS_SHOWN_MAX : 0;

    fprintf(out, ": listener %s", loops->build->listeners[loops->steps[loops->depth - 1].reached->listener].name);
    for (size_t i = first; i < loops->depth; i++) {
        if (left_out > 0 && i == first + STEPS_SHOWN_MAX - 1) {
            fprintf(out, " -> ... %zu more pool%s ...", left_out, left_out == 1 ? "" : "s");
            i += left_out;
        }
        write_step(out, loops, &loops->steps[i], here);
    }
}

/* Reports that the last step leads back to the pool of step `first`. The place is that of the backend. The message shows the loop if it has more steps. */
static void report_loop(struct loops *loops, size_t first)
{
    const struct step *last = &loops->steps[loops->depth - 1];
    const struct config_backend *backend = &loops->build->pools[last->pool].backends[last->backend];
    const struct config_place *here = step_place(loops, last);
    char address[ADDR_TEXT_BYTES], *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    if (out) {
        write_reason(out, loops, last, here);
        fprintf(out, ": %s would loop back", loops->udp ? "datagrams" : "connections");
        if (first + 1 < loops->depth)
            write_way(out, loops, first, here);
    }
    if (out && fclose(out) == 0)
        config_errors_add(loops->build->errors, here, "backend %s %s: %s", backend->name, addr_format(&backend->addr, address, sizeof(address)), text);
    else
        loops->arena.failed = true;
    free(text);
}

/* Whether the search for TCP has reported the same loop, because each listener in it serves both protocols. */
static bool also_in_tcp(const struct loops *loops, size_t first)
{
    for (size_t i = first; i < loops->depth; i++) {
        if (loops->build->listeners[loops->steps[i].reached->listener].settings.protocol != CONFIG_PROTOCOL_BOTH)
            return false;
    }
    return true;
}

/* Follows the present backend of the pool on top to the pool that it reaches. */
static void follow_backend(struct loops *loops, struct step *top)
{
    const struct config *config = loops->build->config;
    size_t pool;

    top->reached = find_reached(loops, &config->pools[top->pool].backends[top->backend].addr);
    pool = top->reached ? config->listeners[top->reached->listener].pool : config->pool_count;
    if (pool < config->pool_count && loops->marks[pool] == NEW) {
        loops->marks[pool] = ON_THE_WAY;
        loops->steps[loops->depth++] = (struct step){.pool = pool};
        return;
    }
    if (pool < config->pool_count && loops->marks[pool] == ON_THE_WAY) {
        size_t first = loops->depth - 1;
        while (loops->steps[first].pool != pool)
            first--;
        if (!loops->udp || !also_in_tcp(loops, first))
            report_loop(loops, first);
    }
    top->backend++;
}

/* Visits every pool that can be reached from this one. Uses its own stack, because a chain may be too long for recursion. */
static void search_from(struct loops *loops, size_t pool)
{
    const struct config *config = loops->build->config;

    if (loops->marks[pool] != NEW)
        return;
    loops->marks[pool] = ON_THE_WAY;
    loops->steps[loops->depth++] = (struct step){.pool = pool};
    while (loops->depth > 0) {
        struct step *top = &loops->steps[loops->depth - 1];

        if (top->backend < config->pools[top->pool].backend_count) {
            follow_backend(loops, top);
            continue;
        }
        loops->marks[top->pool] = DONE;
        loops->depth--;
        if (loops->depth > 0)
            loops->steps[loops->depth - 1].backend++;
    }
}

/* Searches from the pools of all listeners that serve the protocol. */
static void search_all(struct loops *loops, bool udp)
{
    const struct config *config = loops->build->config;

    loops->udp = udp;
    memset(loops->marks, 0, config->pool_count * sizeof(*loops->marks));
    for (size_t i = 0; i < config->listener_count; i++) {
        enum config_protocol other = udp ? CONFIG_PROTOCOL_TCP : CONFIG_PROTOCOL_UDP;

        if (config->listeners[i].pool < config->pool_count && config->listeners[i].settings.protocol != other)
            search_from(loops, config->listeners[i].pool);
    }
}

void config_loops_check(struct config_build *build, const struct config_bound_index *bounds)
{
    const struct config *config = build->config;
    struct loops loops = {.build = build, .bounds = bounds};

    loops.marks = config_arena_alloc(&loops.arena, config->pool_count * sizeof(*loops.marks));
    loops.steps = config_arena_alloc(&loops.arena, config->pool_count * sizeof(*loops.steps));
    for (size_t i = 0; i < bounds->count; i++)
        if (has_path(&bounds->all[i].bind->addr))
            add_path(&loops, &bounds->all[i]);
    if (loops.marks && loops.steps) {
        search_all(&loops, false);
        search_all(&loops, true);
    }
    build->arena->failed |= loops.arena.failed;
    config_arena_free(&loops.arena);
}
