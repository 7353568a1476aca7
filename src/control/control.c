/* control/control.c: the main thread of `penstock run`. Owns the listening sockets, the log, the table, the health thread and the workers, which start in this
 * order. A stop ends the health thread first and the log last. */
#include "control/control.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "control/admin_sockets.h"
#include "control/announce.h"
#include "control/capacity.h"
#include "control/change.h"
#include "control/cpus.h"
#include "control/identity.h"
#include "control/links.h"
#include "control/sockets.h"
#include "control/start_log.h"
#include "health/health.h"
#include "log/log.h"
#include "select/selector.h"
#include "table/counters.h"
#include "table/epoch.h"
#include "table/intake.h"
#include "table/limit.h"
#include "table/mailbox.h"
#include "table/notice.h"
#include "table/shortage.h"
#include "table/table.h"
#include "worker/worker.h"

#define STOP_REPEAT_NS ((uint64_t)1000000000)

struct control {
    const struct config *config;
    const char *config_path;
    int signal_fd;
    struct mailbox mailbox;    /* notices from workers */
    struct changes changes;    /* the configuration in force; `config` is the one at the start */
    struct sockets sockets;
    struct capacity capacity;
    struct io_choice engine;
    struct limit connections, flows;
    struct limit_workers waiters; /* the workers, at limits */
    struct health_workers evictors; /* the workers, for health */
    struct shortage shortage;
    struct epoch *epoch;
    struct counters *counters;
    struct intake *intakes;
    struct table *table;
    struct mailbox *mailboxes;
    struct health *health;
    struct worker_shared shared;
    struct worker **workers;
    unsigned started, ended;   /* numbers of workers */
    struct admin_sockets admin_sockets;
    struct links linked;       /* what the admin thread reaches */
    struct admin_links links;
    struct admin *admin;       /* NULL: both of its sockets are off */
};

/* ---- start ---- */

/* Signals are read from a descriptor. Every thread inherits the mask. SIGPIPE is ignored because splice(2) raises it. */
static int start_signals(struct control *control)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGUSR2);
    (void)sigaddset(&set, SIGCONT);
    (void)sigaddset(&set, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* never unblocked: a late signal must not change the exit status */
    (void)sigdelset(&set, SIGPIPE);
    (void)signal(SIGPIPE, SIG_IGN);
    control->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (control->signal_fd >= 0)
        return 0;
    log_error("cannot create the descriptor for signals: %s%s", strerror(errno),
              errno == EMFILE ? "; raise the limit on open files (ulimit -n, LimitNOFILE=)" : "");
    return -1;
}

static int start_engine(struct control *control)
{
    int wanted = control->config->engine == CONFIG_ENGINE_IO_URING ? (int)IO_URING : control->config->engine == CONFIG_ENGINE_EPOLL ? (int)IO_EPOLL : -1;

    if (io_choose(wanted, &control->engine) == 0)
        return 0;
    log_error("engine = io_uring: %s; allow it, or set engine = auto or epoll", control->engine.reason);
    return -1;
}

/* The number of messages is a power of two, at least 2. */
static int open_mailbox(struct control *control)
{
    struct mailbox_options options = {.capacity = 2, .message_bytes = sizeof(struct notice)};

    while (options.capacity < control->config->workers) /* each worker posts at most one notice */
        options.capacity *= 2;
    return mailbox_init(&control->mailbox, &options);
}

/* Returns the first port of the kernel's range for outgoing connections. */
static uint16_t outgoing_port_min(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    unsigned first = 0;

    if (!file)
        return 1024;
    if (fscanf(file, "%u", &first) != 1 || first > UINT16_MAX)
        first = 1024;
    (void)fclose(file);
    return (uint16_t)first;
}

