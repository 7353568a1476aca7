/* table/reclaim.c: the list of retired memory. Publisher; owns the objects on the list. */
#include "table/reclaim.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table/epoch.h"

#define NOT_SEALED UINT64_MAX

enum { CAPACITY_MIN = 64 };

int reclaim_reserve(struct reclaim *reclaim, size_t more)
{
    size_t capacity = reclaim->capacity ? reclaim->capacity : CAPACITY_MIN;
    struct reclaim_item *items;

    while (capacity < reclaim->count + more)
        capacity *= 2;
    if (capacity == reclaim->capacity)
        return 0;
    items = realloc(reclaim->items, capacity * sizeof(*items));
    if (!items)
        return -ENOMEM;
    reclaim->items = items;
    reclaim->capacity = capacity;
    return 0;
}

void reclaim_add(struct reclaim *reclaim, void *object, void (*destroy)(void *object), bool (*condemn)(void *object))
{
    assert(reclaim->count < reclaim->capacity);
    reclaim->items[reclaim->count++] = (struct reclaim_item){.object = object, .destroy = destroy, .condemn = condemn, .ticket = NOT_SEALED};
}

void reclaim_remove(struct reclaim *reclaim, const void *object)
{
    size_t i = 0;

    while (i < reclaim->count && reclaim->items[i].object != object)
        i++;
    assert(i < reclaim->count && reclaim->items[i].condemn);
    memmove(&reclaim->items[i], &reclaim->items[i + 1], (reclaim->count - i - 1) * sizeof(reclaim->items[0]));
    reclaim->count--;
}

void reclaim_seal(struct reclaim *reclaim, uint64_t ticket)
{
    for (size_t i = reclaim->count; i > 0 && reclaim->items[i - 1].ticket == NOT_SEALED; i--)
        reclaim->items[i - 1].ticket = ticket;
}

void reclaim_run(struct reclaim *reclaim, struct epoch *epoch)
{
    uint64_t next_ticket = 0; /* the ticket of the objects that are condemned in this run */
    uint64_t reached = 0;     /* the highest ticket that is known to be reached; most items have the same one */
    size_t kept = 0;

    for (size_t i = 0; i < reclaim->count; i++) {
        struct reclaim_item item = reclaim->items[i];
        bool is_reached = item.ticket <= reached || (item.ticket != NOT_SEALED && epoch_reached(epoch, item.ticket));

        if (is_reached && item.ticket > reached)
            reached = item.ticket;
        if (is_reached && !item.condemn) {
            item.destroy(item.object);
            continue;
        }
        if (is_reached && item.condemn(item.object)) {
            next_ticket = next_ticket ? next_ticket : epoch_advance(epoch);
            item.ticket = next_ticket;
            item.condemn = NULL;
        }
        reclaim->items[kept++] = item;
    }
    reclaim->count = kept;
}

/* Works in passes, because a pool is unused only after its backends and listeners are freed. */
void reclaim_deinit(struct reclaim *reclaim)
{
    while (reclaim->count > 0) {
        size_t kept = 0;

        for (size_t i = 0; i < reclaim->count; i++) {
            struct reclaim_item item = reclaim->items[i];

            if (item.condemn && !item.condemn(item.object))
                reclaim->items[kept++] = item;
            else
                item.destroy(item.object);
        }
        assert(kept < reclaim->count); /* otherwise a lease is still held */
        reclaim->count = kept;
    }
    free(reclaim->items);
    *reclaim = (struct reclaim){0};
}
