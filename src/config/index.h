/* config/index.h: things found by their text in constant time, so that a file of 100,000 names is read as fast as it is long. Within src/config; one thread
 * at a time. */
#ifndef CONFIG_INDEX_H
#define CONFIG_INDEX_H

#include <stddef.h>

#include "config/arena.h"

struct config_index_slot;

/* All zero is empty; its memory is the arena's. */
struct config_index {
    struct config_index_slot *slots; /* `room` of them, a power of two, at most half of them used */
    size_t count, room;
};

/* What was added under `text`; NULL: nothing. */
const void *config_index_find(const struct config_index *index, const char *text);

/* Adds `value` under `text`, which must stay valid and not be there yet. Nothing is added when memory runs out; the arena remembers. */
void config_index_add(struct config_index *index, struct config_arena *arena, const char *text, const void *value);

#endif
