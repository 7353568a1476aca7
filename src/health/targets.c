/* health/targets.c: decides which backends are probed, and when. Health thread; owns the targets and the probers. */
#include "health/targets.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/hash.h"
#include "health/ejection.h"
#include "health/judge.h"
#include "log/log.h"

#define NS_PER_MS UINT64_C(1000000)

enum { NO_MEANS_LOG_MS = 60000 };

enum target_state { TARGET_SERVED, TARGET_IDLE, TARGET_WAITING, TARGET_PROBING };

struct target {
    struct due due;      /* first member: due_first() is cast to a target; in the heap while idle and while probing */
    struct list link;    /* in targets.all */
    struct share share;  /* its group; only the leader is probed */
    struct cap_turn turn; /* in a line while waiting; counts as in flight while probing */
    struct targets *targets;
    struct backend *backend;
    const struct pool_settings *settings;            /* from the last start_target(); the table keeps them until the next targets_sync() */
    const struct backend_settings *backend_settings; /* the same; only compared */
    struct addr addr;    /* address that is probed */
    struct judge judge;
    enum target_state state;
    struct prober *prober;
    struct probe *probe; /* the probe in flight, while probing */
    uint64_t started_ns; /* start of the last probe */
    uint64_t judged_ns;  /* time of its result; at first, when the target was added */
};

/* ---- probing ---- */

/* Logs that this machine lacks the means to probe, which says nothing about the backend. It may last, so at most one line a minute. */
static void note_no_means(const struct target *target, const char *reason, uint64_t now_ns)
{
    struct targets *targets = target->targets;

    if (targets->no_means_logged_ns != 0 && now_ns - targets->no_means_logged_ns < NO_MEANS_LOG_MS * NS_PER_MS)
        return;
    targets->no_means_logged_ns = now_ns;
    log_error("cannot probe backend %s of pool %s: %s on this machine; the states of backends do not change while they cannot be probed",
              target->backend->name, target->backend->pool->name, reason);
}

static struct target *leader_of(const struct target *target)
{
    return container_of(target->share.leader, struct target, share);
}

/* Returns the target after `target` in the group of `leader`, beginning with the leader itself; NULL: that was the last. */
static struct target *next_in_group(const struct target *leader, const struct target *target)
{
    struct list *link = target == leader ? leader->share.others.next : target->share.link.next;

    return link == &leader->share.others ? NULL : container_of(link, struct target, share.link);
}

/* When bytes last came from a backend of the group. The time that workers note is coarse, and counts as later when in doubt. */
static uint64_t group_heard_ns(const struct target *leader)
{
    uint64_t heard_ns = 0;

    for (const struct target *target = leader; target; target = next_in_group(leader, target)) {
        uint64_t ns = backend_heard_ns(target->backend) + BACKEND_TICK_NS;
        heard_ns = ns > heard_ns ? ns : heard_ns;
    }
    return heard_ns;
}

static uint32_t group_interval_ms(const struct target *leader)
{
    uint32_t interval_ms = UINT32_MAX;

    for (const struct target *target = leader; target; target = next_in_group(leader, target)) {
        uint32_t ms = judge_interval_ms(&target->judge, target->settings);
        interval_ms = ms < interval_ms ? ms : interval_ms;
    }
    return interval_ms;
}

static bool group_is_usable(const struct target *leader)
{
    const struct target *target = leader;

    while (target && target->judge.state != BACKEND_PROBE_UP && target->judge.state != BACKEND_PROBE_BUSY)
        target = next_in_group(leader, target);
    return target != NULL;
}

static void judge_target(struct target *target, const struct probe_result *result, uint64_t heard_ns, uint64_t now_ns)
{
    enum backend_probe_state from = target->judge.state;
    bool heard = heard_ns > judge_heard_since(target->settings, target->judged_ns, now_ns);

    if (judge_result(&target->judge, target->settings, result->outcome, heard)) {
        struct publisher_change change = {
            .backend = target->backend, .from = from, .to = target->judge.state, .probed = &target->addr, .reason = result->reason, .heard = heard,
        };
        publisher_change(target->targets->publisher, &change, now_ns);
    }
    target->judged_ns = now_ns;
}

