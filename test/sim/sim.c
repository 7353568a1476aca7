/* test/sim/sim.c: the simulated engine: operations in flight, the wait and the dispatch. Test thread; owns everything but the sockets.
 *
 * It works in one of two ways. Queued, as io_uring does: during the wait the kernel carries operations on and fills buffers, and the next dispatch tells, in
 * an order among sockets that the seed decides; what is in flight when a socket closes ends later, one way or the other. Or, as epoll does: the dispatch
 * makes the calls itself, and a close ends what is in flight at once. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "sim.h"
#include "sim_ops.h"

/* ---- the wait ---- */

/* Those under the engine's care, shuffled, into sim->order. */
static uint32_t draw_order(struct sim *sim)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < sim->conn_count; i++) {
        if (sim->conns[i]->sock)
            sim->order[count++] = sim->conns[i];
    }
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = sim_below(sim, i);
        struct sim_conn *conn = sim->order[other];

        sim->order[other] = sim->order[i - 1];
        sim->order[i - 1] = conn;
    }
    return count;
}

static void draw_spurious(struct sim *sim)
{
    if (sim->options.chances.spurious == 0)
        return;
    for (uint32_t i = 0; i < sim->conn_count; i++) {
        struct sim_conn *conn = sim->conns[i];

        if (conn->sock && conn->armed & (1u << SIM_OP_IN | 1u << SIM_OP_OUT) && sim_chance(sim, sim->options.chances.spurious))
            conn->spurious = conn->armed & (1u << SIM_OP_IN | 1u << SIM_OP_OUT);
    }
}

/* Queued: works on one connection. Leaves room in the queue for the ends of all its operations. */
static void kernel_work(struct sim_conn *conn)
{
    struct sim *sim = conn->sim;
    int first = (int)sim_below(sim, SIM_OPS);

    if (conn->gathered && sim_ops_try_gathered(conn)) {
        conn->done[(conn->done_first + conn->done_count++) % SIM_DONE_MAX] = (struct sim_done){.operation = SIM_OP_SEND, .last = true, .at_ns = sim->now_ns};
        conn->armed &= (uint8_t) ~(1u << SIM_OP_SEND);
        conn->quiet = true;
    }

    for (int i = 0; i < SIM_OPS; i++) {
        int operation = (first + i) % SIM_OPS;
        struct sim_done done;

        while (conn->armed & 1u << operation && (conn->done_count < SIM_DONE_MAX - SIM_OPS || operation != SIM_OP_RECEIVE)) {
            if (conn->sock->closing && operation == SIM_OP_SEND)
                sim_ops_check_lent(conn);
            if (conn->sock->closing && sim_chance(sim, 500))
                done = (struct sim_done){.operation = (uint8_t)operation, .last = true, .result = -ECANCELED};
            else if (!sim_ops_attempt(conn, operation, &done))
                break;
            conn->done[(conn->done_first + conn->done_count++) % SIM_DONE_MAX] = done;
            if (done.last)
                conn->armed &= (uint8_t) ~(1u << operation);
            else if (sim_chance(sim, 300))
                break; /* the rest comes with the next turn */
        }
    }
}

/* Whether the dispatch has something to do; in the queued way the kernel works first. */
static bool work(struct sim *sim)
{
    uint32_t count = draw_order(sim);
    bool any = false;

    for (uint32_t i = 0; i < count; i++) {
        struct sim_conn *conn = sim->order[i];

        if (sim->options.queued)
            kernel_work(conn);
        any |= conn->sock->closing || conn->done_count > (conn->quiet && !sim->hurried ? 1 : 0);
        for (int operation = 0; operation < SIM_OPS; operation++)
            any |= conn->armed & 1u << operation && sim_ops_possible(conn, operation);
    }
    return any;
}

static int ops_wait(struct io *io, int64_t timeout_ms)
{
    struct sim *sim = sim_of(io);
    uint64_t due = timeout_ms < 0 ? UINT64_MAX : sim->now_ns + (uint64_t)timeout_ms * 1000000;
    bool found;

    sim->calls = 0;
    sim->now_ns += 1000 + sim_below(sim, 20000); /* the last turn took some time */
    sim_run_events(sim, false);
    draw_spurious(sim);
    while (!(found = work(sim)) && !sim->interrupted && sim->now_ns < due) {
        uint64_t next = list_empty(&sim->events) ? UINT64_MAX : container_of(sim->events.next, struct sim_event, link)->at_ns;

        if (next == UINT64_MAX && due == UINT64_MAX) {
            sim->stuck = true;
            break;
        }
        sim->now_ns = next < due ? next : due;
        sim_run_events(sim, false);
    }
    if (sim_chance(sim, sim->options.chances.late)) {
        sim->now_ns += sim_below(sim, 3000000);
        sim_run_events(sim, false);
        (void)work(sim);
    }
    sim->hurried = false;
    io->now_ns = sim->now_ns;
    return 0;
}

/* ---- the dispatch ---- */

