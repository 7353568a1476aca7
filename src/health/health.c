/* health/health.c: the health thread "penstock-health": waits for probes, deadlines and requests of other threads. It owns the targets and the publisher,
 * and is the only writer of the table. */
#include "health/health.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "health/agents.h"
#include "health/ejection.h"
#include "health/publisher.h"
#include "health/targets.h"
#include "log/log.h"
#include "table/mailbox.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

enum { WAIT_MS_MAX = 60000, SYNC_RETRY_MS = 1000, MAILBOX_MESSAGES = 16 };

enum health_order { HEALTH_STOP = 1 << 0, HEALTH_FAILURE = 1 << 1 };

/* Owned by the requesting thread, which waits for `done`. */
struct apply_request {
    const struct config *config;
    struct table_change *change;
    int result;
    sem_t done;
};

struct health {
    pthread_t thread;
    struct mailbox mailbox;      /* orders, and messages that are each a pointer to an apply_request */

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

static void take_request(struct health *health, struct apply_request *request)
{
    request->result = table_apply(health->publisher.table, request->config, request->change);
    if (request->result == 0) {
        sync_targets(health);
        ejection_applied(&health->ejection, clock_now_ns());
        publisher_applied(&health->publisher, clock_now_ns());
    }
    (void)sem_post(&request->done); /* the requesting thread owns the request again */
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
    struct apply_request *request;
    uint32_t orders;

    mailbox_clear(&health->mailbox);
    orders = mailbox_take_orders(&health->mailbox);
    if (orders & HEALTH_STOP)
        return false;
    if (orders & HEALTH_FAILURE)
        ejection_alarm(&health->ejection, clock_now_ns());
    while (mailbox_take(&health->mailbox, &request))
        take_request(health, request);
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
    const struct mailbox_options options = {.capacity = MAILBOX_MESSAGES, .message_bytes = sizeof(struct apply_request *)};
    struct health *health = calloc(1, sizeof(*health));

    *error = -ENOMEM;
    if (!health)
        return NULL;
    health->sync_at_ns = UINT64_MAX;
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

int health_apply(struct health *health, const struct config *config, struct table_change *change)
{
    struct apply_request request = {.config = config, .change = change}, *message = &request;
    int error;

    (void)sem_init(&request.done, 0, 0);
    error = mailbox_post_wait(&health->mailbox, &message, clock_now_ns() + NS_PER_S);
    if (error == 0) {
        while (sem_wait(&request.done) < 0)
            ;
        error = request.result;
    }
    (void)sem_destroy(&request.done);
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
