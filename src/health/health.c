/* health.c: the health thread "penstock-health": probes every backend at its time, judges the results, hands changes
 * to the publisher.
 *
 * It owns the targets (one per probed backend), the probers and the publisher, and with that the table's writing
 * side. Each target has one deadline in one heap: the next probe while idle, the time limit while a probe is under
 * way. A due target that finds HEALTH_PROBES_MAX probes under way waits in line.
 *
 *      idle --due--> waiting --room--> probing --result or time limit--> idle */
#include "health/health.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "health/due.h"
#include "health/judge.h"
#include "health/probe.h"
#include "health/publisher.h"
#include "log/log.h"
#include "table/mailbox.h"

#define NS_PER_MS UINT64_C(1000000)

enum { KINDS = 2, NO_MEANS_LOG_MS = 60000 };

enum health_order { HEALTH_STOP = 1 << 0 };

enum target_state { TARGET_IDLE, TARGET_WAITING, TARGET_PROBING };

struct target {
    struct due due; /* first: due_first() gives a target. In the heap while idle and while probing */
    struct health *health;
    size_t pool, backend; /* positions in the configuration */
    struct addr addr;     /* where it is probed */
    struct judge judge;
    enum target_state state;
    struct target *next;  /* while waiting */
    struct prober *prober;
    struct probe *probe;  /* while probing */
    uint64_t started_ns;  /* the last probe */
};

struct health {
    const struct config *config; /* borrowed */
    pthread_t thread;
    struct mailbox mailbox;      /* orders of control */

    /* The thread's, from its start to its end. */
    struct prober *probers[KINDS]; /* NULL: no pool has that kind of check */
    struct publisher publisher;
    struct target *targets;
    size_t target_count;
    struct due_heap due;
    struct target *waiting_first, **waiting_end;
    size_t under_way;
    uint64_t random;
    uint64_t no_means_logged_ns; /* 0: never */
};

static const struct config_pool *target_pool(const struct target *target)
{
    return &target->health->config->pools[target->pool];
}

/* What we lack says nothing about the backend, and it may last: one line a minute. */
static void note_no_means(struct target *target, const char *reason, uint64_t now_ns)
{
    struct health *health = target->health;
    const struct config_pool *pool = target_pool(target);

    if (health->no_means_logged_ns != 0 && now_ns - health->no_means_logged_ns < NO_MEANS_LOG_MS * NS_PER_MS)
        return;
    health->no_means_logged_ns = now_ns;
    log_error("cannot probe backend %s of pool %s: %s on this machine; backends that cannot be probed stay as they are",
              pool->backends[target->backend].name, pool->name, reason);
}

static void take_result(struct target *target, const struct probe_result *result)
{
    struct health *health = target->health;
    const struct config_pool *pool = target_pool(target);
    uint64_t now_ns = clock_now_ns();

    target->state = TARGET_IDLE;
    target->probe = NULL;
    if (result->outcome == PROBE_NO_MEANS) {
        note_no_means(target, result->reason, now_ns);
    } else if (judge_result(&target->judge, &pool->settings, result->outcome == PROBE_PASSED)) {
        struct publisher_change change = {
            .pool = target->pool, .backend = target->backend, .up = target->judge.up,
            .probed = &target->addr, .reason = result->reason,
        };
        publisher_change(&health->publisher, &change, now_ns);
    }
    uint64_t next_ns = target->started_ns + judge_interval_ms(&target->judge, &pool->settings, &health->random) * NS_PER_MS;
    due_add(&health->due, &target->due, next_ns > now_ns ? next_ns : now_ns + NS_PER_MS);
}

static void end_probe(struct target *target)
{
    assert(target->state == TARGET_PROBING && target->health->under_way > 0);
    due_remove(&target->health->due, &target->due);
    target->health->under_way--;
}

/* probe_done_fn */
static void on_probe_done(void *cookie, const struct probe_result *result)
{
    struct target *target = cookie;

    end_probe(target);
    take_result(target, result);
}

