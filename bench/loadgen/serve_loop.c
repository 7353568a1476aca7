/* serve_loop.c: the event loop of a serve thread, and accepting. Runs as that thread; owns its connections. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net.h"
#include "serve.h"
#include "units.h"

enum { EVENTS_MAX = 256, ACCEPTS_MAX = 64, ACCEPT_PAUSE_MS = 100 };

/* The data of an epoll event: a pointer to a connection, or a number below TAG_END. */
enum { TAG_STOP = SERVE_BINDS_MAX, TAG_END };

static void watch_listeners(struct serve_thread *thread, bool on)
{
    const struct serve_settings *settings = thread->settings;
    for (unsigned i = 0; i < settings->bind_count; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.u64 = i};
        epoll_ctl(thread->epoll_fd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, settings->listeners[i], &event);
    }
}

/* While no descriptor is free, a level-triggered listener would wake the thread again and again. The listeners are therefore removed from the epoll set. They
 * are added again when a connection is closed, or after ACCEPT_PAUSE_MS, because another process may have closed descriptors. */
static void pause_accept(struct serve_thread *thread)
{
    if (thread->accept_paused)
        return;
    thread->accept_paused = true;
    thread->accept_resume_ns = thread->now_ns + ACCEPT_PAUSE_MS * NS_PER_MS;
    thread->stats.accept_pauses++;
    watch_listeners(thread, false);
}

static void resume_accept(struct serve_thread *thread)
{
    if (!thread->accept_paused || thread->now_ns < thread->accept_resume_ns ||
        thread->conn_count >= thread->connections_max)
        return;
    thread->accept_paused = false;
    watch_listeners(thread, true);
}

static struct serve_conn *conn_new(struct serve_thread *thread, int fd)
{
    struct list *link = list_pop(&thread->spare);
    struct serve_conn *conn = link ? LIST_OWNER(link, struct serve_conn, open) : malloc(sizeof(*conn));
    if (!conn)
        return NULL;
    *conn = (struct serve_conn){.fd = fd};
    protocol_digest_init(&conn->digest);
    list_init(&conn->open);
    list_init(&conn->ready);
    list_init(&conn->waiting);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = conn};
    if (epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        list_append(&thread->spare, &conn->open);
        return NULL;
    }
    list_append(&thread->open, &conn->open);
    thread->conn_count++;
    return conn;
}

static void accept_some(struct serve_thread *thread, int listener)
{
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        if (thread->conn_count >= thread->connections_max) {
            pause_accept(thread);
            return;
        }
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
            pause_accept(thread);
        if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
            return;
        if (fd < 0)
            continue;
        net_nodelay(fd);
        thread->stats.accepted++;
        if (!conn_new(thread, fd)) {
            net_reset(fd);
            pause_accept(thread);
            return;
        }
    }
}

static void conn_event(struct serve_thread *thread, struct serve_conn *conn, uint32_t events)
{
    if (conn->fd < 0)
        return; /* closed earlier in this batch */
    bool waits = conn->in_service || conn->stalled || !list_empty(&conn->waiting);
    if (events & EPOLLERR || (events & EPOLLHUP && waits)) {
        /* Both directions are closed, so a reply cannot be delivered. EPOLLHUP alone does not show this: a UNIX socket also reports it when its peer closes
         * normally. */
        thread->stats.broken++;
        serve_conn_close(thread, conn, false);
        return;
    }
    if (events & (EPOLLRDHUP | EPOLLHUP))
        conn->peer_ended = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
        conn->readable = true;
    serve_conn_run(thread, conn);
}

static void run_timers(struct serve_thread *thread)
{
    for (struct timer *timer; (timer = timers_expired(&thread->timers, thread->now_ns)) != NULL;) {
        struct serve_conn *conn = LIST_OWNER(timer, struct serve_conn, timer);
        if (conn->in_service && serve_service_end(thread, conn) == SERVE_RESET)
            serve_conn_close(thread, conn, true);
        else
            serve_conn_run(thread, conn);
    }
}

static void run_ready(struct serve_thread *thread)
{
    struct list todo;
    list_take(&todo, &thread->ready);
    for (struct list *link; (link = list_pop(&todo)) != NULL;)
        serve_conn_run(thread, LIST_OWNER(link, struct serve_conn, ready));
}

static int wait_events(struct serve_thread *thread, struct epoll_event *events)
{
    uint64_t until_ns = timers_next_ns(&thread->timers);
    if (thread->accept_paused && thread->accept_resume_ns < until_ns && thread->conn_count < thread->connections_max)
        until_ns = thread->accept_resume_ns;
    uint64_t wait_ns = !list_empty(&thread->ready) || until_ns <= thread->now_ns ? 0 : until_ns - thread->now_ns;
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / NS_PER_S), .tv_nsec = (long)(wait_ns % NS_PER_S)};
    return epoll_pwait2(thread->epoll_fd, events, EVENTS_MAX, until_ns == UINT64_MAX && wait_ns > 0 ? NULL : &wait,
                        NULL);
}

static void free_all(struct serve_thread *thread)
{
    while (!list_empty(&thread->open))
        serve_conn_close(thread, LIST_OWNER(thread->open.next, struct serve_conn, open), false);
    struct list *lists[] = {&thread->dead, &thread->spare};
    for (int i = 0; i < 2; i++)
        for (struct list *link; (link = list_pop(lists[i])) != NULL;)
            free(LIST_OWNER(link, struct serve_conn, open));
}

static bool dispatch_events(struct serve_thread *thread, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == TAG_STOP)
            return false;
        if (events[i].data.u64 < TAG_END)
            accept_some(thread, thread->settings->listeners[events[i].data.u64]);
        else
            conn_event(thread, events[i].data.ptr, events[i].events);
    }
    return true;
}

int serve_loop(struct serve_thread *thread)
{
    struct list *lists[] = {&thread->open, &thread->ready, &thread->waiting, &thread->dead, &thread->spare};
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        list_init(lists[i]);
    int result = timers_init(&thread->timers, (unsigned)thread->connections_max);
    if (result < 0)
        return result;
    thread->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (thread->epoll_fd < 0) {
        result = -errno;
        timers_deinit(&thread->timers);
        return result;
    }
    struct epoll_event stop = {.events = EPOLLIN, .data.u64 = TAG_STOP}, events[EVENTS_MAX];
    epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, thread->settings->stop_fd, &stop);
    watch_listeners(thread, true);
    thread->now_ns = clock_now_ns();
    for (int count = 0; dispatch_events(thread, events, count);) {
        run_timers(thread);
        run_ready(thread);
        resume_accept(thread);
        for (struct list *link; (link = list_pop(&thread->dead)) != NULL;)
            list_append(&thread->spare, link);
        count = wait_events(thread, events);
        thread->now_ns = clock_now_ns();
    }
    free_all(thread);
    timers_deinit(&thread->timers);
    close(thread->epoll_fd);
    return 0;
}