/* Creates what all workers share. */
static int start_table(struct control *control)
{
    const struct config *config = control->config;

    control->epoch = epoch_new(config->workers);
    control->counters = counters_new(config->workers);
    control->intakes = intake_new(config->workers);
    control->mailboxes = worker_mailboxes_new(config->workers);
    control->workers = calloc(config->workers, sizeof(*control->workers));
    control->waiters = (struct limit_workers){.count = config->workers, .tell = worker_tell_of_place, .context = control->mailboxes};
    limit_init(&control->connections, control->capacity.connections);
    limit_init_flows(&control->flows, control->capacity.flows);
    if (control->epoch)
        control->table = table_new(control->epoch, &selector_prepare);
    if (control->table)
        table_let_wait(control->table, &control->waiters);
    if (!control->table || limit_let_wait(&control->connections, &control->waiters) < 0 || table_apply(control->table, config, NULL) < 0 ||
        !control->counters || !control->intakes || !control->mailboxes || !control->workers || open_mailbox(control) < 0)
        goto fail;
    control->shared = (struct worker_shared){
        .engine = &control->engine,
        .table = control->table,
        .epoch = control->epoch,
        .counters = control->counters,
        .intakes = control->intakes,
        .mailboxes = control->mailboxes,
        .connections = &control->connections,
        .flows = &control->flows,
        .shortage = &control->shortage,
        .workers = config->workers,
        .sessions_max = control->capacity.connections,
        .pipes_max = control->capacity.pipes / config->workers, /* at least one: capacity_plan() */
        .busy_poll_us = config->busy_poll_us,
        .access = {.sample_percent = config->access_log_sample_percent, .every_ms = config->access_log_every_ms, .at_open = config->access_log_open,
                   .tcp_info = config->access_log_tcp_info},
        .loopback_congestion = control->sockets.loopback_congestion,
        .outgoing_port_min = outgoing_port_min(),
        .control = &control->mailbox,
    };
    return 0;

fail:
    log_error("out of memory or descriptors while starting; raise the limits (ulimit -n, LimitNOFILE=, MemoryMax=), or set fewer workers or max_connections");
    return -1;
}

static int start_health(struct control *control)
{
    int error;

    control->evictors = (struct health_workers){.count = control->config->workers, .evict = worker_order_evictions, .context = control->mailboxes,
                                               .counters = control->counters};
    control->health = health_start(control->table, &control->evictors, control->config->probes_max, &error);
    if (control->health) {
        control->shared.tell_of_failure = health_tell_of_failure;
        control->shared.health = control->health;
        return 0;
    }
    log_error("cannot start the health thread: %s; raise the limits on threads and memory (ulimit -u, TasksMax=, MemoryMax=)", strerror(-error));
    return -1;
}

static int start_workers(struct control *control)
{
    size_t count = sockets_per_worker(&control->sockets);
    struct worker_socket *sockets = calloc(count ? count : 1, sizeof(*sockets));
    int error = -ENOMEM;

    for (unsigned i = 0; sockets && i < control->config->workers; i++) {
        struct worker_options options = {
            .shared = &control->shared,
            .index = i,
            .cpu = cpus_of_worker(control->config, i),
            .sockets = sockets,
            .socket_count = count,
        };

        sockets_take(&control->sockets, control->table, sockets);
        control->workers[i] = worker_start(&options, &error);
        if (!control->workers[i])
            break;
        control->started++;
    }
    free(sockets);
    if (control->started == control->config->workers)
        return 0;
    log_error("cannot start worker %u: %s; raise the limits on threads, memory and open files (ulimit -u -l -n; TasksMax=, LimitMEMLOCK=, "
              "LimitNOFILE=), or set fewer workers", control->started, strerror(-error));
    return -1;
}

/* The admin thread already answers before clients are accepted, but says that Penstock is not ready. */
static int start_admin(struct control *control)
{
    struct admin_options options = {
        .facts = {
            .version = PENSTOCK_VERSION,
            .engine = control->engine.kind == IO_URING ? "io_uring" : "epoll",
            .config_path = control->config_path,
            .workers = control->config->workers,
            .sessions_max = control->capacity.connections,
            .flows_max = control->capacity.flows,
            .started_ns = clock_now_ns(),
        },
        .links = &control->links,
        .admin_fd = control->admin_sockets.admin_fd,
        .http_fd = control->admin_sockets.http_fd,
    };
    int error;

    error = changes_init(&control->changes, control->config, control->health);
    if (error < 0)
        goto fail;
    if (options.admin_fd < 0 && options.http_fd < 0)
        return 0;
    (void)clock_gettime(CLOCK_REALTIME, &options.facts.started);
    control->linked = (struct links){.shared = &control->shared, .health = control->health, .changes = &control->changes};
    links_make(&control->links, &control->linked);
    control->admin_sockets.admin_fd = control->admin_sockets.http_fd = -1; /* the admin thread owns them */
    control->admin = admin_start(&options, &error);
    if (control->admin)
        return 0;
fail:
    log_error("cannot start the admin thread: %s; raise the limits on threads, memory and open files (ulimit -u -n; TasksMax=, MemoryMax=, LimitNOFILE=)",
              strerror(-error));
    return -1;
}