static void time_out(struct target *target)
{
    struct probe_result result;

    target->prober->ops->expire(target->prober, target->probe, &result);
    end_probe(target);
    take_result(target, &result);
}

static void begin_probe(struct target *target)
{
    struct health *health = target->health;
    const struct config_pool *pool = target_pool(target);
    const struct probe_request request = { .settings = &pool->settings, .addr = &target->addr, .cookie = target };
    struct probe_result result;

    target->started_ns = clock_now_ns();
    if (target->prober->ops->start(target->prober, &request, &target->probe, &result) != PROBE_PENDING) {
        take_result(target, &result);
        return;
    }
    target->state = TARGET_PROBING;
    health->under_way++;
    due_add(&health->due, &target->due, target->started_ns + pool->settings.check_timeout_ms * NS_PER_MS);
}

static void line_up(struct target *target)
{
    struct health *health = target->health;

    target->state = TARGET_WAITING;
    target->next = NULL;
    *health->waiting_end = target;
    health->waiting_end = &target->next;
}

/* Time limits first, so that their places can be used at once. */
static void run_due(struct health *health)
{
    uint64_t now_ns = clock_now_ns();
    struct due *due;

    while ((due = due_first(&health->due)) != NULL && due->at_ns <= now_ns) {
        struct target *target = (struct target *)due;
        if (target->state == TARGET_PROBING) {
            time_out(target);
        } else {
            due_remove(&health->due, due);
            line_up(target);
        }
    }
    while (health->waiting_first != NULL && health->under_way < HEALTH_PROBES_MAX) {
        struct target *target = health->waiting_first;
        health->waiting_first = target->next;
        if (health->waiting_first == NULL)
            health->waiting_end = &health->waiting_first;
        begin_probe(target);
    }
}

