/* table/service.c: which backends of a pool take new sessions. Publisher; owns nothing. */
#include "table/service.h"

#include "config/settings.h"
#include "table/backend.h"
#include "table/pool.h"

/* How many backends of one kind there are. */
struct tally {
    size_t usable, eligible, timed_out;
};

static struct tally count_kind(const struct pool *pool, bool backups)
{
    struct tally tally = {0};

    for (size_t i = 0; i < pool->backend_count; i++) {
        uint32_t state = backend_state(pool->backends[i]);

        if (backend_settings(pool->backends[i])->backup != backups)
            continue;
        tally.usable += backend_state_standing(state) == BACKEND_USABLE;
        tally.eligible += backend_state_is_eligible(state);
        tally.timed_out += backend_state_only_timed_out(state);
    }
    return tally;
}

static struct service make_service(enum service_rule rule, bool uses_backups, const struct tally *tally, size_t takers)
{
    return (struct service){.rule = rule, .uses_backups = uses_backups, .usable = tally->usable, .eligible = tally->eligible, .takers = takers};
}

struct service service_decide(const struct pool *pool)
{
    const struct pool_settings *settings = pool_settings(pool);
    const struct tally tallies[] = {count_kind(pool, false), count_kind(pool, true)};
    bool any_usable = tallies[0].usable + tallies[1].usable > 0;
    bool backups = any_usable ? tallies[0].usable == 0 : tallies[0].eligible == 0;
    bool timed_out_backups = tallies[0].timed_out == 0;
    const struct tally *kind = &tallies[backups];

    if (kind->eligible > 0 && kind->usable * 100 < kind->eligible * settings->panic_threshold_percent)
        return make_service(SERVICE_PANIC, backups, kind, kind->eligible);
    if (any_usable)
        return make_service(backups ? SERVICE_BACKUPS : SERVICE_PRIMARIES, backups, kind, kind->usable);
    if (tallies[timed_out_backups].timed_out > 0)
        return make_service(SERVICE_TIMED_OUT, timed_out_backups, &tallies[timed_out_backups], tallies[timed_out_backups].timed_out);
    if (kind->eligible > 0 && settings->all_down == CONFIG_ALL_DOWN_OPEN)
        return make_service(SERVICE_FAIL_OPEN, backups, kind, kind->eligible);
    return make_service(SERVICE_NONE, backups, kind, 0);
}

bool service_takes(const struct service *service, const struct backend *backend)
{
    uint32_t state = backend_state(backend);

    if (backend_settings(backend)->backup != service->uses_backups)
        return false;
    switch (service->rule) {
    case SERVICE_PRIMARIES:
    case SERVICE_BACKUPS:
        return backend_state_standing(state) == BACKEND_USABLE;
    case SERVICE_PANIC:
    case SERVICE_FAIL_OPEN:
        return backend_state_is_eligible(state);
    case SERVICE_TIMED_OUT:
        return backend_state_only_timed_out(state);
    case SERVICE_NONE:
        break;
    }
    return false;
}

bool service_reserves(const struct service *service, const struct backend *backend)
{
    uint32_t state = backend_state(backend);

    return !service_takes(service, backend) && (backend_state_standing(state) == BACKEND_USABLE || backend_state_only_ejected(state));
}
