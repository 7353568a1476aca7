/* test/sim/sim_net.c: the simulated network: time, chance, connections and what becomes of their bytes. Test thread; owns connections and pipes until sim_free(). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "sim.h"
#include "sim_ops.h"

/* Far above any real descriptor, so that a stray close(2) does no harm. */
enum { FD_BASE = 1 << 20 };

/* ---- time and chance ---- */

uint32_t sim_below(struct sim *sim, uint32_t bound)
{
    return random_below(&sim->random, bound);
}

bool sim_chance(struct sim *sim, uint32_t per_mille)
{
    return per_mille > 0 && sim_below(sim, 1000) < per_mille;
}

void sim_arm(struct sim *sim, struct sim_event *event, uint64_t after_ns)
{
    struct list *before = sim->events.previous;

    if (event->armed)
        list_remove(&event->link);
    else
        list_init(&event->link);
    event->armed = true;
    event->at_ns = sim->now_ns + after_ns;
    before = sim->events.previous;
    while (before != &sim->events && container_of(before, struct sim_event, link)->at_ns > event->at_ns)
        before = before->previous;
    list_append(before->next, &event->link); /* that is: in front of whatever follows */
}

void sim_run_events(struct sim *sim, bool all)
{
    while (!list_empty(&sim->events)) {
        struct sim_event *event = container_of(sim->events.next, struct sim_event, link);

        if (event->at_ns > sim->now_ns) {
            if (!all)
                return;
            sim->now_ns = event->at_ns;
        }
        list_remove(&event->link);
        event->armed = false;
        event->run(event);
    }
}

static uint64_t latency_ns(struct sim_conn *conn)
{
    return (uint64_t)sim_below(conn->sim, conn->latency_us + 1) * 1000;
}

void sim_note(struct sim *sim, const struct sim_conn *conn, const char *what, int64_t value)
{
    uint64_t text = 0, mixed;

    for (const char *c = what; *c; c++)
        text = text * 31 + (unsigned char)*c;
    mixed = sim->digest ^ sim->now_ns ^ (uint64_t)value * 0x9e3779b97f4a7c15u ^ text << 20 ^ (conn ? conn->index + 1 : 0);
    sim->digest = random_next(&mixed);
    if (sim->options.trace)
        (void)printf("%12.6f  %-4d %s %lld\n", (double)sim->now_ns / 1e9, conn ? (int)conn->index : -1, what, (long long)value);
}

void sim_fail(struct sim *sim, const char *what)
{
    sim->options.hooks->failed(sim, what);
    abort();
}

/* ---- bytes arrive ---- */

void sim_net_move(struct sim_conn *conn, struct sim_stream *stream)
{
    bool bytes = stream->length > stream->arrived && stream->arrived < stream->receive_max;
    bool end = stream->length == stream->arrived && stream->fin && !stream->fin_arrived;

    if ((bytes || end) && !stream->moving.armed)
        sim_arm(conn->sim, &stream->moving, latency_ns(conn));
}

static void arrive(struct sim_conn *conn, struct sim_stream *stream)
{
    uint32_t room = stream->receive_max > stream->arrived ? stream->receive_max - stream->arrived : 0;
    uint32_t bytes = stream->length - stream->arrived;

    if (bytes > room)
        bytes = room;
    if (bytes > 1 && sim_chance(conn->sim, 500))
        bytes = 1 + sim_below(conn->sim, bytes);
    stream->arrived += bytes;
    stream->total += bytes;
    if (stream->length == stream->arrived && stream->fin)
        stream->fin_arrived = true;
    sim_net_move(conn, stream);
}

/* An RST is on its way to the peer, which loses what was underway. */
void sim_net_reset_peer(struct sim_conn *conn)
{
    conn->over = true;
    sim_stream_cut(&conn->out);
    if (!conn->resetting_peer.armed)
        sim_arm(conn->sim, &conn->resetting_peer, latency_ns(conn));
}

void sim_net_reset_us(struct sim_conn *conn)
{
    conn->peer_closed = true;
    sim_stream_cut(&conn->in);
    sim_stream_cut(&conn->out);
    if (!conn->resetting_us.armed)
        sim_arm(conn->sim, &conn->resetting_us, latency_ns(conn));
}

static void on_moving_in(struct sim_event *event)
{
    struct sim_conn *conn = container_of(event, struct sim_conn, in.moving);

    if (conn->over) {
        sim_stream_cut(&conn->in);
    } else if (conn->released && conn->in.length > conn->in.arrived) { /* nobody will read it */
        sim_stream_cut(&conn->in);
        sim_net_reset_peer(conn);
    } else {
        arrive(conn, &conn->in);
        conn->sim->options.hooks->changed(conn);
    }
}

static void on_moving_out(struct sim_event *event)
{
    struct sim_conn *conn = container_of(event, struct sim_conn, out.moving);

    if (conn->peer_reset) {
        sim_stream_cut(&conn->out);
    } else if (conn->peer_closed && conn->out.length > conn->out.arrived) {
        sim_net_reset_us(conn);
    } else {
        arrive(conn, &conn->out);
        conn->sim->options.hooks->changed(conn);
    }
}