static void count_probe(struct backend *backend, const struct probe_result *result, uint64_t took_ns)
{
    backend->events.probes++;
    backend->events.probes_failed += result->outcome == PROBE_FAILED;
    backend->events.probes_timed_out += result->outcome == PROBE_TIMED_OUT;
    if (result->outcome == PROBE_PASSED)
        backend->probe_us = took_ns / 1000;
}

static void plan_next(struct target *leader, uint64_t now_ns)
{
    struct targets *targets = leader->targets;
    uint32_t interval_ms = judge_jittered_ms(group_interval_ms(leader), leader->settings->check_jitter_percent, &targets->random);
    uint64_t next_ns = leader->started_ns + interval_ms * NS_PER_MS;

    leader->state = TARGET_IDLE;
    leader->probe = NULL;
    due_add(&targets->due, &leader->due, next_ns > now_ns ? next_ns : now_ns + NS_PER_MS);
}

static void take_result(struct target *leader, const struct probe_result *result)
{
    struct ejection *ejection = leader->targets->ejection;
    uint64_t heard_ns = group_heard_ns(leader), now_ns = clock_now_ns();

    if (result->outcome == PROBE_NO_MEANS) {
        note_no_means(leader, result->reason, now_ns);
        plan_next(leader, now_ns);
        return;
    }
    for (struct target *target = leader; target; target = next_in_group(leader, target)) {
        count_probe(target->backend, result, now_ns - leader->started_ns);
        judge_target(target, result, heard_ns, now_ns);
    }
    plan_next(leader, now_ns);
    for (struct target *target = leader; target && ejection; target = next_in_group(leader, target))
        ejection_note_probe(ejection, target->backend, result->outcome == PROBE_PASSED, now_ns - leader->started_ns, now_ns);
}

static void end_probe(struct target *target)
{
    assert(target->state == TARGET_PROBING);
    due_remove(&target->targets->due, &target->due);
    cap_end(&target->targets->cap, &target->turn);
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
    struct targets *targets = target->targets;
    const struct probe_request request = {.settings = target->settings, .backend = target->backend, .addr = &target->addr, .cookie = target};
    struct probe_result result;

    target->started_ns = clock_now_ns();
    if (target->prober->ops->start(target->prober, &request, &target->probe, &result) != PROBE_PENDING) {
        cap_end(&targets->cap, &target->turn);
        take_result(target, &result);
        return;
    }
    target->state = TARGET_PROBING;
    due_add(&targets->due, &target->due, target->started_ns + probe_limit_ms(target->settings) * NS_PER_MS);
}

/* Lets the target wait until the cap on probes in flight admits it. */
static void await_turn(struct target *target)
{
    uint64_t due_ns = target->due.at_ns;

    due_remove(&target->targets->due, &target->due);
    target->state = TARGET_WAITING;
    target->turn.preferred = group_is_usable(target);
    target->turn.interval_ms = group_interval_ms(target);
    cap_wait(&target->targets->cap, &target->turn, due_ns);
}

static void log_lateness(struct targets *targets, uint64_t now_ns)
{
    char text[DURATION_TEXT_BYTES];
    uint64_t late_ns;
    uint32_t count;

    switch (cap_news(&targets->cap, now_ns, &count, &late_ns)) {
    case CAP_LATE:
        log_warn("%u probe%s began more than an interval late, by up to %s: probes_max = %u are in flight; the states of backends may be out of date; raise "
                 "probes_max, or lower check_timeout; reported at most once a minute", count, count == 1 ? "" : "s",
                 duration_format(late_ns / NS_PER_MS, text, sizeof(text)), targets->cap.max);
        break;
    case CAP_ON_TIME:
        log_info("probes begin on time again");
        break;
    case CAP_NO_NEWS:
        break;
    }
}

/* Handles time limits first, so that waiting targets can start at once. */
void targets_run(struct targets *targets)
{
    uint64_t now_ns = clock_now_ns();
    struct cap_turn *turn;
    struct due *due;

    while ((due = due_first(&targets->due)) != NULL && due->at_ns <= now_ns) {
        struct target *target = (struct target *)due;
        if (target->state == TARGET_PROBING)
            time_out(target);
        else
            await_turn(target);
    }
    while ((turn = cap_next(&targets->cap, clock_now_ns())) != NULL)
        begin_probe(container_of(turn, struct target, turn));
    log_lateness(targets, now_ns);
}

