/* worker/worker.c: a data-path thread from entry to exit. Owns its engine, sessions, timers, pipes and listening sockets. It shares only what is in
 * worker_shared, takes no lock, and waits only in its engine. */
#include "worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log/log.h"
#include "table/counters.h"
#include "table/epoch.h"
#include "table/intake.h"
#include "table/lease.h"
#include "table/limit.h"
#include "table/mailbox.h"
#include "table/notice.h"
#include "table/table.h"
#include "worker/acceptor.h"
#include "worker/admission.h"
#include "worker/context.h"
#include "worker/evict.h"
#include "worker/flush.h"
#include "worker/mail.h"
#include "worker/replay.h"
#include "worker/session.h"
#include "worker/survey.h"
#include "worker/udp.h"
#include "worker/udp_relay.h"

#define COMPLAIN_NS ((uint64_t)1000000000)
enum { TRIM_MS = 500 };

bool worker_may_complain(struct worker *worker, enum complaint about)
{
    uint64_t *complained_ns = &worker->complained_ns[about];

    if (*complained_ns && worker->io->now_ns - *complained_ns < COMPLAIN_NS)
        return false;
    *complained_ns = worker->io->now_ns;
    return true;
}

/* ---- mail ---- */

static struct intake *own_intake(const struct worker *worker)
{
    return &worker->shared->intakes[worker->index];
}

void worker_begin_drain(struct worker *worker)
{
    if (worker->draining)
        return;
    worker->draining = true;
    intake_close(own_intake(worker)); /* first, because another worker with the same UNIX socket finds out from this why the socket is shut */
    acceptor_drain_all(worker);
    udp_drain_all(worker);
}

void worker_end_all(struct worker *worker)
{
    worker_begin_drain(worker);
    worker->stopping = true;
    acceptor_close_all(worker);
    for (struct list *link = worker->sessions.next, *next; link != &worker->sessions; link = next) {
        next = link->next; /* the session is freed later, in an event of the engine */
        session_give_up(container_of(link, struct session, link), END_STOPPED);
    }
    udp_end_all(worker);
}

/* Resets a client from a worker that did not know yet that this one stops. */
static void turn_away(struct worker *worker, const struct mail_client *client)
{
    struct lease lease = client->lease;

    io_discard(worker->io, client->fd);
    counters_active_add(worker->counters, -1);
    lease_give(&lease, LEASE_ALL);
}

/* The sender has already counted it. */
static void take_client(struct worker *worker, const struct mail_client *client)
{
    if (worker->stopping)
        turn_away(worker, client);
    else
        session_new(worker, &(struct session_arrival){.fd = client->fd, .lease = client->lease, .client = &client->client});
    (void)intake_leave(own_intake(worker));
}

static void follow_orders(struct worker *worker, uint32_t orders)
{
    if (orders & ORDER_ACCEPT) {
        acceptor_accept_all(worker);
        udp_accept_all(worker);
    }
    if (orders & ORDER_CONTINUED)
        io_look_again(worker->io);
    if (orders & ORDER_ADMIT)
        worker->admits = true;
    if (orders & ORDER_DRAIN)
        worker_begin_drain(worker);
    if (orders & ORDER_EVICT)
        evict_begin(worker);
    if (orders & ORDER_FLUSH)
        flush_begin(worker);
    if (orders & ORDER_STOP)
        worker_end_all(worker);
}

static void on_mail(struct io_sock *sock)
{
    struct worker *worker = container_of(sock, struct worker, mail);
    struct mailbox *mailbox = &worker->shared->mailboxes[worker->index];
    struct mail mail;

    io_clear_event(worker->io, sock);
    follow_orders(worker, mailbox_take_orders(mailbox));
    while (mailbox_take(mailbox, &mail)) {
        switch (mail.kind) {
        case MAIL_CLIENT:
            take_client(worker, &mail.client);
            break;
        case MAIL_SURVEY:
            survey_begin(worker, mail.survey.request);
            break;
        }
    }
    io_poll(worker->io, &worker->mail, IO_IN);
}

static void on_mail_closed(struct io_sock *sock)
{
    container_of(sock, struct worker, mail)->mail_open = false;
}

static const struct io_events mail_events = {.readable = on_mail, .closed = on_mail_closed};

