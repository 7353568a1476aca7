/* health/due.c: a binary min-heap. Items know their positions, so that any item can be removed. Health thread; owns the array, not the items. */
#include "health/due.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 16 };

int due_heap_reserve(struct due_heap *heap, size_t capacity)
{
    size_t grown = heap->capacity > CAPACITY_MIN ? heap->capacity : CAPACITY_MIN;

    if (capacity <= heap->capacity)
        return 0;
    while (grown < capacity)
        grown *= 2;
    struct due **items = realloc(heap->items, (grown + 1) * sizeof(struct due *));
    if (!items)
        return -ENOMEM;
    heap->items = items;
    heap->capacity = grown;
    return 0;
}

void due_heap_deinit(struct due_heap *heap)
{
    free(heap->items);
    *heap = (struct due_heap){0};
}

static void place_item(struct due_heap *heap, size_t position, struct due *due)
{
    heap->items[position] = due;
    due->position = position;
}

static void sift_up(struct due_heap *heap, size_t position, struct due *due)
{
    for (; position > 1 && heap->items[position / 2]->at_ns > due->at_ns; position /= 2)
        place_item(heap, position, heap->items[position / 2]);
    place_item(heap, position, due);
}

static void sift_down(struct due_heap *heap, size_t position, struct due *due)
{
    for (size_t child; (child = 2 * position) <= heap->count; position = child) {
        if (child < heap->count && heap->items[child + 1]->at_ns < heap->items[child]->at_ns)
            child++;
        if (heap->items[child]->at_ns >= due->at_ns)
            break;
        place_item(heap, position, heap->items[child]);
    }
    place_item(heap, position, due);
}

void due_add(struct due_heap *heap, struct due *due, uint64_t at_ns)
{
    assert(due->position == 0);
    assert(heap->count < heap->capacity);
    due->at_ns = at_ns;
    sift_up(heap, ++heap->count, due);
}

void due_remove(struct due_heap *heap, struct due *due)
{
    size_t position = due->position;

    assert(position > 0 && position <= heap->count && heap->items[position] == due);
    due->position = 0;
    struct due *last = heap->items[heap->count--];
    if (last == due)
        return;
    if (position > 1 && heap->items[position / 2]->at_ns > last->at_ns)
        sift_up(heap, position, last);
    else
        sift_down(heap, position, last);
}

struct due *due_first(const struct due_heap *heap)
{
    return heap->count > 0 ? heap->items[1] : NULL;
}
