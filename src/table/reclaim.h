/* table/reclaim.h: what was replaced or removed and may still be read, until it can be freed. The publisher's alone.
 *
 *   added --sealed--> waits until every worker has passed a quiescent point --> condemned --> waits for another one --> destroyed
 *
 * Something is added before the publication that hides it, and sealed after it. A live object is condemned when nobody uses it any more; it needs the second
 * wait because the worker that gave back the last lease may read the object until the end of its turn. Everything else is destroyed after the first wait. */
#ifndef TABLE_RECLAIM_H
#define TABLE_RECLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct epoch;

struct reclaim_item {
    void *object;
    void (*destroy)(void *object);
    bool (*condemn)(void *object); /* NULL: there is nothing to ask any more */
    uint64_t ticket;                       /* of the epoch; UINT64_MAX: not sealed */
};

/* All zero is empty. */
struct reclaim {
    struct reclaim_item *items; /* owned */
    size_t count, capacity;
};

/* Makes room for `more` items, so that adding them cannot fail. 0 or -ENOMEM. */
int reclaim_reserve(struct reclaim *reclaim, size_t more);

/* Adds an object, which is the list's from now on. There must be room. `condemn` may be NULL; it returns whether the object is unused, and must note that it is
 * not to be used again if so. */
void reclaim_add(struct reclaim *reclaim, void *object, void (*destroy)(void *object), bool (*condemn)(void *object));

/* Takes an object that is not condemned off the list again. It must be there. */
void reclaim_remove(struct reclaim *reclaim, const void *object);

/* What was added has been hidden from readers who load the snapshot from now on: `ticket` is epoch_advance()'s, of after that. */
void reclaim_seal(struct reclaim *reclaim, uint64_t ticket);

/* Destroys what no reader can hold any more. Never waits. */
void reclaim_run(struct reclaim *reclaim, struct epoch *epoch);

/* Destroys everything, when no reader is left. Safe on all zero and twice. */
void reclaim_deinit(struct reclaim *reclaim);

#endif
