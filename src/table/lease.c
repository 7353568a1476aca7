/* table/lease.c: takes and gives back what a session or flow holds. Any worker; owns nothing. */
#include "table/lease.h"

#include <assert.h>
#include <stddef.h>

#include "table/backend.h"
#include "table/limit.h"
#include "table/listener.h"
#include "table/pool.h"

/* The listener's limit of the same kind as that of the process. */
static struct limit *own_limit(struct listener *listener, const struct limit *process)
{
    return process->of_flows ? &listener->flows : &listener->connections;
}

enum lease_outcome lease_take(struct lease *lease, struct listener *listener, struct limit *process, uint64_t since_ns)
{
    struct limit *own = own_limit(listener, process);

    assert(!lease->listener && !lease->pool && !lease->backend);
    if (!limit_take(own, since_ns))
        return LEASE_LISTENER_FULL;
    if (!limit_take(process, since_ns)) {
        limit_give(own);
        return LEASE_PROCESS_FULL;
    }
    *lease = (struct lease){.listener = listener, .process = process, .pool = listener_pool(listener)};
    pool_enter(lease->pool);
    return LEASE_TAKEN;
}

void lease_take_backend(struct lease *lease, struct backend *backend)
{
    assert(lease->pool && !lease->backend && backend->pool == lease->pool);
    lease->backend = backend;
}

void lease_change_pool(struct lease *lease)
{
    struct pool *next = listener_pool(lease->listener);

    assert(!lease->backend);
    pool_enter(next);
    pool_leave(lease->pool);
    lease->pool = next;
}

void lease_give(struct lease *lease, enum lease_part part)
{
    if (lease->backend)
        backend_release(lease->backend);
    lease->backend = NULL;
    if (part == LEASE_BACKEND)
        return;
    pool_leave(lease->pool);
    limit_give(own_limit(lease->listener, lease->process));
    limit_give(lease->process);
    *lease = (struct lease){0};
}
