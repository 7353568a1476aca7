/* config/bound.h: which listener has bound an address. Within src/config; one thread at a time. */
#ifndef CONFIG_BOUND_H
#define CONFIG_BOUND_H

#include "config/arena.h"
#include "config/config.h"
#include "config/file.h"
#include "config/index.h"

/* One address of a listener. */
struct config_bound {
    const struct config_bind *bind;
    const struct config_raw_key *key; /* that it comes from */
    size_t listener;                  /* index into config.listeners */
    const char *interface;            /* NULL: any */
};

/* Addresses bound so far, each under up to four keys, with its family and port:
 *
 *     address    interface
 *     its own    its own     the address is its text, "*" for a wildcard; the interface its name, CONFIG_BOUND_EVERYWHERE for none
 *     its own    "any"
 *     "any"      its own
 *     "any"      "any"
 *
 * The first under each key is kept. So whatever meets an address is found by a few look-ups, however many addresses share a port. All zero is empty; the
 * arena is its own and is to be freed. */
struct config_bound_index {
    const struct config_bound *all; /* in the order of the file; whoever fills the index owns it */
    size_t count;
    struct config_index index;
    struct config_arena arena;
};

#define CONFIG_BOUND_EVERYWHERE "-"
#define CONFIG_BOUND_INTERFACE_BYTES 32

/* What is looked up: an address of this family and port. */
struct config_bound_place {
    int family;
    uint16_t port;
    const char *address, *interface;
};

/* The text of an interface's name. */
void config_bound_interface(char out[CONFIG_BOUND_INTERFACE_BYTES], const char *name);

/* Adds `bound`, which must stay valid, unless there is one at that place. */
void config_bound_add(struct config_bound_index *bounds, const struct config_bound *bound, const struct config_bound_place *place);

/* The first that was added at that place. NULL: none. */
const struct config_bound *config_bound_find(const struct config_bound_index *bounds, const struct config_bound_place *place);

#endif