/* Lets the next probe begin at `at_ns`, if it would begin later and none is in flight. */
static void bring_forward(struct target *leader, uint64_t at_ns)
{
    if (leader->state != TARGET_IDLE || at_ns >= leader->due.at_ns)
        return;
    due_remove(&leader->targets->due, &leader->due);
    due_add(&leader->targets->due, &leader->due, at_ns);
}

void targets_hurry(struct backend *backend, uint64_t now_ns)
{
    struct target *leader = backend->target ? leader_of(backend->target) : NULL;
    uint64_t at_ns;

    if (!leader)
        return;
    at_ns = leader->started_ns + leader->settings->check_fast_interval_ms * NS_PER_MS;
    bring_forward(leader, at_ns > now_ns ? at_ns : now_ns);
}

void targets_process(struct targets *targets)
{
    for (int i = 0; i < TARGETS_KINDS; i++)
        if (targets->probers[i])
            targets->probers[i]->ops->process(targets->probers[i]);
}

uint64_t targets_wake_ns(const struct targets *targets)
{
    const struct due *due = due_first(&targets->due);
    uint64_t wake_ns = due && due->at_ns < targets->cap.news_at_ns ? due->at_ns : targets->cap.news_at_ns;

    for (int i = 0; i < TARGETS_KINDS; i++)
        if (targets->probers[i] && targets->probers[i]->wake_ns < wake_ns)
            wake_ns = targets->probers[i]->wake_ns;
    return wake_ns;
}

/* ---- adding and removing targets ---- */

static const struct probe_ops *check_ops(enum config_check check)
{
    switch (check) {
    case CONFIG_CHECK_TCP:
        return &probe_tcp_ops;
    case CONFIG_CHECK_HTTP:
    case CONFIG_CHECK_HTTPS:
        return &probe_http_ops;
    case CONFIG_CHECK_GRPC:
        return &probe_grpc_ops;
    case CONFIG_CHECK_UDP:
        return &probe_udp_ops;
    case CONFIG_CHECK_EXEC:
        return &probe_exec_ops;
    case CONFIG_CHECK_AGENT:
    case CONFIG_CHECK_NONE:
        break;
    }
    return NULL;
}

/* Finds or opens the prober of a kind. Returns NULL after setting `*error`. */
static struct prober *need_prober(struct targets *targets, const struct probe_ops *ops, int *error)
{
    for (int i = 0; i < TARGETS_KINDS; i++) {
        if (!targets->probers[i])
            targets->probers[i] = ops->open(on_probe_done, error);
        if (targets->probers[i])
            targets->probers[i]->places = targets->cap.max;
        if (!targets->probers[i] || targets->probers[i]->ops == ops)
            return targets->probers[i];
    }
    assert(!"more kinds of check than TARGETS_KINDS");
    return NULL;
}

static void schedule_leader(struct target *leader, uint64_t at_ns)
{
    leader->state = TARGET_IDLE;
    due_add(&leader->targets->due, &leader->due, at_ns);
}

/* Ends the target's probe or wait. If it was probed for others, one of them is probed instead, at once. */
static void stop_target(struct target *target)
{
    struct targets *targets = target->targets;
    struct share *next;

    switch (target->state) {
    case TARGET_PROBING:
        target->prober->ops->abandon(target->prober, target->probe);
        end_probe(target);
        target->probe = NULL;
        break;
    case TARGET_IDLE:
        due_remove(&targets->due, &target->due);
        break;
    case TARGET_WAITING:
        cap_leave(&target->turn);
        break;
    case TARGET_SERVED:
        break;
    }
    target->state = TARGET_SERVED;
    next = share_leave(&targets->shares, &target->share);
    if (next)
        schedule_leader(container_of(next, struct target, share), clock_now_ns());
}

/* Takes over the present settings, and schedules the first probe for it, or for the group that it joins, at the latest after `first_ms`. Returns 0, or a
 * negative errno; then no probe is scheduled. */
