/* load_loop.c: the event loop of a load thread, from the opening of connections to the last answer. Runs as that
 * thread; owns its connections. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "load.h"
#include "units.h"

/* CONNECTING_MAX is so small that opening many connections does not overflow a backlog. */
enum { EVENTS_MAX = 256, CONNECTING_MAX = 256, TICK_MS = 50, WAITING_MS = 2 };

static int prepare_thread(struct load_thread *thread)
{
    list_init(&thread->idle);
    list_init(&thread->waiting);
    list_init(&thread->ready);
    thread->conns = calloc(thread->conn_count, sizeof(*thread->conns));
    if (!thread->conns)
        return -ENOMEM;
    for (uint64_t i = 0; i < thread->conn_count; i++) {
        struct load_conn *conn = &thread->conns[i];
        conn->fd = -1;
        conn->index = (uint32_t)(thread->first_index + i);
        list_init(&conn->link);
        list_init(&conn->ready);
    }
    thread->living = thread->unsettled = thread->conn_count;
    thread->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (thread->epoll_fd < 0)
        return -errno;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    return epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, thread->settings->stop_fd, &event) < 0 ? -errno : 0;
}

/* Connections that carry many requests are all opened before the clock starts. The clock starts at the latest when the timeout has passed. */
static void open_more(struct load_thread *thread)
{
    while (thread->opened_to < thread->conn_count && thread->connecting < CONNECTING_MAX)
        load_conn_open(thread, &thread->conns[thread->opened_to++]);
    if (!thread->running && (thread->unsettled == 0 || thread->now_ns >= thread->opening_end_ns))
        load_pace_start(thread);
}

static void publish_counts(struct load_thread *thread)
{
    const struct load_result *result = thread->result;
    struct load_shared *shared = &thread->shared;
    pthread_mutex_lock(&shared->lock);
    shared->requests = result->requests + result->warmup_requests;
    shared->errors = shared->retries = 0;
    for (int i = 0; i < LOAD_ERRORS; i++) {
        shared->errors += result->errors[i];
        shared->retries += result->retries[i];
    }
    shared->bytes = result->verified_bytes;
    shared->open = thread->open_count;
    shared->latency_sum_ns = result->latency.sum_ns;
    pthread_mutex_unlock(&shared->lock);
}

/* A run that is limited only by a number of requests would not end if no connection could be opened. It is ended when none has been open for the timeout. */
static void end_if_nothing_opens(struct load_thread *thread)
{
    const struct load_settings *settings = thread->settings;
    if (!thread->running || thread->open_count > 0)
        thread->alive_ns = thread->now_ns;
    else if (settings->duration_ns == 0 && settings->work->persistent &&
             thread->now_ns - thread->alive_ns >= settings->timeout_ns)
        load_pace_stop(thread);
}

static void run_tick(struct load_thread *thread)
{
    if (thread->now_ns < thread->next_tick_ns)
        return;
    thread->next_tick_ns = thread->now_ns + TICK_MS * NS_PER_MS;
    load_check_deadlines(thread);
    end_if_nothing_opens(thread);
    publish_counts(thread);
}

static bool is_finished(const struct load_thread *thread)
{
    return thread->running && thread->unfinished == 0 && (!load_pace_may_begin(thread) || thread->living == 0);
}

static int wait_events(struct load_thread *thread, struct epoll_event *events)
{
    uint64_t until_ns = thread->next_tick_ns, next_ns = load_pace_next_ns(thread);
    if (!list_empty(&thread->waiting) && until_ns > thread->now_ns + WAITING_MS * NS_PER_MS)
        until_ns = thread->now_ns + WAITING_MS * NS_PER_MS;
    if (next_ns < until_ns)
        until_ns = next_ns;
    if (thread->running && thread->end_ns > thread->now_ns && thread->end_ns < until_ns)
        until_ns = thread->end_ns;
    uint64_t wait_ns = !list_empty(&thread->ready) || until_ns <= thread->now_ns ? 0 : until_ns - thread->now_ns;
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / NS_PER_S), .tv_nsec = (long)(wait_ns % NS_PER_S)};
    return epoll_pwait2(thread->epoll_fd, events, EVENTS_MAX, &wait, NULL);
}

static void dispatch_events(struct load_thread *thread, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr) {
            load_conn_event(thread, events[i].data.ptr, events[i].events);
            continue;
        }
        /* The descriptor stays readable, so handle it once. */
        epoll_ctl(thread->epoll_fd, EPOLL_CTL_DEL, thread->settings->stop_fd, NULL);
        load_pace_stop(thread);
    }
    struct list todo;
    list_take(&todo, &thread->ready);
    for (struct list *link; (link = list_pop(&todo)) != NULL;)
        load_conn_run(thread, LIST_OWNER(link, struct load_conn, ready));
}

static void run_loop(struct load_thread *thread)
{
    struct epoll_event events[EVENTS_MAX];
    thread->now_ns = clock_now_ns();
    thread->opening_end_ns = thread->now_ns + thread->settings->timeout_ns;
    thread->next_tick_ns = thread->now_ns + TICK_MS * NS_PER_MS;
    if (!thread->settings->work->persistent) {
        thread->opened_to = thread->conn_count; /* each connection is opened together with its request */
        thread->unsettled = 0;
        for (uint64_t i = 0; i < thread->conn_count; i++)
            list_append(&thread->idle, &thread->conns[i].link);
    }
    for (;;) {
        load_run_waiting(thread);
        open_more(thread);
        load_pace_dispatch(thread);
        if (is_finished(thread))
            return;
        int count = wait_events(thread, events);
        thread->now_ns = clock_now_ns();
        dispatch_events(thread, events, count);
        run_tick(thread);
    }
}

void load_loop(struct load_thread *thread)
{
    int result = prepare_thread(thread);
    if (result == 0) {
        run_loop(thread);
        load_pace_expire(thread);
        publish_counts(thread);
        for (uint64_t i = 0; i < thread->conn_count; i++)
            load_conn_close(thread, &thread->conns[i]);
    }
    thread->result_errno = -result;
    if (thread->epoll_fd > 0)
        close(thread->epoll_fd);
    free(thread->conns);
    thread->conns = NULL;
}
