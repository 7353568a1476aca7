/* load_fail.c: handles broken connections, their requests, and deadlines. A load thread; owns the list of waiting connections. */
#include <errno.h>

#include "load.h"
#include "units.h"

enum { BACKOFF_FIRST_MS = 10, BACKOFF_MAX_MS = 200 };

static enum load_error error_of(int error_number)
{
    switch (error_number) {
    case ECONNREFUSED:
    case ENOENT: /* the file of a UNIX socket does not exist */
        return LOAD_REFUSED;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
        return LOAD_RESET;
    case ETIMEDOUT:
        return LOAD_STALL;
    default:
        return LOAD_OTHER;
    }
}

void load_fail_errno(struct load_thread *thread, struct load_conn *conn, int error_number)
{
    enum load_error error = error_of(error_number);
    if (error == LOAD_OTHER && thread->result->other_errno == 0)
        thread->result->other_errno = error_number;
    load_fail(thread, conn, error);
}

void load_settle(struct load_thread *thread, struct load_conn *conn)
{
    thread->unsettled -= !conn->settled;
    conn->settled = true;
}

void load_wait(struct load_thread *thread, struct load_conn *conn, uint64_t delay_ns)
{
    conn->state = CONN_WAITING;
    conn->retry_at_ns = thread->now_ns + delay_ns;
    list_append(&thread->waiting, &conn->link);
}

/* The first new attempt is made at once, the next ones after 10, 20, 40, ... 200 ms. A reply resets the delay. */
static void wait_backoff(struct load_thread *thread, struct load_conn *conn)
{
    uint64_t delay_ms = 0;
    if (conn->backoff > 0)
        delay_ms = conn->backoff > 5 ? BACKOFF_MAX_MS : (uint64_t)BACKOFF_FIRST_MS << (conn->backoff - 1);
    conn->backoff++;
    load_wait(thread, conn, delay_ms * NS_PER_MS);
}

/* A request may be sent again if its connection broke, but not if the reply was wrong or late. */
static bool may_retry(const struct load_thread *thread, const struct load_conn *conn, enum load_error error)
{
    if (error == LOAD_WRONG || error == LOAD_STALL || conn->attempts >= thread->settings->retry)
        return false;
    return !conn->has_request || thread->now_ns < thread->hard_end_ns;
}

void load_fail(struct load_thread *thread, struct load_conn *conn, enum load_error error)
{
    const struct load_settings *settings = thread->settings;
    load_conn_close(thread, conn);
    if (may_retry(thread, conn, error)) {
        conn->attempts++;
        thread->result->retries[error]++;
        wait_backoff(thread, conn);
        return;
    }
    thread->result->errors[error]++;
    thread->unfinished -= conn->has_request;
    conn->has_request = false;
    conn->attempts = 0;
    if (!settings->work->persistent || settings->reconnect || settings->retry > 0) {
        wait_backoff(thread, conn);
    } else {
        conn->dead = true;
        thread->living--;
        load_settle(thread, conn);
    }
}

void load_run_waiting(struct load_thread *thread)
{
    struct list todo;
    list_take(&todo, &thread->waiting);
    for (struct list *link; (link = list_pop(&todo)) != NULL;) {
        struct load_conn *conn = LIST_OWNER(link, struct load_conn, link);
        if (thread->now_ns < conn->retry_at_ns) {
            list_append(&thread->waiting, link);
            continue;
        }
        conn->state = CONN_CLOSED;
        if (!conn->has_request && !thread->settings->work->persistent)
            load_pace_free(thread, conn);
        else
            load_conn_open(thread, conn);
    }
}

void load_check_deadlines(struct load_thread *thread)
{
    for (uint64_t i = 0; i < thread->conn_count; i++) {
        struct load_conn *conn = &thread->conns[i];
        if (!conn->has_request && conn->state != CONN_CONNECTING)
            continue;
        if (thread->now_ns >= conn->deadline_ns || (thread->running && thread->now_ns >= thread->hard_end_ns))
            load_fail(thread, conn, LOAD_STALL);
    }
    load_pace_expire(thread);
}