/* Does everything that can fail before anything that other processes can notice. */
static int start_all(struct control *control)
{
    const struct config *config = control->config;
    struct sockets_plan plan = sockets_plan(config);
    struct identity identity;

    if (capacity_plan(&control->capacity, config, plan.configured, plan.beside) < 0 || start_signals(control) < 0 || cpus_check(config) < 0 ||
        identity_find(&identity, config) < 0)
        return -1;
    if (!control->capacity.spare)
        plan.beside = 0;
    if (sockets_open(&control->sockets, config, &plan) < 0)
        return -1;
    /* Only if a user or group is configured: otherwise a directory with the set-group-ID bit determines the group of the files. */
    if ((config->user || config->group) && sockets_give(&control->sockets, identity.user, identity.group) < 0)
        return -1;
    if (admin_sockets_open(&control->admin_sockets, config, &identity) < 0 || identity_become(&identity, config) < 0)
        return -1;
    /* The process has its final user now, so a missing permission for a ring or a log file shows here and not later. */
    if (start_engine(control) < 0 || start_log(config) < 0 || start_table(control) < 0 || start_health(control) < 0 || start_workers(control) < 0)
        return -1;
    if (start_admin(control) < 0 || sockets_listen(&control->sockets, config) < 0)
        return -1;
    for (unsigned i = 0; i < control->started; i++)
        worker_accept(control->workers[i]);
    admin_set_state(control->admin, ADMIN_RUNNING);
    return 0;
}

/* ---- stop ---- */

static void drain_workers(struct control *control)
{
    for (unsigned i = 0; i < control->started; i++)
        worker_drain(control->workers[i]);
}

static void stop_workers(struct control *control)
{
    for (unsigned i = 0; i < control->started; i++)
        worker_stop_now(control->workers[i]);
}

static uint32_t active_sessions(const struct control *control)
{
    uint32_t active = 0;

    for (unsigned i = 0; i < control->started; i++)
        active += counters_active(&control->counters[i]);
    return active;
}

static void stop_all(struct control *control)
{
    changes_close(&control->changes); /* so that the admin thread does not wait for this one */
    admin_stop(control->admin); /* first, because it asks all others */
    for (unsigned i = 0; i < control->started; i++)
        worker_join(control->workers[i]);
    health_stop(control->health); /* after the workers, which tell it of failures */
    changes_deinit(&control->changes);
    sockets_close(&control->sockets);
    admin_sockets_close(&control->admin_sockets);
    worker_mailboxes_free(control->mailboxes, control->config->workers);
    mailbox_deinit(&control->mailbox);
    table_free(control->table);
    epoch_free(control->epoch);
    counters_free(control->counters);
    intake_free(control->intakes);
    limit_deinit(&control->connections);
    free(control->workers);
    log_stop();
    if (control->signal_fd >= 0)
        (void)close(control->signal_fd);
}

/* ---- the loop ---- */

/* Returns the next pending signal, or 0. */
static int take_signal(const struct control *control)
{
    struct signalfd_siginfo info;

    return read(control->signal_fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

static bool is_stop(int signal)
{
    return signal == SIGTERM || signal == SIGINT;
}

static void tell_continued(const struct control *control)
{
    log_info("CONT: resumed; the workers check whether they missed events");
    for (unsigned i = 0; i < control->started; i++)
        worker_continued(control->workers[i]);
}

/* Handles the signals that do not stop the process. */
static void handle_signal(const struct control *control, int signal)
{
    if (signal == SIGUSR1)
        log_reopen();
    else if (signal == SIGCONT)
        tell_continued(control);
    else if (signal == SIGHUP || signal == SIGUSR2)
        log_warn("%s: ignored: this version cannot %s while it runs; restart penstock", sigabbrev_np(signal),
                 signal == SIGHUP ? "reload its configuration" : "be upgraded");
}

static void read_notices(struct control *control)
{
    struct notice notice;

    mailbox_clear(&control->mailbox);
    while (mailbox_take(&control->mailbox, &notice)) {
        switch (notice.kind) {
        case NOTICE_WORKER_ENDED:
            control->ended++;
            break;
        }
    }
}

/* Waits for a signal, a notice, or the deadline (clock_now_ns(); 0: none). Answers what the admin thread asks. */
static void wait_for_news(struct control *control, uint64_t deadline_ns)
{
    struct pollfd fds[] = {{.fd = control->signal_fd, .events = POLLIN}, {.fd = control->mailbox.event_fd, .events = POLLIN},
                           {.fd = control->changes.mailbox.event_fd, .events = POLLIN}};
    uint64_t now = clock_now_ns();
    int timeout_ms = -1;

    if (deadline_ns)
        timeout_ms = now >= deadline_ns ? 0 : deadline_ns - now > (uint64_t)3600 * 1000000000 ? 3600000 : (int)((deadline_ns - now) / 1000000 + 1);
    if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms) > 0 && fds[2].revents != 0)
        changes_answer(&control->changes);
}

