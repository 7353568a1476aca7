/* test/sim/evictions.c: runs health's reviews of the backends, and checks the sessions that are closed because of them. Test thread; owns nothing. */
#include "evictions.h"

#include <string.h>

#include "table/pool.h"
#include "world.h"

enum { REVIEWS_MAX = 20000, BURST_MS = 100, QUIET_MS = 2000, SLACK_MS = 2000 };

#define PICK(sim, ...) ((const uint32_t[]){__VA_ARGS__})[sim_below(sim, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))]

/* A quick run closes no session, because all of them end normally. */
void evictions_draw(struct world *world, struct pool_settings *settings)
{
    struct sim *sim = world->sim;

    settings->drain_timeout_ms = UINT32_MAX;
    settings->close_rate = 100;
    if (world->quick)
        return;
    settings->drain_timeout_ms = PICK(sim, UINT32_MAX, UINT32_MAX, 0, 50, 1000);
    settings->on_down = (enum config_sessions)sim_chance(sim, 400);
    settings->on_failback = (enum config_sessions)sim_chance(sim, 500);
    settings->close_rate = world->lasting ? PICK(sim, 10, 30) : PICK(sim, 0, 10, 30, 1000);
}

static struct eviction_record *record_of(struct world *world, const struct backend *backend)
{
    return &world->eviction_records[world_pool_of(backend)][world_backend_of(backend)][world_address_of(world, backend)];
}

static struct eviction_rate *rate_of(struct world *world, const struct backend *backend)
{
    return &world->eviction_rates[world_pool_of(backend)];
}

void evictions_note_settings(struct world *world, uint32_t pool, const struct pool_settings *settings)
{
    struct eviction_rate *rate = &world->eviction_rates[pool];

    rate->unlimited |= settings->close_rate == 0;
    if (settings->close_rate > rate->fastest)
        rate->fastest = settings->close_rate;
    if (settings->close_rate > 0 && (rate->slowest == 0 || settings->close_rate < rate->slowest))
        rate->slowest = settings->close_rate;
}

void evictions_note_pools(struct world *world)
{
    for (uint32_t p = 0; p < POOLS_MAX; p++)
        world->eviction_rates[p].count = 0;
}

/* ---- reviews ---- */

static void note_drain(struct world *world, struct backend *backend)
{
    struct eviction_record *record = record_of(world, backend);
    bool drains = backend_standing(backend) == BACKEND_DRAINING;

    if (backend->condemned)
        return;
    if (!drains)
        record->drains_ns = NEVER;
    else if (record->drains_ns == NEVER)
        record->drains_ns = world->sim->now_ns;
}

static void note_eviction(struct world *world, struct backend *backend)
{
    struct eviction_record *record = record_of(world, backend);

    if (backend->condemned)
        return;
    if (backend_eviction(backend) == EVICTION_NONE)
        record->evicts_ns = NEVER;
    else if (record->evicts_ns == NEVER)
        record->evicts_ns = world->sim->now_ns;
}

void evictions_review(struct world *world)
{
    struct evictions *evictions = &world->evictions;
    struct lifecycle *lifecycle = &world->publisher.lifecycle;
    struct sim *sim = world->sim;

    if (++evictions->reviews > REVIEWS_MAX)
        world_fail(world, "the reviews of the backends have no end");
    world_each_backend(world, note_drain);
    lifecycle_review(lifecycle, sim->now_ns);
    world_each_backend(world, note_eviction);
    sim_look_at_eventfds(sim);
    if (lifecycle->wake_ns != UINT64_MAX)
        sim_arm(sim, &evictions->reviewing, lifecycle->wake_ns - sim->now_ns);
}

static void on_reviewing(struct sim_event *event)
{
    evictions_review(container_of(event, struct world, evictions.reviewing));
}

void evictions_begin(struct world *world)
{
    struct evictions *evictions = &world->evictions;

    memset(world->eviction_records, 0xff, sizeof(world->eviction_records)); /* NEVER */
    evictions->workers = (struct health_workers){.count = world->worker_count, .evict = worker_order_evictions, .context = world->mailboxes};
    evictions->reviewing.run = on_reviewing;
    for (uint32_t p = 0; p < world->config.pool_count; p++)
        evictions_note_settings(world, p, &world->pools[p].settings);
    evictions_review(world);
}

