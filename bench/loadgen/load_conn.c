/* load_conn.c: a connection of the load generator is opened, sends requests, and receives replies. A load thread; owns the descriptor. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "load.h"
#include "net.h"
#include "units.h"

/* TURNS_MAX limits the turns of a connection in one call, because a fast peer could otherwise keep the thread busy with one connection. BACKLOG_FULL_MS is the
 * delay before a UNIX socket whose backlog was full is tried again. */
enum { TURNS_MAX = 32, BACKLOG_FULL_MS = 2 };

void load_conn_close(struct load_thread *thread, struct load_conn *conn)
{
    list_remove(&conn->link);
    list_remove(&conn->ready);
    thread->connecting -= conn->state == CONN_CONNECTING;
    thread->open_count -= conn->state == CONN_OPEN;
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    conn->state = CONN_CLOSED;
}

void load_conn_begin(struct load_thread *thread, struct load_conn *conn, uint64_t intended_ns)
{
    conn->has_request = true;
    conn->serial++;
    conn->attempts = 0;
    conn->intended_ns = intended_ns;
    conn->deadline_ns = intended_ns + thread->settings->timeout_ns;
    thread->unfinished++;
    thread->settings->work->begin(thread, conn);
}

static void connection_opened(struct load_thread *thread, struct load_conn *conn)
{
    struct load_result *result = thread->result;
    conn->state = CONN_OPEN;
    conn->named = false;
    thread->connecting--;
    if (++thread->open_count > result->open_peak)
        result->open_peak = thread->open_count;
    result->connects++;
    result->reconnects += conn->backoff > 0;
    load_settle(thread, conn);
    if (conn->has_request) {
        thread->settings->work->begin(thread, conn);
    } else {
        conn->attempts = 0;
        load_pace_free(thread, conn);
    }
    if (conn->state == CONN_OPEN)
        load_conn_run(thread, conn);
}

void load_conn_open(struct load_thread *thread, struct load_conn *conn)
{
    bool connected;
    int fd = net_connect(&thread->settings->target, &connected);
    if (fd == -EAGAIN) {
        load_wait(thread, conn, BACKLOG_FULL_MS * NS_PER_MS);
        return;
    }
    if (fd < 0) {
        load_fail_errno(thread, conn, -fd);
        return;
    }
    conn->fd = fd;
    conn->state = CONN_CONNECTING;
    conn->readable = conn->peer_ended = false;
    thread->connecting++;
    if (!conn->has_request || thread->settings->work->bulk)
        conn->deadline_ns = thread->now_ns + thread->settings->timeout_ns;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = conn};
    if (epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        load_fail_errno(thread, conn, errno);
    else if (connected)
        connection_opened(thread, conn);
}

/* Handles a reply that is complete and correct. */
static void request_complete(struct load_thread *thread, struct load_conn *conn)
{
    struct load_result *result = thread->result;
    thread->now_ns = clock_now_ns();
    if (conn->intended_ns >= thread->measure_ns) {
        uint64_t latency_ns = thread->now_ns - conn->intended_ns;
        result->requests++;
        result->elapsed_ns = thread->now_ns - thread->measure_ns;
        histogram_record(&result->latency, latency_ns);
        load_count_name(thread, conn);
    } else {
        result->warmup_requests++;
    }
    conn->has_request = false;
    conn->attempts = conn->backoff = 0;
    thread->unfinished--;
    if (!thread->settings->work->persistent)
        load_conn_close(thread, conn);
    load_pace_free(thread, conn);
}

/* Returns false if the connection failed or was closed. */
static bool take_step(struct load_thread *thread, struct load_conn *conn, enum load_step step)
{
    switch (step) {
    case LOAD_GO_ON:
    case LOAD_BLOCKED:
        return true;
    case LOAD_DONE:
        if (conn->sending) {
            load_wrong(thread, conn, 0, "answer before the end of the request");
            load_fail(thread, conn, LOAD_WRONG);
            return false;
        }
        request_complete(thread, conn);
        return conn->state == CONN_OPEN;
    case LOAD_FAILED_WRONG:
        load_fail(thread, conn, LOAD_WRONG);
        return false;
    case LOAD_FAILED_EOF:
        load_fail(thread, conn, LOAD_EOF);
        return false;
    case LOAD_FAILED_ERRNO:
        load_fail_errno(thread, conn, errno);
        return false;
    }
    return false;
}

static enum load_step receive_some(struct load_thread *thread, struct load_conn *conn)
{
    ssize_t got = recv(conn->fd, thread->buffer, sizeof(thread->buffer), 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            return LOAD_FAILED_ERRNO;
        conn->readable = errno == EINTR;
        return LOAD_BLOCKED;
    }
    if (got == 0)
        return conn->has_request ? thread->settings->work->end(thread, conn) : LOAD_FAILED_EOF;
    thread->result->received_bytes += (uint64_t)got;
    /* A short read has emptied the socket, and epoll reports new data by a new edge. After the end of the peer's stream there is no new edge, so recv() is
     * called until it returns 0. */
    if ((size_t)got < sizeof(thread->buffer) && !conn->peer_ended)
        conn->readable = false;
    if (!conn->has_request)
        return load_wrong(thread, conn, 0, "byte that nobody asked for");
    return thread->settings->work->receive(thread, conn, thread->buffer, (size_t)got);
}

void load_conn_run(struct load_thread *thread, struct load_conn *conn)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        bool progress = false;
        if (conn->sending && conn->has_request) {
            enum load_step step = thread->settings->work->send(thread, conn);
            if (!take_step(thread, conn, step))
                return;
            progress = step == LOAD_GO_ON;
        }
        if (conn->readable) {
            enum load_step step = receive_some(thread, conn);
            if (!take_step(thread, conn, step))
                return;
            progress |= step != LOAD_BLOCKED;
        }
        if (!progress)
            return;
        if (thread->settings->work->bulk)
            conn->deadline_ns = thread->now_ns + thread->settings->timeout_ns;
        if (!conn->readable && !conn->sending)
            return;
    }
    list_append(&thread->ready, &conn->ready);
}

void load_conn_event(struct load_thread *thread, struct load_conn *conn, uint32_t events)
{
    if (conn->fd < 0)
        return; /* closed earlier in this batch */
    if (conn->state == CONN_CONNECTING) {
        int error = events & (EPOLLERR | EPOLLHUP) ? net_error(conn->fd) : 0;
        if (error != 0) {
            load_fail_errno(thread, conn, error);
            return;
        }
        if (!(events & (EPOLLOUT | EPOLLHUP)))
            return;
    }
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        conn->peer_ended = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        conn->readable = true;
    if (conn->state == CONN_CONNECTING)
        connection_opened(thread, conn);
    else
        load_conn_run(thread, conn);
}
