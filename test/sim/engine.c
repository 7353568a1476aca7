/* test/sim/engine.c: the simulated engine's wait and dispatch, and how it is made and freed. Test thread; owns struct sim_engine, but no socket. */
#include <errno.h>
#include <stdlib.h>

#include "engine.h"

enum { SPURIOUS_SOCKETS_MAX = 100 }; /* with more sockets, a worker would have turns without end, one after the other */

/* ---- the wait ---- */

/* Writes the connections of the engine to engine->order in random order, and returns their number. */
static uint32_t draw_order(struct sim_engine *engine)
{
    uint32_t count = 0;

    if (engine->care_count > engine->order_count) {
        engine->order_count = 2 * engine->care_count;
        engine->order = realloc(engine->order, engine->order_count * sizeof(*engine->order));
        if (!engine->order)
            abort();
    }
    for (struct list *link = engine->care.next; link != &engine->care; link = link->next)
        engine->order[count++] = container_of(link, struct sim_conn, care);
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = sim_below(engine->sim, i);
        struct sim_conn *conn = engine->order[other];

        engine->order[other] = engine->order[i - 1];
        engine->order[i - 1] = conn;
    }
    return count;
}

static void draw_spurious(struct sim_engine *engine)
{
    uint32_t chance = engine->sim->options.chances.spurious;

    if (chance == 0 || engine->care_count > SPURIOUS_SOCKETS_MAX)
        return;
    for (struct list *link = engine->care.next; link != &engine->care; link = link->next) {
        struct sim_conn *conn = container_of(link, struct sim_conn, care);

        if (conn->armed & (1u << SIM_OP_IN | 1u << SIM_OP_OUT) && sim_chance(engine->sim, chance))
            conn->spurious = conn->armed & (1u << SIM_OP_IN | 1u << SIM_OP_OUT);
    }
}

void engine_done(struct sim_conn *conn, struct sim_done done)
{
    if (conn->done_count == SIM_DONE_MAX)
        sim_fail(conn->sim, "the simulation has no room for a completion");
    done.sequence = ++conn->engine->sequence;
    conn->done[(conn->done_first + conn->done_count++) % SIM_DONE_MAX] = done;
}

bool engine_submit(struct sim_engine *engine)
{
    struct sim *sim = engine->sim;

    if (sim_chance(sim, sim->options.chances.no_request))
        return false;
    for (struct list *link = engine->care.next; link != &engine->care; link = link->next) {
        struct sim_conn *conn = container_of(link, struct sim_conn, care);

        if (conn->requested & 1u << SIM_OP_RECEIVE) {
            conn->untried = true;
            conn->receive_left = conn->sock->credit;
        }
        conn->armed |= conn->requested;
        conn->requested = 0;
        if (conn->armed & 1u << SIM_OP_CANCEL)
            engine_cancel_now(conn);
    }
    return true;
}

/* Queued: works on one connection. Leaves room for one more completion of each operation. */
static void kernel_work(struct sim_conn *conn)
{
    struct sim *sim = conn->sim;
    int first = (int)sim_below(sim, SIM_OPS);

    for (int i = 0; i < SIM_OPS; i++) {
        int operation = (first + i) % SIM_OPS;
        struct sim_done done;

        while (conn->armed & 1u << operation && conn->done_count < SIM_DONE_MAX - SIM_OPS) {
            if (!engine_attempt(conn, operation, &done))
                break;
            engine_done(conn, done);
            if (done.last)
                conn->armed &= (uint8_t) ~(1u << operation);
            else if (sim_chance(sim, 300))
                break; /* the next turn continues */
        }
    }
}

static bool conn_ready(const struct sim_conn *conn)
{
    if (conn->closable || conn->done_count > 0)
        return true;
    for (int operation = 0; conn->armed >> operation; operation++) {
        if (conn->armed & 1u << operation && engine_possible(conn, operation))
            return true;
    }
    return false;
}

bool engine_ready(const struct sim_engine *engine)
{
    if ((engine->starving > 0 && !engine->lacks_ring) || engine->waits_for_sends)
        return true;
    for (struct list *link = engine->care.next; link != &engine->care; link = link->next) {
        if (conn_ready(container_of(link, struct sim_conn, care)))
            return true;
    }
    return false;
}

int64_t engine_wait_ms_max(const struct sim_engine *engine)
{
    return engine->starving > 0 && engine->lacks_ring ? 1 : -1;
}

void engine_sleep(struct sim_engine *engine)
{
    bool all = true;

    engine->calls = 0;
    engine->waits_for_sends = engine->hurried;
    engine->hurried = false;
    if (engine->sim->options.queued) {
        all = engine_submit(engine);
        all &= engine_make_gathered(engine);
    }
    draw_spurious(engine);
    engine->asleep = all; /* otherwise the system call has failed, and the wait has ended */
}

