/* health/health.c: the health thread "penstock-health": waits for probes, deadlines and requests of other threads. It owns the targets and the publisher,
 * and is the only writer of the table. */
#include "health/health.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "health/agents.h"
#include "health/ejection.h"
#include "health/publisher.h"
#include "health/targets.h"
#include "log/log.h"
#include "table/mailbox.h"
#include "table/report.h"
#include "table/request.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

enum { WAIT_MS_MAX = 60000, SYNC_RETRY_MS = 1000, MAILBOX_MESSAGES = 16 };

enum health_order { HEALTH_STOP = 1 << 0, HEALTH_FAILURE = 1 << 1 };

struct apply_request {
    struct request request;
    const struct config *config;  /* borrowed: the requesting thread waits until the request was answered */
    struct table_change *change;  /* likewise */
    int result;
};

struct report_request {
    struct request request;
    struct report *report;        /* owned */
    int result;
};

struct health {
    pthread_t thread;
    struct mailbox mailbox;      /* orders, and messages that are each a pointer to a request */
    struct report_sources sources; /* immutable */

    /* The fields below are used only by the health thread, while it runs. */
    struct publisher publisher;
    struct targets targets;
    struct agents agents;
    struct ejection ejection;
    uint64_t sync_at_ns;         /* when to retry targets_sync(); UINT64_MAX: all backends are probed */
};

static int sync_both(struct health *health)
{
    int targets = targets_sync(&health->targets), agents = agents_sync(&health->agents);

    return targets < 0 ? targets : agents;
}

static void sync_targets(struct health *health)
{
    int error = sync_both(health);

    if (error < 0 && health->sync_at_ns == UINT64_MAX)
        log_error("some backends are not probed: %s; retrying every second", strerrorname_np(-error));
    health->sync_at_ns = error < 0 ? clock_now_ns() + SYNC_RETRY_MS * NS_PER_MS : UINT64_MAX;
}

static void apply_config(struct request *request, void *receiver)
{
    struct apply_request *apply = container_of(request, struct apply_request, request);
    struct health *health = receiver;

    apply->result = table_apply(health->publisher.table, apply->config, apply->change);
    if (apply->result < 0)
        return;
    sync_targets(health);
    ejection_applied(&health->ejection, clock_now_ns());
    publisher_applied(&health->publisher, clock_now_ns());
}

static void take_report(struct request *request, void *receiver)
{
    struct report_request *asked = container_of(request, struct report_request, request);

    asked->result = report_take(&((struct health *)receiver)->sources, &asked->report);
}

