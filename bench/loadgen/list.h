/* list.h: doubly linked list of links inside other structs. The caller's thread. */
#ifndef LOADGEN_LIST_H
#define LOADGEN_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A head, or a link within a member. A link that is in no list points at itself. */
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

/* Does nothing to a link that is in no list. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* To the end; taken out of where it was first. */
static inline void list_append(struct list *head, struct list *link)
{
    list_remove(link);
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/* The first link, taken out; NULL: the list is empty. */
static inline struct list *list_pop(struct list *head)
{
    struct list *link = head->next;
    if (link == head)
        return NULL;
    list_remove(link);
    return link;
}

/* Moves everything from `from` to the empty `to`. */
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
