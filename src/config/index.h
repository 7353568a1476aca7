/* config/index.h: finds values by a text in constant time, so that the time to read a file of 100,000 names is linear. Within src/config; one thread
 * at a time. */
#ifndef CONFIG_INDEX_H
#define CONFIG_INDEX_H

#include <stddef.h>

#include "config/arena.h"

struct config_index_slot;

/* An all-zero struct is an empty index. The arena owns its memory. */
struct config_index {
    struct config_index_slot *slots; /* `room` slots, a power of two, at most half of them in use */
    size_t count, room;
};

/* Returns the value that was added under `text`, or NULL. */
const void *config_index_find(const struct config_index *index, const char *text);

/* Adds `value` under `text`, which must stay valid and must not be in the index yet. If memory runs out, adds nothing; the arena records the failure. */
void config_index_add(struct config_index *index, struct config_arena *arena, const char *text, const void *value);

#endif
