/* health/agents.c: decides when agents are called, and does what they say. Health thread; owns the agents and their prober. */
#include "health/agents.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "health/agent_effect.h"
#include "health/health.h"
#include "health/judge.h"
#include "log/log.h"

#define NS_PER_MS UINT64_C(1000000)

struct agent {
    struct due due;      /* first member: due_first() is cast to an agent; in agents.idle or agents.calling */
    struct list link;    /* in agents.all */
    struct agents *agents;
    struct backend *backend;
    const struct pool_settings *settings;            /* from the last start_agent(); the table keeps them until the next agents_sync() */
    const struct backend_settings *backend_settings; /* the same; only compared */
    struct addr addr;
    struct probe *probe; /* the call in flight; NULL: none */
    uint64_t started_ns; /* of the last call */
    uint32_t failures;   /* number of consecutive calls that failed */
    struct agent_effect effect;
};

/* Returns false if the backend has no agent. */
static bool find_address(struct addr *out, const struct pool_settings *settings, const struct backend *backend)
{
    uint16_t port = backend_settings(backend)->agent_port;

    if (port == 0)
        port = settings->agent_port;
    if (port == 0 && settings->check != CONFIG_CHECK_AGENT)
        return false;
    probe_address(out, settings, backend);
    if (port != 0)
        addr_set_port(out, port);
    return true;
}

/* ---- calling ---- */

static void note_failure(struct agent *agent, const char *reason)
{
    char where[ADDR_TEXT_BYTES];

    if (agent->failures++ == 0)
        log_warn("pool %s: agent of backend %s (%s): %s; what it said before stays in force", agent->backend->pool->name, agent->backend->name,
                 addr_format(&agent->addr, where, sizeof(where)), reason);
}

static void note_success(struct agent *agent)
{
    char where[ADDR_TEXT_BYTES];

    if (agent->failures > 0)
        log_info("pool %s: agent of backend %s (%s) answers again after %u failed call%s", agent->backend->pool->name, agent->backend->name,
                 addr_format(&agent->addr, where, sizeof(where)), agent->failures, agent->failures == 1 ? "" : "s");
    agent->failures = 0;
}

static void take_result(struct agent *agent, const struct probe_result *result)
{
    struct agents *agents = agent->agents;
    const struct pool_settings *settings = agent->settings;
    uint64_t now_ns = clock_now_ns(), next_ns;

    agent->probe = NULL;
    if (result->outcome == PROBE_PASSED) {
        note_success(agent);
        agent_effect_apply(&agent->effect, agents->publisher, agent->backend, &result->report, now_ns);
    } else {
        note_failure(agent, result->reason);
    }
    next_ns = agent->started_ns + judge_jittered_ms(settings->agent_interval_ms, settings->check_jitter_percent, &agents->random) * NS_PER_MS;
    due_add(&agents->idle, &agent->due, next_ns > now_ns ? next_ns : now_ns + NS_PER_MS);
}

/* probe_done_fn */
static void on_called(void *cookie, const struct probe_result *result)
{
    struct agent *agent = cookie;

    due_remove(&agent->agents->calling, &agent->due);
    take_result(agent, result);
}

static void end_call(struct agent *agent)
{
    struct probe_result result;

    agent->agents->prober->ops->expire(agent->agents->prober, agent->probe, &result);
    due_remove(&agent->agents->calling, &agent->due);
    take_result(agent, &result);
}

static void begin_call(struct agent *agent)
{
    struct agents *agents = agent->agents;
    const struct probe_request request = {.settings = agent->settings, .backend = agent->backend, .addr = &agent->addr, .cookie = agent};
    struct probe_result result;

    due_remove(&agents->idle, &agent->due);
    agent->started_ns = clock_now_ns();
    if (agents->prober->ops->start(agents->prober, &request, &agent->probe, &result) == PROBE_PENDING)
        due_add(&agents->calling, &agent->due, agent->started_ns + agent->settings->check_timeout_ms * NS_PER_MS);
    else
        take_result(agent, &result);
}

void agents_run(struct agents *agents)
{
    struct due *due;
    uint64_t now_ns;

    if (!agents->prober)
        return;
    agents->prober->ops->process(agents->prober);
    now_ns = clock_now_ns();
    while ((due = due_first(&agents->calling)) != NULL && due->at_ns <= now_ns)
        end_call((struct agent *)due);
    while ((due = due_first(&agents->idle)) != NULL && due->at_ns <= now_ns && agents->calling.count < HEALTH_AGENT_CALLS_MAX)
        begin_call((struct agent *)due);
}

