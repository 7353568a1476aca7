/* list.h: an intrusive doubly linked list. The caller's thread. */
#ifndef LOADGEN_LIST_H
#define LOADGEN_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The head of a list, or a link embedded in a member. A link that is in no list points at itself. */
struct list {
    struct list *prev, *next;
};

#define LIST_OWNER(link, type, field) ((type *)(void *)((char *)(link)-offsetof(type, field)))

static inline void list_init(struct list *list)
{
    list->prev = list->next = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

/* Removes a link. Does nothing if it is in no list. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* Appends a link to the list, after removing it from its present list. */
static inline void list_append(struct list *head, struct list *link)
{
    list_remove(link);
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/* Removes and returns the first link. Returns NULL if the list is empty. */
static inline struct list *list_pop(struct list *head)
{
    struct list *link = head->next;
    if (link == head)
        return NULL;
    list_remove(link);
    return link;
}

/* Moves all links from `from` to `to`, which must be empty. */
static inline void list_take(struct list *to, struct list *from)
{
    list_init(to);
    if (list_empty(from))
        return;
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    list_init(from);
}

#endif