static int start_target(struct target *target, uint32_t first_ms)
{
    struct backend *backend = target->backend;
    int error = 0;

    target->settings = pool_settings(backend->pool);
    target->backend_settings = backend_settings(backend);
    target->prober = need_prober(target->targets, check_ops(target->settings->check), &error);
    if (!target->prober)
        return error;
    target->judge = (struct judge){.state = (enum backend_probe_state)backend_state_part(backend_state(backend), BACKEND_PROBE)};
    target->judged_ns = clock_now_ns();
    probe_address(&target->addr, target->settings, backend);
    target->share = (struct share){.addr = &target->addr, .settings = target->settings};
    if (share_join(&target->targets->shares, &target->share))
        schedule_leader(target, target->judged_ns + first_ms * NS_PER_MS);
    else
        bring_forward(leader_of(target), target->judged_ns + first_ms * NS_PER_MS);
    return 0;
}

/* Frees a target that has been stopped, or never started. */
static void free_target(struct target *target)
{
    list_remove(&target->link);
    target->targets->count--;
    if (target->backend)
        target->backend->target = NULL;
    free(target);
}

static int add_target(struct targets *targets, struct backend *backend, uint32_t first_ms)
{
    struct target *target = calloc(1, sizeof(*target));

    if (!target || due_heap_reserve(&targets->due, targets->count + 1) < 0) {
        free(target);
        return -ENOMEM;
    }
    target->targets = targets;
    target->backend = backend;
    list_init(&target->turn.in_line);
    list_append(&targets->all, &target->link);
    targets->count++;
    backend->target = target;
    int error = start_target(target, first_ms);
    if (error < 0)
        free_target(target);
    return error;
}

/* Removes the targets of backends that were removed or are no longer checked, and restarts those whose settings were replaced. */
static int sync_present(struct targets *targets)
{
    int result = 0;

    for (struct list *link = targets->all.next, *next; link != &targets->all; link = next) {
        struct target *target = container_of(link, struct target, link);
        struct backend *backend = target->backend;
        next = link->next;
        if (backend->leaving || !pool_settings_has_probe(pool_settings(backend->pool))) {
            stop_target(target);
            free_target(target);
        } else if (target->settings != pool_settings(backend->pool) || target->backend_settings != backend_settings(backend)) {
            stop_target(target);
            int error = start_target(target, 0);
            if (error < 0) {
                free_target(target);
                result = error;
            }
        }
    }
    return result;
}

/* Adds missing targets. Spreads their first probes, so that many backends are not probed at the same time. */
static int sync_missing(struct targets *targets)
{
    struct table *table = targets->publisher->table;
    size_t missing = 0, added = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < table_pool_count(table); i++) {
            struct pool *pool = table_pool(table, i);
            for (size_t k = 0; k < pool->backend_count && pool_settings_has_probe(pool_settings(pool)); k++) {
                if (pool->backends[k]->target)
                    continue;
                if (pass == 0) {
                    missing++;
                    continue;
                }
                int error = add_target(targets, pool->backends[k], judge_first_ms(pool_settings(pool), added++, missing));
                if (error < 0)
                    return error;
            }
        }
    }
    return 0;
}

int targets_sync(struct targets *targets)
{
    int present = sync_present(targets), missing = sync_missing(targets);

    return present < 0 ? present : missing;
}

void targets_init(struct targets *targets, struct publisher *publisher, uint32_t probes_max)
{
    *targets = (struct targets){.publisher = publisher};
    list_init(&targets->all);
    share_init(&targets->shares);
    cap_init(&targets->cap, probes_max);
    /* The configured seed is not used here: load balancers that share it must not probe at the same times. */
    targets->random = clock_now_ns() ^ ((uint64_t)getpid() << 32);
}

void targets_deinit(struct targets *targets)
{
    while (!list_empty(&targets->all)) {
        struct target *target = container_of(targets->all.next, struct target, link);
        stop_target(target);
        free_target(target);
    }
    for (int i = 0; i < TARGETS_KINDS; i++)
        if (targets->probers[i])
            targets->probers[i]->ops->close(targets->probers[i]);
    due_heap_deinit(&targets->due);
}