uint64_t agents_wake_ns(const struct agents *agents)
{
    const struct due *call_end = due_first(&agents->calling), *next = due_first(&agents->idle);
    uint64_t wake_ns = call_end ? call_end->at_ns : UINT64_MAX;

    if (next && agents->calling.count < HEALTH_AGENT_CALLS_MAX && next->at_ns < wake_ns)
        wake_ns = next->at_ns;
    return wake_ns;
}

/* ---- adding and removing agents ---- */

/* Afterwards the agent is in no heap. */
static void stop_agent(struct agent *agent)
{
    struct agents *agents = agent->agents;

    if (agent->probe) {
        agents->prober->ops->abandon(agents->prober, agent->probe);
        agent->probe = NULL;
        due_remove(&agents->calling, &agent->due);
    } else {
        due_remove(&agents->idle, &agent->due);
    }
}

static void start_agent(struct agent *agent, uint32_t first_ms)
{
    agent->settings = pool_settings(agent->backend->pool);
    agent->backend_settings = backend_settings(agent->backend);
    due_add(&agent->agents->idle, &agent->due, clock_now_ns() + first_ms * NS_PER_MS);
}

/* Frees an agent that is in no heap. */
static void free_agent(struct agent *agent)
{
    list_remove(&agent->link);
    agent->agents->count--;
    agent->backend->agent = NULL;
    free(agent);
}

static int add_agent(struct agents *agents, struct backend *backend, const struct addr *addr, uint32_t first_ms)
{
    struct agent *agent = NULL;
    int error = 0;

    if (!agents->prober)
        agents->prober = probe_agent_ops.open(on_called, &error);
    if (!agents->prober)
        return error;
    if (due_heap_reserve(&agents->idle, agents->count + 1) == 0 && due_heap_reserve(&agents->calling, HEALTH_AGENT_CALLS_MAX) == 0)
        agent = calloc(1, sizeof(*agent));
    if (!agent)
        return -ENOMEM;
    agent->agents = agents;
    agent->backend = backend;
    agent->addr = *addr;
    list_append(&agents->all, &agent->link);
    agents->count++;
    backend->agent = agent;
    start_agent(agent, first_ms);
    return 0;
}

/* Removes agents that have left the configuration, and restarts those whose settings were replaced. */
static void sync_present(struct agents *agents)
{
    for (struct list *link = agents->all.next, *next; link != &agents->all; link = next) {
        struct agent *agent = container_of(link, struct agent, link);
        struct backend *backend = agent->backend;

        next = link->next;
        if (agent->settings == pool_settings(backend->pool) && agent->backend_settings == backend_settings(backend) && !backend->leaving)
            continue;
        stop_agent(agent);
        if (!backend->leaving && find_address(&agent->addr, pool_settings(backend->pool), backend)) {
            start_agent(agent, 0);
        } else {
            agent_effect_end(&agent->effect, agents->publisher, backend, clock_now_ns());
            free_agent(agent);
        }
    }
}

int agents_sync(struct agents *agents)
{
    struct table *table = agents->publisher->table;
    struct addr addr;

    sync_present(agents);
    for (size_t i = 0; i < table_pool_count(table); i++) {
        struct pool *pool = table_pool(table, i);
        const struct pool_settings *settings = pool_settings(pool);

        for (size_t k = 0; k < pool->backend_count; k++) {
            if (pool->backends[k]->agent || !find_address(&addr, settings, pool->backends[k]))
                continue;
            int error = add_agent(agents, pool->backends[k], &addr, judge_first_ms(settings, k, pool->backend_count));
            if (error < 0)
                return error;
        }
    }
    return 0;
}

void agents_init(struct agents *agents, struct publisher *publisher)
{
    *agents = (struct agents){.publisher = publisher};
    list_init(&agents->all);
    agents->random = clock_now_ns() ^ ((uint64_t)getpid() << 32); /* as in targets_init() */
}

void agents_deinit(struct agents *agents)
{
    while (!list_empty(&agents->all)) {
        struct agent *agent = container_of(agents->all.next, struct agent, link);
        stop_agent(agent);
        free_agent(agent);
    }
    if (agents->prober)
        agents->prober->ops->close(agents->prober);
    due_heap_deinit(&agents->idle);
    due_heap_deinit(&agents->calling);
}