int worker_open_mail(struct worker *worker)
{
    int fd = dup(worker->shared->mailboxes[worker->index].event_fd), result;

    if (fd < 0)
        return -errno;
    result = io_open(worker->io, &worker->mail, fd, &mail_events);
    if (result < 0)
        return result;
    worker->mail_open = true;
    io_poll(worker->io, &worker->mail, IO_IN);
    return 0;
}

/* ---- memory ---- */

static bool memory_to_spare(const struct worker *worker)
{
    return slab_trimmable(&worker->sessions_slab) || slab_trimmable(&worker->replays_slab) ||
           (worker->udp && slab_trimmable(&worker->udp->flows_slab)) || io_trimmable(worker->io);
}

static void arm_trim_timer(struct worker *worker)
{
    timer_arm(&worker->timers, &worker->trim_timer, worker_now_ms(worker) + TRIM_MS);
}

/* Frees half of the unused memory each time, so that the memory of a past peak returns to the system. */
static void on_trim_timer(struct timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, trim_timer);

    slab_trim(&worker->sessions_slab);
    slab_trim(&worker->replays_slab);
    if (worker->udp)
        slab_trim(&worker->udp->flows_slab);
    io_trim(worker->io);
    if (memory_to_spare(worker))
        arm_trim_timer(worker);
}

/* ---- the loop ---- */

int worker_turn(struct worker *worker, int64_t timeout_ms)
{
    const struct worker_shared *shared = worker->shared;
    int result;

    if (worker->admits)
        timeout_ms = 0;
    waiting_choose(&worker->waiting, worker->traffic.streams, worker->io);
    epoch_offline(shared->epoch, worker->index);
    result = io_wait(worker->io, timeout_ms);
    epoch_online(shared->epoch, worker->index);
    waiting_learn(&worker->waiting, worker->io);
    traffic_learn(&worker->traffic, worker->io);
    if (result < 0)
        return result;
    worker->snapshot = table_load(shared->table);
    io_dispatch(worker->io);
    timer_wheel_advance(&worker->timers, worker_now_ms(worker));
    if (worker->udp)
        udp_relay_send_replies(worker->udp);
    if (worker->admits)
        acceptor_admit(worker);
    if (!worker->trim_timer.armed && memory_to_spare(worker))
        arm_trim_timer(worker);
    return 0;
}

bool worker_drained(const struct worker *worker)
{
    return worker->draining && worker->acceptors_open == 0 && worker->sessions_slab.used == 0 && udp_drained(worker) && intake_ended(own_intake(worker));
}

static int run_loop(struct worker *worker)
{
    int result = 0;

    while (!worker_drained(worker) && result == 0)
        result = worker_turn(worker, timer_wheel_next(&worker->timers));
    if (result < 0)
        return result;

    io_close(worker->io, &worker->mail, false);
    while (worker->mail_open && result == 0)
        result = worker_turn(worker, -1);
    return result;
}

/* ---- start and end ---- */

static void pin_thread(const struct worker *worker)
{
    cpu_set_t set;

    if (worker->cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)worker->cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        log_warn("worker %u: cannot run on CPU %d alone: %s", worker->index, worker->cpu, strerrorname_np(errno));
}

struct io_options worker_io_options(const struct worker *worker)
{
    /* Two sockets per session, one per flow, the listening sockets, the mailbox, and some for sockets that are being closed while the next one is open. */
    return (struct io_options){
        .sockets_max = 2 * limit_max(worker->shared->connections) + limit_max(worker->shared->flows) + (uint32_t)worker->socket_count + 1024,
        .busy_polls = worker->shared->busy_poll_us > 0,
    };
}

int worker_prepare(struct worker *worker, struct io *io)
{
    const struct worker_shared *shared = worker->shared;
    int result;

    worker->io = io;
    timer_wheel_init(&worker->timers, worker_now_ms(worker));
    waiting_init(&worker->waiting, shared->busy_poll_us);
    slab_init(&worker->sessions_slab, sizeof(struct session), shared->sessions_max);
    replay_slab_init(&worker->replays_slab, shared->sessions_max);
    list_init(&worker->sessions);
    list_init(&worker->walks);
    timer_init(&worker->trim_timer, on_trim_timer);
    evict_init(worker);
    flush_init(worker);
    access_log_init(worker);
    result = pipe_pool_init(&worker->pipes, io, shared->pipes_max);
    if (result == 0)
        result = acceptor_open_all(worker);
    if (result == 0)
        result = udp_open_all(worker);
    return result;
}