/* ---- checks ---- */

static bool is_primary_usable(const struct pool *pool)
{
    for (size_t i = 0; i < pool->backend_count; i++) {
        if (!backend_settings(pool->backends[i])->backup && backend_standing(pool->backends[i]) == BACKEND_USABLE)
            return true;
    }
    return false;
}

/* Whether the state that was reported last gives the reason. An ejection must not. */
static bool is_justified(struct world *world, const struct session *session)
{
    const struct backend *backend = session->lease.backend;
    const struct pool_settings *settings = session_settings(session);
    uint32_t state = backend_state(backend);
    unsigned probe = backend_state_part(state, BACKEND_PROBE);
    uint64_t drains_ns = record_of(world, backend)->drains_ns;

    switch (session->end) {
    case END_BACKEND_DOWN:
        return settings->on_down == CONFIG_SESSIONS_CLOSE && !backend_serves_anyway(backend) &&
               (backend_state_part(state, BACKEND_ADMIN) == BACKEND_ADMIN_MAINTENANCE || probe == BACKEND_PROBE_DOWN || probe == BACKEND_PROBE_TIMED_OUT);
    case END_BACKEND_DRAINED:
        return drains_ns != NEVER && backend_settings(backend)->drain_timeout_ms != UINT32_MAX &&
               session->worker->io->now_ns >= drains_ns + backend_settings(backend)->drain_timeout_ms * MS;
    case END_FAILBACK:
        return settings->on_failback == CONFIG_SESSIONS_CLOSE && backend_settings(backend)->backup && is_primary_usable(backend->pool);
    default:
        return false;
    }
}

/* In any time T, at most close_rate * (T + 0.1 s) + 1 sessions are closed. */
static void check_rate(struct world *world, struct eviction_rate *rate, uint64_t now_ns)
{
    uint32_t noted = rate->count < EVICTIONS_NOTED ? rate->count : EVICTIONS_NOTED;

    for (uint32_t back = 1; back <= noted && !rate->unlimited; back++) {
        uint64_t at_ns = rate->at_ns[(rate->count - back) % EVICTIONS_NOTED], span_ns = now_ns > at_ns ? now_ns - at_ns : 0;

        if ((double)back > (double)rate->fastest * (double)(span_ns + BURST_MS * MS + MS) / 1e9)
            world_fail(world, "%u sessions are closed within %llu ms, and close_rate is at most %u", back + 1, (unsigned long long)(span_ns / MS), rate->fastest);
    }
    rate->at_ns[rate->count++ % EVICTIONS_NOTED] = now_ns;
}

void check_moved(struct world *world, const struct session *session)
{
    if (!is_justified(world, session))
        world_fail(world, "a session leaves backend %s for reason %d, which does not apply", session->lease.backend->name, (int)session->end);
    check_rate(world, rate_of(world, session->lease.backend), session->worker->io->now_ns);
}

void check_evicted(struct world *world, const struct session *session)
{
    if (!is_justified(world, session))
        world_fail(world, "a session with backend %s is closed for reason %d, which does not apply", session->lease.backend->name, (int)session->end);
    check_rate(world, rate_of(world, session->lease.backend), session->worker->io->now_ns);
}

/* A session that fails over to a backup after the failback may stay until the next review. */
void check_not_left(struct world *world, const struct session *session)
{
    const struct backend *backend = session->lease.backend;
    uint64_t evicts_ns, since_ns, slowest;

    if (session->state != SESSION_RELAYING || record_of(world, backend)->evicts_ns == NEVER)
        return;
    evicts_ns = record_of(world, backend)->evicts_ns;
    if (backend_eviction(backend) == EVICTION_FAILBACK && session->connected_ns > evicts_ns)
        return;
    since_ns = session->connected_ns > evicts_ns ? session->connected_ns : evicts_ns;
    slowest = rate_of(world, backend)->slowest;
    if (session->worker->io->now_ns > since_ns + SLACK_MS * MS + (slowest ? world->pair_count * 1000 * MS / slowest : 0))
        world_fail(world, "a session with backend %s was not closed", backend->name);
}

bool eviction_is_quiet(struct world *world, const struct session *session)
{
    return session->worker->io->now_ns + 2 * MS >= check_last_activity_ns(world, session) + QUIET_MS * MS;
}