/* Queued: one event of one connection after the other, each time of another one. */
static void dispatch_queued(struct sim *sim)
{
    uint32_t count = draw_order(sim);

    while (count > 0) {
        uint32_t chosen = sim_below(sim, count);
        struct sim_conn *conn = sim->order[chosen];

        if (conn->done_count == 0) {
            sim->order[chosen] = sim->order[--count];
            continue;
        }
        struct sim_done done = conn->done[conn->done_first];

        conn->done_first = (conn->done_first + 1) % SIM_DONE_MAX;
        conn->done_count--;
        sim_ops_tell(conn, &done);
    }
}

static void serve(struct sim_conn *conn)
{
    for (int operation = 0; operation < SIM_OPS; operation++) {
        struct sim_done done;

        while (conn->armed & 1u << operation && sim_ops_attempt(conn, operation, &done)) {
            if (done.last)
                conn->armed &= (uint8_t) ~(1u << operation);
            sim_ops_tell(conn, &done);
            if (done.last)
                break; /* what it started again waits for the next turn */
        }
    }
}

static void dispatch_called(struct sim *sim)
{
    uint32_t count = draw_order(sim);
    struct sim_conn *todo[256];

    if (count > 256)
        count = 256;
    for (uint32_t i = 0; i < count; i++)
        todo[i] = sim->order[i]; /* connections made meanwhile may move the array */
    for (uint32_t i = 0; i < count; i++) {
        if (!sim_chance(sim, sim->options.chances.late))
            serve(todo[i]);
    }
}

static void tell_closed(struct sim *sim)
{
    for (uint32_t i = 0, count = sim->conn_count; i < count; i++) {
        struct sim_conn *conn = sim->conns[i];
        struct io_sock *sock = conn->sock;

        if (!sock || !sock->closing || sock->in_flight || conn->done_count > 0 || sim_chance(sim, sim->options.chances.late))
            continue;
        if (sock->events->closing)
            sock->events->closing(sock);
        if (conn->listening && conn->sealed)
            sim->options.hooks->unlistening(conn);
        sim_release(conn, sock->reset);
        sock->fd = -1;
        sock->events->closed(sock);
    }
}

static void ops_dispatch(struct io *io)
{
    struct sim *sim = sim_of(io);

    if (sim->options.queued)
        dispatch_queued(sim);
    else
        dispatch_called(sim);
    tell_closed(sim);
}

/* ---- life ---- */

static bool ops_trimmable(struct io *io)
{
    return slab_trimmable(&io->buffers.slab);
}

static void ops_trim(struct io *io)
{
    slab_trim(&io->buffers.slab);
}

static void ops_free(struct io *io)
{
    buffer_pool_deinit(&io->buffers); /* the connections stay for the test to look at: sim_free() */
}

static const struct io_ops sim_ops = {
    .name = "sim",
    .free = ops_free,
    .wait = ops_wait,
    .dispatch = ops_dispatch,
    .open = sim_ops_open,
    .close = sim_ops_close,
    .connect = sim_ops_connect,
    .receive = sim_ops_receive,
    .send = sim_ops_send,
    .hurry = sim_ops_hurry,
    .poll = sim_ops_poll,
    .socket = sim_ops_socket,
    .accept = sim_ops_accept,
    .listen_again = sim_ops_listen_again,
    .is_shut = sim_ops_is_shut,
    .stop_queueing = sim_ops_stop_queueing,
    .set_congestion = sim_ops_set_congestion,
    .keep_alive = sim_ops_keep_alive,
    .discard = sim_ops_discard,
    .splice_in = sim_ops_splice_in,
    .splice_out = sim_ops_splice_out,
    .shutdown = sim_ops_shutdown,
    .undelivered = sim_ops_undelivered,
    .met_itself = sim_ops_met_itself,
    .broken = sim_ops_broken,
    .look_again = sim_ops_look_again,
    .clear_event = sim_ops_clear_event,
    .trimmable = ops_trimmable,
    .trim = ops_trim,
    .pipe_open = sim_ops_pipe_open,
    .pipe_close = sim_ops_pipe_close,
};

struct sim *sim_new(const struct sim_options *options)
{
    struct sim *sim = calloc(1, sizeof(*sim));

    if (!sim)
        return NULL;
    sim->options = *options;
    sim->random = options->seed;
    sim->now_ns = (uint64_t)1000000000;
    sim->io.ops = &sim_ops;
    sim->io.now_ns = sim->now_ns;
    list_init(&sim->events);
    buffer_pool_init(&sim->io.buffers);
    return sim;
}

void sim_free(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->conn_count; i++) {
        free(sim->conns[i]->in.data);
        free(sim->conns[i]->out.data);
        free(sim->conns[i]);
    }
    for (uint32_t i = 0; i < sim->pipe_count; i++)
        free(sim->pipes[i].data);
    free(sim->pipes);
    free(sim->conns);
    free(sim->order);
    free(sim);
}
