/* base/list.h: intrusive doubly linked list. No threads, nothing allocated.
 *
 * A list head and an unlinked node both point at themselves, so list_remove() is safe twice. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *previous;
};

/* The object that holds `member` at `pointer`. */
#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *list)
{
    list->next = list;
    list->previous = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

/* Puts `node`, which must not be linked, at the end. */
static inline void list_append(struct list *list, struct list *node)
{
    node->next = list;
    node->previous = list->previous;
    list->previous->next = node;
    list->previous = node;
}

static inline void list_remove(struct list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

/* Moves everything from `from`, which becomes empty, to `to`, which was empty: lets a loop run over a list that grows meanwhile. */
static inline void list_take(struct list *to, struct list *from)
{
    list_init(to);
    if (list_empty(from))
        return;
    *to = *from;
    to->next->previous = to;
    to->previous->next = to;
    list_init(from);
}

#endif
