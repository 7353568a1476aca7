/* config/bound.h: finds the listener that has bound an address. Within src/config; one thread at a time. */
#ifndef CONFIG_BOUND_H
#define CONFIG_BOUND_H

#include "config/arena.h"
#include "config/config.h"
#include "config/file.h"
#include "config/index.h"

/* One address of a listener. */
struct config_bound {
    const struct config_bind *bind;
    const struct config_raw_key *key; /* the `bind` key that it comes from */
    size_t listener;                  /* index into config.listeners */
    const char *interface;            /* NULL: any */
};

/* Index of the bound addresses. Each has an entry under up to four keys, together with its family and port:
 *
 *     address    interface
 *     its own    its own     the address is its text, "*" for a wildcard; the interface its name, CONFIG_BOUND_EVERYWHERE for none
 *     its own    "any"
 *     "any"      its own
 *     "any"      "any"
 *
 * Each key keeps the first address. Any conflict is found with a few look-ups, no matter how many addresses share a port. An all-zero struct is empty. The
 * index owns its arena; free it. */
struct config_bound_index {
    const struct config_bound *all; /* in the order of the file; owned by the code that fills the index */
    size_t count;
    struct config_index index;
    struct config_arena arena;
};

#define CONFIG_BOUND_EVERYWHERE "-"
#define CONFIG_BOUND_INTERFACE_BYTES 32

/* Key of a look-up: an address with its family and port. */
struct config_bound_place {
    int family;
    bool udp;
    uint16_t port;
    const char *address, *interface;
};

/* Writes the text of an interface's name as the index uses it. */
void config_bound_interface(char out[CONFIG_BOUND_INTERFACE_BYTES], const char *name);

/* Adds `bound`, which must stay valid, unless the place has an entry. */
void config_bound_add(struct config_bound_index *bounds, const struct config_bound *bound, const struct config_bound_place *place);

/* Returns the first entry that was added at the place, or NULL. */
const struct config_bound *config_bound_find(const struct config_bound_index *bounds, const struct config_bound_place *place);

#endif
