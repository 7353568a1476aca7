/* config/index.c: a hash table with open addressing. Thread that loads the configuration; the arena owns the memory, including that of outgrown tables. */
#include "config/index.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"

#define ROOM_MIN 64

struct config_index_slot {
    const char *text; /* NULL: free */
    const void *value;
};

/* Returns the slot of `text`, or the free slot where it would be added. */
static struct config_index_slot *find_slot(const struct config_index *index, const char *text)
{
    size_t at = (size_t)hash_bytes(text, strlen(text), 0, 0) & (index->room - 1);

    while (index->slots[at].text && strcmp(index->slots[at].text, text) != 0)
        at = (at + 1) & (index->room - 1);
    return &index->slots[at];
}

const void *config_index_find(const struct config_index *index, const char *text)
{
    return index->room ? find_slot(index, text)->value : NULL;
}

void config_index_add(struct config_index *index, struct config_arena *arena, const char *text, const void *value)
{
    struct config_index_slot *slot;

    if (2 * (index->count + 1) > index->room) {
        struct config_index grown = {.count = index->count, .room = index->room ? 2 * index->room : ROOM_MIN};

        grown.slots = config_arena_alloc(arena, grown.room * sizeof(*grown.slots));
        if (!grown.slots)
            return;
        for (size_t i = 0; i < index->room; i++) {
            if (index->slots[i].text)
                *find_slot(&grown, index->slots[i].text) = index->slots[i];
        }
        *index = grown;
    }
    slot = find_slot(index, text);
    assert(!slot->text);
    *slot = (struct config_index_slot){text, value};
    index->count++;
}