static int engine_wait(struct io *io, int64_t timeout_ms)
{
    struct sim_engine *engine = engine_of(io);
    struct sim *sim = engine->sim;

    (void)timeout_ms;
    if (!engine->asleep)
        engine_sleep(engine);
    engine->asleep = false;
    if (sim->options.queued) {
        uint32_t count = draw_order(engine);

        for (uint32_t i = 0; i < count; i++)
            kernel_work(engine->order[i]);
        engine_gathered_noted(engine);
    }
    io->now_ns = sim->now_ns;
    io->sent_ns = sim->now_ns;
    return 0;
}

/* ---- the dispatch ---- */

/* Queued: reports one completion of a random connection at a time. Completions that are added meanwhile wait for the next turn. */
static void dispatch_queued(struct sim_engine *engine)
{
    uint32_t count = draw_order(engine);
    uint64_t last = engine->sequence;

    while (count > 0) {
        uint32_t chosen = sim_below(engine->sim, count);
        struct sim_conn *conn = engine->order[chosen];
        struct sim_done done = conn->done[conn->done_first];

        if (conn->done_count == 0 || done.sequence > last) {
            engine->order[chosen] = engine->order[--count];
            continue;
        }
        conn->done_first = (conn->done_first + 1) % SIM_DONE_MAX;
        conn->done_count--;
        engine_tell(conn, &done);
        engine_gathered_full(engine);
    }
    engine_settle(engine);
    engine_feed_starving(engine);
}

static void serve(struct sim_conn *conn)
{
    for (int operation = 0; operation < SIM_OPS; operation++) {
        struct sim_done done;

        while (conn->armed & 1u << operation && engine_attempt(conn, operation, &done)) {
            if (done.last)
                conn->armed &= (uint8_t) ~(1u << operation);
            engine_tell(conn, &done);
            if (done.last)
                break; /* an operation that the event has started again waits for the next turn */
        }
    }
}

static void dispatch_called(struct sim_engine *engine)
{
    uint32_t count = draw_order(engine);

    for (uint32_t i = 0; i < count; i++) {
        if (!sim_chance(engine->sim, engine->sim->options.chances.late))
            serve(engine->order[i]); /* connections that are made meanwhile are not in `order` */
    }
}

static void engine_dispatch(struct io *io)
{
    struct sim_engine *engine = engine_of(io);

    if (sim_chance(engine->sim, 300))
        engine_tell_closed(engine);
    if (engine->sim->options.queued)
        dispatch_queued(engine);
    else
        dispatch_called(engine);
    engine_tell_closed(engine);
}

/* ---- making and freeing ---- */

static bool engine_trimmable(struct io *io)
{
    return slab_trimmable(&io->buffers.slab);
}

static void engine_trim(struct io *io)
{
    slab_trim(&io->buffers.slab);
}

/* The connections stay until sim_free(), because the test checks them. */
static void engine_free(struct io *io)
{
    struct sim_engine *engine = engine_of(io);

    if (!list_empty(&engine->care))
        sim_fail(engine->sim, "an engine is freed that has sockets");
    buffer_pool_deinit(&io->buffers);
    free(engine->order);
    free(engine);
}

static const struct io_ops engine_ops = {
    .name = "sim",
    .free = engine_free,
    .wait = engine_wait,
    .dispatch = engine_dispatch,
    .open = engine_open,
    .close = engine_close,
    .connect = engine_connect,
    .receive = engine_receive,
    .send = engine_send,
    .hurry = engine_hurry,
    .poll = engine_poll,
    .socket = engine_socket,
    .accept = engine_accept,
    .has_clients = engine_has_clients,
    .arrived_ns = engine_arrived_ns,
    .listen_again = engine_listen_again,
    .is_shut = engine_is_shut,
    .stop_queueing = engine_stop_queueing,
    .set_congestion = engine_set_congestion,
    .discard = engine_discard,
    .connect_datagram = engine_connect_datagram,
    .receive_datagrams = engine_receive_datagrams,
    .send_datagrams = engine_send_datagrams,
    .splice_in = engine_splice_in,
    .splice_out = engine_splice_out,
    .shutdown = engine_shutdown,
    .undelivered = engine_undelivered,
    .met_itself = engine_met_itself,
    .tcp_info = engine_tcp_info,
    .lacks_address = engine_lacks_address,
    .broken = engine_broken,
    .look_again = engine_look_again,
    .clear_event = engine_clear_event,
    .trimmable = engine_trimmable,
    .trim = engine_trim,
    .pipe_open = engine_pipe_open,
    .pipe_close = engine_pipe_close,
};

struct sim_engine *engine_new(struct sim *sim, unsigned index)
{
    struct sim_engine *engine = calloc(1, sizeof(*engine));

    if (!engine)
        return NULL;
    engine->sim = sim;
    engine->index = index;
    engine->published = sim->options.buffers;
    engine->io.ops = &engine_ops;
    engine->io.now_ns = sim->now_ns;
    list_init(&engine->care);
    buffer_pool_init(&engine->io.buffers);
    return engine;
}
