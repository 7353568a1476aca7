/* test/sim/check_udp_drop.c: checks that a datagram is dropped for a reason that is true. The linker puts it in place of udp_drop(), which it calls
 * (--wrap in the Makefile). Test thread; owns nothing. */
#include "table/backend.h"
#include "table/limit.h"
#include "table/listener.h"
#include "table/pool.h"
#include "table/snapshot.h"
#include "world.h"

#define BURST_NS ((uint64_t)100000000) /* of flow_rate (worker/udp_flow.c) */

void check_udp_drop(struct worker *worker, struct listener *listener, enum udp_drop_reason reason, uint32_t count, int error) __asm__("__wrap_udp_drop");
void real_udp_drop(struct worker *worker, struct listener *listener, enum udp_drop_reason reason, uint32_t count, int error) __asm__("__real_udp_drop");

static bool is_full(const struct limit *limit)
{
    return limit_used(limit) >= limit_max(limit);
}

/* Whether the source of a request that was not sent yet has all the flows that it may have. */
static bool is_source_full(const struct world *world, const struct udp_records *requests, const struct listener *listener)
{
    uint32_t max = listener_settings(listener)->max_flows_per_source;

    for (uint32_t i = 0; i < requests->count; i++) {
        if (!requests->list[i].is_passed && max > 0 && udp_flows_of_source(world, listener, &requests->list[i].from) >= max)
            return true;
    }
    return false;
}

/* Whether no backend can take a flow. After a refusal, or after a socket could not be made, the worker may avoid some of them. */
static bool is_unserved(const struct worker *worker, const struct listener *listener, const struct udp_tally *tally)
{
    const struct snapshot_pool *pool = snapshot_find(worker->snapshot, listener_pool(listener));

    if (tally->lacks > 0 || tally->refusals > 0)
        return true;
    for (uint32_t i = 0; pool && i < pool->usable_count; i++) {
        if (!backend_full(pool->usable[i].backend))
            return false;
    }
    return true;
}

/* Takes `count` from what has been noted. Returns false if it is less. */
static bool use_up(uint32_t *noted, uint32_t count)
{
    if (*noted < count)
        return false;
    *noted -= count;
    return true;
}

static bool is_true(struct world *world, const struct worker *worker, const struct listener *listener, enum udp_drop_reason reason, uint32_t count)
{
    struct udp_tally *tally = &world->udp.tallies[worker->index];

    switch (reason) {
    case UDP_DROP_MAX_FLOWS:
        return is_full(&world->flows);
    case UDP_DROP_LISTENER_FULL:
        return is_full(&listener->flows);
    case UDP_DROP_SOURCE_FULL:
        return is_source_full(world, &tally->requests, listener);
    case UDP_DROP_RATE:
        return listener_settings(listener)->flow_rate > 0 && listener->flow_rate.due_ns > worker->io->now_ns + BURST_NS;
    case UDP_DROP_DRAINING:
        return worker->draining;
    case UDP_DROP_NO_BACKEND:
        return is_unserved(worker, listener, tally);
    case UDP_DROP_NO_RESOURCES:
        return tally->lacks > 0;
    case UDP_DROP_UNANSWERABLE:
        return use_up(&tally->unanswerable, count);
    case UDP_DROP_TOO_LARGE:
        return use_up(&tally->failed[reason], count) || use_up(&tally->too_large, count);
    case UDP_DROP_NO_ROOM:
    case UDP_DROP_NOT_SENT:
        return use_up(&tally->failed[reason], count);
    case UDP_DROP_UNWANTED:
        return use_up(&tally->unwanted, count);
    default:
        return false;
    }
}

void check_udp_drop(struct worker *worker, struct listener *listener, enum udp_drop_reason reason, uint32_t count, int error)
{
    struct world *world = engine_of(worker->io)->sim->options.owner;
    struct udp_tally *tally = &world->udp.tallies[worker->index];

    if (!is_true(world, worker, listener, reason, count))
        world_fail(world, "%u datagrams are dropped for reason %d, which is not true", count, (int)reason);
    tally->dropped += count;
    if (reason <= UDP_DROP_RATE)
        tally->refused += count;
    real_udp_drop(worker, listener, reason, count, error);
}