/* Writes how many flows are open, or nothing if there are no UDP listeners. */
static const char *count_flows(const struct control *control, char *text, size_t size)
{
    text[0] = '\0';
    if (control->capacity.flows > 0)
        (void)snprintf(text, size, " and %" PRIu32 " UDP flows", limit_used(&control->flows));
    return text;
}

/* Logs what became of all datagrams. */
static void tell_datagrams(const struct control *control)
{
    uint64_t flows = 0, in = 0, out = 0, lost = 0, refused = 0;

    for (unsigned i = 0; i < control->started; i++) {
        const struct counters *counters = &control->counters[i];

        flows += counters_read(&counters->flows);
        in += counters_read(&counters->datagrams[0]);
        out += counters_read(&counters->datagrams[1]);
        lost += counters_read(&counters->datagrams_lost);
        refused += counters_read(&counters->flows_refused);
    }
    if (control->capacity.flows > 0)
        log_info("UDP: %" PRIu64 " flows, %" PRIu64 " datagrams to backends, %" PRIu64 " to clients, %" PRIu64 " dropped, %" PRIu64 " of these at limits",
                 flows, in, out, lost, refused);
}

/* Waits while /readyz says that Penstock is about to stop, so that other load balancers send no more clients. Returns whether a second signal has ended it. */
static bool await_lame_duck(struct control *control, int signal)
{
    uint64_t deadline = clock_now_ns() + (uint64_t)control->config->lame_duck_ms * 1000000;

    if (control->config->lame_duck_ms == 0)
        return false;
    log_info("%s: not ready any more; accepting stops in %u ms (lame_duck)", sigabbrev_np(signal), control->config->lame_duck_ms);
    admin_set_state(control->admin, ADMIN_LAME_DUCK);
    while (clock_now_ns() < deadline) {
        wait_for_news(control, deadline);
        signal = take_signal(control);
        handle_signal(control, signal);
        if (is_stop(signal))
            return true;
    }
    return false;
}

static void drain_sessions(struct control *control, int signal)
{
    bool second = await_lame_duck(control, signal);
    uint32_t timeout_ms = second ? 0 : control->config->drain_timeout_ms;
    uint64_t deadline = clock_now_ns() + (uint64_t)timeout_ms * 1000000;
    char flows[32];

    admin_set_state(control->admin, ADMIN_DRAINING);
    changes_refuse(&control->changes);
    log_info("%s: accepting stops; %" PRIu32 " open connections%s have %u ms to end", sigabbrev_np(signal), active_sessions(control),
             count_flows(control, flows, sizeof(flows)), timeout_ms);
    drain_workers(control);
    while (control->ended < control->started) {
        wait_for_news(control, deadline);
        read_notices(control);
        signal = take_signal(control);
        handle_signal(control, signal);
        second |= is_stop(signal);
        if (control->ended < control->started && (is_stop(signal) || clock_now_ns() >= deadline)) {
            log_warn("%s: closing %" PRIu32 " connections%s that are still open", second ? "second signal" : "drain_timeout is over",
                     active_sessions(control), count_flows(control, flows, sizeof(flows)));
            stop_workers(control);
            deadline = clock_now_ns() + STOP_REPEAT_NS; /* then repeat it for the workers that still run */
        }
    }
    tell_datagrams(control);
    log_info("stopped");
}

int control_run(const struct config *config, const char *path)
{
    struct control control = {.config = config, .config_path = path, .signal_fd = -1, .admin_sockets = admin_sockets_none()};
    int signal = 0;

    if (start_all(&control) < 0) {
        announce_warnings(config); /* a value that was not intended may be the reason */
        stop_workers(&control);
        stop_all(&control);
        return 1;
    }
    log_started();
    announce_start(config, control.engine.reason, &control.capacity, control.admin_sockets.warning);
    while (!is_stop(signal)) {
        wait_for_news(&control, 0);
        signal = take_signal(&control);
        handle_signal(&control, signal);
    }
    drain_sessions(&control, signal);
    stop_all(&control);
    return 0;
}