static int wait_ms(const struct health *health)
{
    uint64_t wake_ns = publisher_wake_ns(&health->publisher);
    uint64_t now_ns = clock_now_ns();
    const struct due *due = due_first(&health->due);

    if (due != NULL && due->at_ns < wake_ns)
        wake_ns = due->at_ns;
    for (int i = 0; i < KINDS; i++)
        if (health->probers[i] != NULL && health->probers[i]->wake_ns < wake_ns)
            wake_ns = health->probers[i]->wake_ns;
    if (wake_ns == UINT64_MAX)
        return -1;
    if (wake_ns <= now_ns)
        return 0;
    uint64_t ms = (wake_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    return ms < 60000 ? (int)ms : 60000;
}

/* False: asked to stop. */
static bool wait_for_something(struct health *health)
{
    struct pollfd pollers[KINDS + 1] = { [KINDS] = { .fd = health->mailbox.event_fd, .events = POLLIN } };

    for (int i = 0; i < KINDS; i++) {
        pollers[i].fd = health->probers[i] != NULL ? health->probers[i]->fd : -1; /* poll skips negative ones */
        pollers[i].events = POLLIN;
    }
    if (poll(pollers, KINDS + 1, wait_ms(health)) <= 0 || pollers[KINDS].revents == 0)
        return true;
    mailbox_clear(&health->mailbox);
    return !(mailbox_take_orders(&health->mailbox) & HEALTH_STOP);
}

static void *health_thread(void *argument)
{
    struct health *health = argument;

    pthread_setname_np(pthread_self(), "penstock-health");
    while (wait_for_something(health)) {
        for (int i = 0; i < KINDS; i++)
            if (health->probers[i] != NULL)
                health->probers[i]->ops->process(health->probers[i]);
        run_due(health);
        publisher_run(&health->publisher, clock_now_ns());
    }
    return NULL;
}

static const struct probe_ops *check_ops(enum config_check check)
{
    switch (check) {
    case CONFIG_CHECK_TCP:
        return &probe_tcp_ops;
    case CONFIG_CHECK_HTTP:
        return &probe_http_ops;
    case CONFIG_CHECK_NONE:
        break;
    }
    return NULL;
}

/* Finds or opens the prober of a kind. NULL: `*error` is set. */
static struct prober *need_prober(struct health *health, const struct probe_ops *ops, int *error)
{
    for (int i = 0; i < KINDS; i++) {
        if (health->probers[i] == NULL)
            health->probers[i] = ops->open(on_probe_done, error);
        if (health->probers[i] == NULL || health->probers[i]->ops == ops)
            return health->probers[i];
    }
    assert(!"more kinds of check than KINDS");
    return NULL;
}

static int add_pool(struct health *health, size_t position)
{
    const struct config_pool *pool = &health->config->pools[position];
    const struct probe_ops *ops = check_ops(pool->settings.check);
    int error = 0;

    if (ops == NULL)
        return 0;
    struct prober *prober = need_prober(health, ops, &error);
    if (prober == NULL)
        return error;
    for (size_t i = 0; i < pool->backend_count; i++) {
        struct target *target = &health->targets[health->target_count++];
        *target = (struct target){ .health = health, .pool = position, .backend = i, .prober = prober };
        target->judge.up = table_is_up(health->publisher.table, position, i);
        probe_address(&target->addr, &pool->settings, &pool->backends[i]);
    }
    return 0;
}

static int add_targets(struct health *health)
{
    size_t count = 0;

    for (size_t i = 0; i < health->config->pool_count; i++)
        count += health->config->pools[i].backend_count;
    health->targets = calloc(count, sizeof(*health->targets));
    if (health->targets == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < health->config->pool_count; i++) {
        int error = add_pool(health, i);
        if (error < 0)
            return error;
    }
    int error = due_heap_init(&health->due, health->target_count);
    if (error < 0)
        return error;
    uint64_t now_ns = clock_now_ns();
    for (size_t i = 0; i < health->target_count; i++) {
        struct target *target = &health->targets[i];
        uint32_t first_ms = judge_first_ms(&target_pool(target)->settings, i, health->target_count);
        due_add(&health->due, &target->due, now_ns + first_ms * NS_PER_MS);
    }
    return 0;
}

static void health_free(struct health *health)
{
    for (size_t i = 0; i < health->target_count; i++) {
        struct target *target = &health->targets[i];
        if (target->state == TARGET_PROBING)
            target->prober->ops->abandon(target->prober, target->probe);
    }
    for (int i = 0; i < KINDS; i++)
        if (health->probers[i] != NULL)
            health->probers[i]->ops->close(health->probers[i]);
    due_heap_deinit(&health->due);
    free(health->targets);
    publisher_deinit(&health->publisher);
    mailbox_deinit(&health->mailbox);
    free(health);
}

static int start_thread(struct health *health)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = -pthread_create(&health->thread, NULL, health_thread, health);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct health *health_start(const struct config *config, struct table *table, int *error)
{
    struct health *health = calloc(1, sizeof(*health));

    *error = -ENOMEM;
    if (health == NULL)
        return NULL;
    health->config = config;
    health->waiting_end = &health->waiting_first;
    /* Not the configured seed: balancers that share it shall not probe in step. */
    health->random = clock_now_ns() ^ ((uint64_t)getpid() << 32);
    *error = mailbox_init(&health->mailbox, &(struct mailbox_options){0});
    if (*error == 0)
        *error = publisher_init(&health->publisher, config, table);
    if (*error == 0)
        *error = add_targets(health);
    if (*error == 0)
        *error = start_thread(health);
    if (*error < 0)
        goto fail;
    return health;
fail:
    health_free(health);
    return NULL;
}

void health_stop(struct health *health)
{
    if (health == NULL)
        return;
    mailbox_order(&health->mailbox, HEALTH_STOP);
    pthread_join(health->thread, NULL);
    health_free(health);
}
