/* table/change.h: what a change of one backend means for its pool. Publisher. */
#ifndef TABLE_CHANGE_H
#define TABLE_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "table/objects.h"

/* What selectors see of a backend. */
struct change_view {
    bool is_usable, is_eligible, only_timed_out;
    uint32_t weight;
};

struct change_view change_view(const struct backend *backend);

/* Begins the slow start of a backend that has become usable, and ends that of one that is no longer usable. */
void change_turn(struct table *table, struct backend *backend, bool was_usable);

/* Call it after any change of a backend, with what selectors saw before. Counts it as usable or not, lets its pool be published again, and calls
 * change_turn(). */
void change_note(struct table *table, struct backend *backend, struct change_view before);

/* Gives the backend its whole weight and limit, if a slow start has reduced them. */
void change_end_slow_start(struct backend *backend);

#endif
