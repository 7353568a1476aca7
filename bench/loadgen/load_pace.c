/* load_pace.c: decides when each request begins: at once on a free connection (closed loop), at a fixed time (open loop), or at the end (idle work). A load
 * thread; owns the list of free connections. */
#include "load.h"
#include "units.h"

void load_pace_start(struct load_thread *thread)
{
    const struct load_settings *settings = thread->settings;
    thread->running = true;
    thread->start_ns = thread->now_ns;
    thread->measure_ns = thread->start_ns + settings->warmup_ns;
    thread->end_ns = thread->hard_end_ns = UINT64_MAX;
    if (settings->duration_ns > 0) {
        thread->end_ns = thread->measure_ns + settings->duration_ns;
        thread->hard_end_ns = thread->end_ns + settings->timeout_ns;
    }
    if (settings->work->hold)
        thread->measure_ns = thread->start_ns;
}

/* Open loop: returns when request number `begun` of this thread is due. Thread n of T has the numbers n, n + T, n + 2T, ... of the schedule. */
static uint64_t due_ns(const struct load_thread *thread)
{
    const struct load_settings *settings = thread->settings;
    uint64_t number = thread->begun * settings->threads + thread->number;
    uint64_t seconds = number / settings->rate, rest = number % settings->rate;
    return thread->start_ns + seconds * NS_PER_S + rest * NS_PER_S / settings->rate;
}

bool load_pace_may_begin(const struct load_thread *thread)
{
    if (!thread->running || thread->to_begin == 0)
        return false;
    if (thread->settings->work->hold)
        return true;
    if (thread->settings->rate > 0)
        return due_ns(thread) < thread->end_ns;
    return thread->now_ns < thread->end_ns;
}

uint64_t load_pace_next_ns(const struct load_thread *thread)
{
    if (!load_pace_may_begin(thread))
        return UINT64_MAX;
    if (thread->settings->work->hold)
        return thread->end_ns;
    return thread->settings->rate > 0 && !list_empty(&thread->idle) ? due_ns(thread) : UINT64_MAX;
}

static bool is_due(const struct load_thread *thread)
{
    return load_pace_may_begin(thread) && !thread->settings->work->hold &&
           (thread->settings->rate == 0 || due_ns(thread) <= thread->now_ns);
}

static void give_request(struct load_thread *thread, struct load_conn *conn)
{
    uint64_t intended_ns = thread->settings->rate > 0 ? due_ns(thread) : thread->now_ns;
    thread->begun++;
    if (thread->to_begin != UINT64_MAX)
        thread->to_begin--;
    load_conn_begin(thread, conn, intended_ns);
}

/* Ends the idle phase: each connection that is not dead gets one request, also if it is being reopened. */
static void end_hold(struct load_thread *thread)
{
    for (uint64_t i = 0; i < thread->conn_count; i++) {
        struct load_conn *conn = &thread->conns[i];
        if (conn->dead)
            continue;
        if (conn->state == CONN_OPEN)
            list_remove(&conn->link);
        give_request(thread, conn);
        if (conn->state == CONN_OPEN)
            load_conn_run(thread, conn);
    }
    thread->to_begin = 0;
}

void load_pace_expire(struct load_thread *thread)
{
    if (thread->settings->rate == 0)
        return;
    /* If no connection is left, due requests become stalls at once, because nothing can answer them. */
    uint64_t allowed_ns = thread->living > 0 && thread->now_ns < thread->hard_end_ns ? thread->settings->timeout_ns : 0;
    while (load_pace_may_begin(thread) && due_ns(thread) + allowed_ns <= thread->now_ns) {
        thread->begun++;
        if (thread->to_begin != UINT64_MAX)
            thread->to_begin--;
        thread->result->errors[LOAD_STALL]++;
    }
}

void load_pace_dispatch(struct load_thread *thread)
{
    if (thread->settings->work->hold) {
        if (load_pace_may_begin(thread) && thread->now_ns >= thread->end_ns)
            end_hold(thread);
        return;
    }
    while (!list_empty(&thread->idle) && is_due(thread)) {
        struct load_conn *conn = LIST_OWNER(list_pop(&thread->idle), struct load_conn, link);
        give_request(thread, conn);
        if (conn->state == CONN_OPEN)
            load_conn_run(thread, conn);
        else
            load_conn_open(thread, conn);
    }
}

/* An open connection gets its next request at once if no other connection was free before. The caller runs the connection. */
void load_pace_free(struct load_thread *thread, struct load_conn *conn)
{
    if (thread->running && !load_pace_may_begin(thread)) {
        if (conn->state == CONN_OPEN)
            load_conn_close(thread, conn);
    } else if (conn->state == CONN_OPEN && list_empty(&thread->idle) && is_due(thread)) {
        give_request(thread, conn);
    } else {
        list_append(&thread->idle, &conn->link);
    }
}

void load_pace_stop(struct load_thread *thread)
{
    if (!thread->running)
        load_pace_start(thread);
    if (thread->now_ns < thread->end_ns)
        thread->end_ns = thread->now_ns;
    if (thread->hard_end_ns > thread->now_ns + thread->settings->timeout_ns)
        thread->hard_end_ns = thread->now_ns + thread->settings->timeout_ns;
}