static void lose(struct sim_conn *conn, int error)
{
    if (conn->over)
        return;
    sim_note(conn->sim, conn, "our end fails", error);
    conn->failed = true;
    conn->failed_ns = conn->sim->now_ns;
    conn->over = true;
    conn->error = error;
    sim_stream_cut(&conn->in);
    sim_stream_cut(&conn->out);
}

static void on_resetting_us(struct sim_event *event)
{
    struct sim_conn *conn = container_of(event, struct sim_conn, resetting_us);

    lose(conn, conn->in.fin_arrived && !conn->local ? EPIPE : ECONNRESET);
}

static void on_resetting_peer(struct sim_event *event)
{
    struct sim_conn *conn = container_of(event, struct sim_conn, resetting_peer);

    conn->peer_reset = true;
    sim_stream_cut(&conn->in);
    sim_stream_cut(&conn->out);
    sim_note(conn->sim, conn, "peer is reset", 0);
    conn->sim->options.hooks->changed(conn);
}

static void on_answering(struct sim_event *event)
{
    struct sim_conn *conn = container_of(event, struct sim_conn, answering);

    if (conn->released) /* given up meanwhile */
        return;
    conn->answered = true;
    conn->established = conn->answer == 0;
    conn->over = !conn->established;
    sim_note(conn->sim, conn, "attempt answered", conn->answer);
    if (conn->established)
        conn->sim->options.hooks->changed(conn);
}

/* ---- making ---- */

void sim_draw_windows(struct sim_conn *conn)
{
    static const uint32_t sizes[] = {1, 100, 1448, 4096, 16384, 65536, 65536, 262144};
    uint32_t *drawn[] = {&conn->in.send_max, &conn->in.receive_max, &conn->out.send_max, &conn->out.receive_max};
    static const uint32_t latencies_us[] = {0, 50, 300, 2000};

    for (unsigned i = 0; i < sizeof(drawn) / sizeof(drawn[0]); i++) {
        uint32_t first = conn->sim->options.tiny ? 0 : 2;

        *drawn[i] = sizes[first + sim_below(conn->sim, (uint32_t)(sizeof(sizes) / sizeof(sizes[0])) - first)];
    }
    conn->latency_us = latencies_us[sim_below(conn->sim, 4)];
}

struct sim_conn *sim_conn_new(struct sim *sim)
{
    struct sim_conn *conn = calloc(1, sizeof(*conn));

    if (!conn)
        abort();
    if ((sim->conn_count & (sim->conn_count - 1)) == 0) {
        size_t count = sim->conn_count ? 2 * (size_t)sim->conn_count : 1;

        sim->conns = realloc(sim->conns, count * sizeof(*sim->conns));
        sim->order = realloc(sim->order, count * sizeof(*sim->order));
        if (!sim->conns || !sim->order)
            abort();
    }
    conn->sim = sim;
    conn->index = sim->conn_count;
    list_init(&conn->link);
    list_init(&conn->queue);
    conn->in.moving.run = on_moving_in;
    conn->out.moving.run = on_moving_out;
    conn->answering.run = on_answering;
    conn->resetting_us.run = on_resetting_us;
    conn->resetting_peer.run = on_resetting_peer;
    sim->conns[sim->conn_count++] = conn;
    sim_draw_windows(conn);
    conn->unspliceable = sim_chance(sim, sim->options.chances.unspliceable);
    return conn;
}

int sim_conn_fd(const struct sim_conn *conn)
{
    return FD_BASE + (int)conn->index;
}

struct sim_conn *sim_conn_find(struct sim *sim, int fd)
{
    if (fd < FD_BASE || (uint32_t)(fd - FD_BASE) >= sim->conn_count || sim->conns[fd - FD_BASE]->released)
        sim_fail(sim, "a call with a descriptor that is not open");
    return sim->conns[fd - FD_BASE];
}

int sim_listen(struct sim *sim)
{
    struct sim_conn *conn = sim_conn_new(sim);

    conn->listening = true;
    sim->conns_open++;
    return sim_conn_fd(conn);
}

struct sim_conn *sim_arrive(struct sim *sim, int listener, const struct addr *client)
{
    struct sim_conn *conn = sim_conn_new(sim), *listening = sim->conns[listener - FD_BASE];

    conn->client = *client;
    conn->established = true;
    if (listening->released || listening->sealed)
        sim_net_reset_peer(conn);
    else
        list_append(&listening->queue, &conn->link);
    return conn;
}

void sim_answer(struct sim_conn *conn, int error, uint64_t after_ns)
{
    conn->answer = error;
    sim_arm(conn->sim, &conn->answering, after_ns);
}

void sim_break(struct sim_conn *conn, int error)
{
    if (conn->over || !conn->established)
        return;
    lose(conn, error);
    conn->peer_closed = true;
    sim_arm(conn->sim, &conn->resetting_peer, 1000000);
}
