/* serve_conn.c: a connection of the server sends its pending output, reads, and is closed. A serve thread; owns the connection. */
#include "serve.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "units.h"

/* Limits the turns of a connection in one call, because a fast peer could otherwise keep the thread busy with one connection. */
enum { TURNS_MAX = 16 };

void serve_conn_close(struct serve_thread *thread, struct serve_conn *conn, bool reset)
{
    assert(conn->fd >= 0);
    timers_clear(&thread->timers, &conn->timer);
    list_remove(&conn->ready);
    if (reset)
        net_reset(conn->fd);
    else
        close(conn->fd);
    conn->fd = -1;
    free(conn->held);
    conn->held = NULL;
    /* The connection is not reused before the next wait, because the current batch may still contain an event for it. */
    list_append(&thread->dead, &conn->open);
    thread->conn_count--;
    thread->accept_resume_ns = 0; /* a descriptor is free, so accepting may resume at once */
    serve_service_abandon(thread, conn);
}

/* Returns how many bytes a slow reader may read now, or 0 after setting its timer. */
static size_t read_allowance(struct serve_thread *thread, struct serve_conn *conn)
{
    const struct serve_settings *settings = thread->settings;
    if (settings->fault != FAULT_SLOW_READ)
        return SERVE_BUFFER_BYTES;
    if (thread->now_ns < conn->read_after_ns) {
        timers_set(&thread->timers, &conn->timer, conn->read_after_ns);
        return 0;
    }
    uint64_t tenth = settings->fault_every / 10;
    return tenth == 0 ? 1 : tenth < SERVE_BUFFER_BYTES ? (size_t)tenth : SERVE_BUFFER_BYTES;
}

static enum serve_step read_some(struct serve_thread *thread, struct serve_conn *conn, bool *blocked)
{
    size_t allowance = read_allowance(thread, conn);
    if (allowance == 0) {
        *blocked = true;
        return SERVE_GO_ON;
    }
    ssize_t got = recv(conn->fd, thread->buffer, allowance, 0);
    if (got < 0) {
        if (errno == EINTR)
            return SERVE_GO_ON;
        if (errno != EAGAIN)
            return SERVE_FAILED;
        conn->readable = false;
        *blocked = true;
        return SERVE_GO_ON;
    }
    if (got == 0) {
        conn->ended = true;
        return SERVE_GO_ON;
    }
    thread->stats.received_bytes += (uint64_t)got;
    /* A short read has emptied the socket, and epoll reports new data by a new edge. After the end of the peer's stream there is no new edge, so recv() is
     * called until it returns 0. */
    if ((size_t)got < allowance && !conn->peer_ended)
        conn->readable = false;
    if (thread->settings->fault == FAULT_SLOW_READ)
        conn->read_after_ns = thread->now_ns + (uint64_t)got * NS_PER_S / thread->settings->fault_every;
    return thread->settings->mode->input(thread, conn, thread->buffer, (size_t)got);
}

static enum serve_step run_turn(struct serve_thread *thread, struct serve_conn *conn, bool *blocked)
{
    if (conn->stalled || conn->in_service || !list_empty(&conn->waiting)) {
        *blocked = true;
        return SERVE_GO_ON;
    }
    if (conn->out_sent < conn->out_bytes)
        return serve_output(thread, conn, blocked);
    if (conn->ended)
        return thread->settings->mode->end(thread, conn);
    if (conn->readable)
        return read_some(thread, conn, blocked);
    *blocked = true;
    return SERVE_GO_ON;
}

void serve_conn_run(struct serve_thread *thread, struct serve_conn *conn)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        bool blocked = false;
        enum serve_step step = run_turn(thread, conn, &blocked);
        if (step != SERVE_GO_ON) {
            thread->stats.broken += step == SERVE_FAILED;
            serve_conn_close(thread, conn, step == SERVE_RESET);
            return;
        }
        if (blocked)
            return;
    }
    list_append(&thread->ready, &conn->ready);
}
