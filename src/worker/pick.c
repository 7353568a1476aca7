/* worker/pick.c: selects a backend for a session or a flow. Worker thread; owns nothing. */
#include "worker/pick.h"

#include "select/selector.h"
#include "table/lease.h"
#include "table/snapshot.h"
#include "table/table.h"
#include "worker/context.h"

/* Returns what the snapshot has of the pool. If the pool was published after this turn began, the newest snapshot has it. */
static const struct snapshot_pool *find_pool(struct worker *worker, const struct pool *pool)
{
    const struct snapshot_pool *found = snapshot_find(worker->snapshot, pool);

    if (found)
        return found;
    worker->snapshot = table_load(worker->shared->table);
    return snapshot_find(worker->snapshot, pool);
}

bool pick_backend(struct worker *worker, struct lease *lease, struct select_request *request)
{
    bool moves = !find_pool(worker, lease->pool);

    if (moves) {
        lease_change_pool(lease);
        request->tried_count = 0;
    }
    pick_slot(worker, lease, request);
    return moves;
}

void pick_slot(struct worker *worker, struct lease *lease, struct select_request *request)
{
    const struct snapshot_pool *pool = find_pool(worker, lease->pool);
    struct backend *backend;

    if (!pool || request->tried_count >= SELECT_TRIES_MAX) /* no pool: the new one has left the configuration too */
        return;
    backend = selector_pick(pool, request);
    if (backend)
        lease_take_backend(lease, backend);
}

void pick_reserve(struct worker *worker, struct lease *lease, struct select_request *request)
{
    const struct snapshot_pool *pool = find_pool(worker, lease->pool);
    struct backend *backend = pool && request->tried_count < SELECT_TRIES_MAX ? selector_pick_reserve(pool, request) : NULL;

    if (backend)
        lease_take_backend(lease, backend);
}