/* What is left are queries, because the intake has ended. */
static void close_mailbox(struct worker *worker)
{
    struct mailbox *mailbox = &worker->shared->mailboxes[worker->index];
    struct mail mail;

    mailbox_close(mailbox);
    while (mailbox_take(mailbox, &mail))
        mail_dispose(&mail);
}

void worker_dismantle(struct worker *worker)
{
    survey_end_all(worker);
    close_mailbox(worker);
    udp_free(worker);
    pipe_pool_deinit(&worker->pipes);
    slab_deinit(&worker->sessions_slab);
    slab_deinit(&worker->replays_slab);
    free(worker->acceptors);
    io_free(worker->io);
}

static void log_busy_polls(const struct worker *worker)
{
    const struct waiting *waiting = &worker->waiting;

    if (waiting->polls > 0)
        log_info("worker %u: busy_poll: polled %" PRIu64 " times, %.1f s in all; %.0f %% of the polls found an event", worker->index, waiting->polls,
                 (double)waiting->polled_ns / 1e9, (double)waiting->polls_met * 100 / (double)waiting->polls);
}

/* Runs in the thread, because a ring belongs to the thread that made it. */
static int begin_thread(struct worker *worker)
{
    struct io_options options = worker_io_options(worker);
    int result;
    struct io *io = io_new(worker->shared->engine, &options, &result);

    if (!io)
        return result;
    worker->random = io->now_ns ^ (uint64_t)worker->index << 56;
    result = worker_prepare(worker, io);
    return result < 0 ? result : worker_open_mail(worker);
}

static void tell_end(const struct worker *worker)
{
    struct notice notice = {.kind = NOTICE_WORKER_ENDED, .worker = worker->index};
    bool posted = mailbox_post(worker->shared->control, &notice);

    assert(posted); /* the mailbox has room for one notice of each worker */
    (void)posted;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    int result;

    pin_thread(worker);
    result = begin_thread(worker);
    worker->start_error = result;
    (void)sem_post(&worker->started);
    if (result < 0) /* the process will end, which closes everything that was opened */
        return NULL;

    result = run_loop(worker);
    epoch_offline(worker->shared->epoch, worker->index);
    if (result < 0) {
        log_error("worker %u: its engine failed: %s; the process must be restarted", worker->index, strerrorname_np(-result));
        log_flush();
        abort();
    }
    log_busy_polls(worker);
    worker_dismantle(worker);
    tell_end(worker);
    return NULL;
}

struct worker *worker_start(const struct worker_options *options, int *error)
{
    struct worker *worker = aligned_alloc(64, (sizeof(*worker) + 63) / 64 * 64);
    sigset_t all, before;
    char name[16];

    if (!worker) {
        *error = -ENOMEM;
        return NULL;
    }
    *worker = (struct worker){
        .shared = options->shared,
        .index = options->index,
        .cpu = options->cpu,
        .counters = &options->shared->counters[options->index],
        .sockets = options->sockets,
        .socket_count = options->socket_count,
    };
    (void)sem_init(&worker->started, 0, 0);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    *error = -pthread_create(&worker->thread, NULL, worker_main, worker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (*error < 0)
        goto fail;
    (void)snprintf(name, sizeof(name), "worker-%u", worker->index);
    (void)pthread_setname_np(worker->thread, name);
    while (sem_wait(&worker->started) < 0)
        ;
    *error = worker->start_error;
    if (*error == 0)
        return worker;
    (void)pthread_join(worker->thread, NULL);

fail:
    (void)sem_destroy(&worker->started);
    free(worker);
    return NULL;
}

static void order_worker(const struct worker *worker, enum worker_order what)
{
    mailbox_order(&worker->shared->mailboxes[worker->index], (uint32_t)what);
}

void worker_accept(struct worker *worker)
{
    order_worker(worker, ORDER_ACCEPT);
}

void worker_continued(struct worker *worker)
{
    order_worker(worker, ORDER_CONTINUED);
}

void worker_drain(struct worker *worker)
{
    order_worker(worker, ORDER_DRAIN);
}

void worker_stop_now(struct worker *worker)
{
    order_worker(worker, ORDER_STOP);
}

void worker_join(struct worker *worker)
{
    if (!worker)
        return;
    (void)pthread_join(worker->thread, NULL);
    (void)sem_destroy(&worker->started);
    free(worker);
}