static int wait_ms(const struct health *health)
{
    uint64_t wake_ns = publisher_wake_ns(&health->publisher), targets_ns = targets_wake_ns(&health->targets), now_ns = clock_now_ns(), ms;
    uint64_t ejection_ns = ejection_wake_ns(&health->ejection), agents_ns = agents_wake_ns(&health->agents);

    if (ejection_ns < wake_ns)
        wake_ns = ejection_ns;
    if (agents_ns < wake_ns)
        wake_ns = agents_ns;
    if (targets_ns < wake_ns)
        wake_ns = targets_ns;
    if (health->sync_at_ns < wake_ns)
        wake_ns = health->sync_at_ns;
    if (wake_ns == UINT64_MAX)
        return -1;
    if (wake_ns <= now_ns)
        return 0;
    ms = (wake_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    return ms < WAIT_MS_MAX ? (int)ms : WAIT_MS_MAX;
}

/* Handles orders and messages. Returns false after an order to stop. */
static bool take_mail(struct health *health)
{
    struct request *request;
    uint32_t orders;

    mailbox_clear(&health->mailbox);
    orders = mailbox_take_orders(&health->mailbox);
    if (orders & HEALTH_STOP)
        return false;
    if (orders & HEALTH_FAILURE)
        ejection_alarm(&health->ejection, clock_now_ns());
    while (mailbox_take(&health->mailbox, &request))
        request_follow(request, health);
    return true;
}

/* Waits for a prober, mail or the next deadline. Returns false after an order to stop. */
static bool wait_for_something(struct health *health)
{
    enum { AGENTS = TARGETS_KINDS, MAIL, POLLERS };
    struct pollfd pollers[POLLERS] = {[MAIL] = {.fd = health->mailbox.event_fd, .events = POLLIN}};

    pollers[AGENTS] = (struct pollfd){.fd = health->agents.prober ? health->agents.prober->fd : -1, .events = POLLIN};
    for (int i = 0; i < TARGETS_KINDS; i++) {
        pollers[i].fd = health->targets.probers[i] ? health->targets.probers[i]->fd : -1; /* poll ignores negative descriptors */
        pollers[i].events = POLLIN;
    }
    if (poll(pollers, POLLERS, wait_ms(health)) <= 0 || pollers[MAIL].revents == 0)
        return true;
    return take_mail(health);
}

static void *health_thread(void *argument)
{
    struct health *health = argument;

    pthread_setname_np(pthread_self(), "penstock-health");
    while (wait_for_something(health)) {
        targets_process(&health->targets);
        agents_run(&health->agents);
        ejection_run(&health->ejection, clock_now_ns());
        targets_run(&health->targets);
        if (clock_now_ns() >= health->sync_at_ns)
            sync_targets(health);
        publisher_run(&health->publisher, clock_now_ns());
    }
    return NULL;
}

static void health_free(struct health *health)
{
    agents_deinit(&health->agents);
    targets_deinit(&health->targets);
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

struct health *health_start(struct table *table, const struct health_workers *workers, uint32_t probes_max, int *error)
{
    const struct mailbox_options options = {.capacity = MAILBOX_MESSAGES, .message_bytes = sizeof(struct request *), .dispose = request_refuse};
    struct health *health = calloc(1, sizeof(*health));

    *error = -ENOMEM;
    if (!health)
        return NULL;
    health->sync_at_ns = UINT64_MAX;
    health->sources = (struct report_sources){.table = table, .counters = workers ? workers->counters : NULL, .workers = workers ? workers->count : 0};
    publisher_init(&health->publisher, table, workers, clock_now_ns());
    targets_init(&health->targets, &health->publisher, probes_max);
    agents_init(&health->agents, &health->publisher);
    ejection_init(&health->ejection, &health->publisher);
    health->targets.ejection = &health->ejection;
    *error = mailbox_init(&health->mailbox, &options);
    if (*error == 0)
        *error = sync_both(health);
    if (*error == 0)
        *error = start_thread(health);
    if (*error < 0) {
        health_free(health);
        return NULL;
    }
    return health;
}

static void free_apply(struct request *request)
{
    free(container_of(request, struct apply_request, request));
}

int health_apply(struct health *health, const struct config *config, struct table_change *change)
{
    struct apply_request *apply = malloc(sizeof(*apply));
    int error;

    if (!apply)
        return -ENOMEM;
    *apply = (struct apply_request){.config = config, .change = change, .result = -ECANCELED};
    request_init(&apply->request, apply_config, free_apply);
    error = request_post(&apply->request, &health->mailbox, clock_now_ns() + NS_PER_S);
    if (error == 0) {
        (void)request_await(&apply->request, UINT64_MAX);
        error = apply->result;
    }
    request_drop(&apply->request);
    return error;
}

static void free_report(struct request *request)
{
    struct report_request *asked = container_of(request, struct report_request, request);

    report_free(asked->report);
    free(asked);
}

int health_report(struct health *health, uint64_t deadline_ns, struct report **report)
{
    struct report_request *asked = malloc(sizeof(*asked));
    int error;

    if (!asked)
        return -ENOMEM;
    *asked = (struct report_request){.result = -ECANCELED};
    request_init(&asked->request, take_report, free_report);
    error = request_post(&asked->request, &health->mailbox, deadline_ns);
    if (error == 0)
        error = request_await(&asked->request, deadline_ns);
    if (error == 0)
        error = asked->result;
    if (error == 0) {
        *report = asked->report;
        asked->report = NULL; /* the caller owns it now */
    }
    request_drop(&asked->request);
    return error;
}

void health_tell_of_failure(void *health)
{
    mailbox_order(&((struct health *)health)->mailbox, HEALTH_FAILURE);
}

void health_stop(struct health *health)
{
    if (!health)
        return;
    mailbox_order(&health->mailbox, HEALTH_STOP);
    pthread_join(health->thread, NULL);
    health_free(health);
}
