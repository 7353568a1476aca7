/* table/reclaim.h: a list of what was replaced or removed, until no worker can read it any more. Publisher.
 *
 *   added --sealed--> waits until every worker has passed a quiescent point --> condemned --> waits for another one --> destroyed
 *
 * An item is added before the publication that hides it, and sealed after it. A live object is condemned when it is unused. It then needs a second wait,
 * because the worker that gave back the last lease may read the object until the end of its turn. Everything else is destroyed after the first wait. */
#ifndef TABLE_RECLAIM_H
#define TABLE_RECLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct epoch;

struct reclaim_item {
    void *object;
    void (*destroy)(void *object);
    bool (*condemn)(void *object); /* NULL: it is not a live object, or is condemned */
    uint64_t ticket;                       /* of the epoch; UINT64_MAX: not sealed */
};

/* All zero is empty. */
struct reclaim {
    struct reclaim_item *items; /* owned */
    size_t count, capacity;
};

/* Allocates room for `more` items, so that adding them cannot fail. Returns 0 or -ENOMEM. */
int reclaim_reserve(struct reclaim *reclaim, size_t more);

/* Adds an object, which the list owns from now on. There must be room. `condemn` returns whether the object is unused, and in this case marks it so that it is
 * not used again; NULL: the object is not a live object. */
void reclaim_add(struct reclaim *reclaim, void *object, void (*destroy)(void *object), bool (*condemn)(void *object));

/* Removes an object that is not condemned from the list. It must be there. */
void reclaim_remove(struct reclaim *reclaim, const void *object);

/* The items that were added are no longer visible in the published snapshot. `ticket` is the result of an epoch_advance() after that publication. */
void reclaim_seal(struct reclaim *reclaim, uint64_t ticket);

/* Destroys the items that no reader can hold any more. Never waits. */
void reclaim_run(struct reclaim *reclaim, struct epoch *epoch);

/* Destroys all items. No reader may be left. Safe on all zero and twice. */
void reclaim_deinit(struct reclaim *reclaim);

#endif
