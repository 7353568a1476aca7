/* health/due.h: a binary min-heap of deadlines: finds the next one, with O(log n) for each change. One thread. */
#ifndef HEALTH_DUE_H
#define HEALTH_DUE_H

#include <stddef.h>
#include <stdint.h>

/* Embedded in the object that is due. */
struct due {
    uint64_t at_ns;  /* CLOCK_MONOTONIC; set by due_add() */
    size_t position; /* index in the heap, from 1; 0: not in the heap */
};

struct due_heap {
    struct due **items; /* owned; items[0] is not used */
    size_t count, capacity;
};

/* Makes room for `capacity` items in all. An all-zero heap is empty and has room for none. Returns 0, or -ENOMEM; then the heap is unchanged. */
int due_heap_reserve(struct due_heap *heap, size_t capacity);
/* Does not touch the items. Accepts an all-zero heap and may be called twice. */
void due_heap_deinit(struct due_heap *heap);

/* Adds an item. Asserts that it is in no heap and that the heap is not full. */
void due_add(struct due_heap *heap, struct due *due, uint64_t at_ns);
/* Removes an item. Asserts that it is in the heap. */
void due_remove(struct due_heap *heap, struct due *due);
/* Returns the earliest item, or NULL if the heap is empty. */
struct due *due_first(const struct due_heap *heap);

#endif
