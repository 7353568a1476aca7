/* health/due.h: a binary min-heap of deadlines: which of many is next, in O(log n) per change. One thread. */
#ifndef HEALTH_DUE_H
#define HEALTH_DUE_H

#include <stddef.h>
#include <stdint.h>

/* Embedded in what is due. */
struct due {
    uint64_t at_ns;  /* CLOCK_MONOTONIC; set by due_add() */
    size_t position; /* in the heap, from 1; 0: not in it */
};

struct due_heap {
    struct due **items; /* owned; items[0] is not used */
    size_t count, capacity;
};

/* Makes room for `capacity` items in all; all zero is an empty heap with room for none. 0 or -ENOMEM, and the heap is as before. */
int due_heap_reserve(struct due_heap *heap, size_t capacity);
/* Safe on a zeroed heap and twice; the items belong to others. */
void due_heap_deinit(struct due_heap *heap);

/* Asserts that it is in no heap and that there is room. */
void due_add(struct due_heap *heap, struct due *due, uint64_t at_ns);
/* Asserts that it is in the heap. */
void due_remove(struct due_heap *heap, struct due *due);
/* The earliest, NULL when empty. */
struct due *due_first(const struct due_heap *heap);

#endif
