/* test/sim/sim_make.c: makes connections, listening sockets and eventfds. Test thread; struct sim owns them until sim_free(). */
#include <poll.h>
#include <stdlib.h>

#include "sim.h"

/* ---- connections and listeners ---- */

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
        if (!sim->conns)
            abort();
    }
    conn->sim = sim;
    conn->index = sim->conn_count;
    list_init(&conn->link);
    list_init(&conn->queue);
    list_init(&conn->care);
    conn->event_fd = -1;
    sim_net_init(conn);
    sim->conns[sim->conn_count++] = conn;
    sim_draw_windows(conn);
    conn->unspliceable = sim_chance(sim, sim->options.chances.unspliceable);
    return conn;
}

int sim_conn_fd(const struct sim_conn *conn)
{
    return SIM_FD_BASE + (int)conn->index;
}

struct sim_conn *sim_conn_find(struct sim *sim, int fd)
{
    if (fd < SIM_FD_BASE || (uint32_t)(fd - SIM_FD_BASE) >= sim->conn_count || sim->conns[fd - SIM_FD_BASE]->released)
        sim_fail(sim, "a call with a descriptor that is not open");
    return sim->conns[fd - SIM_FD_BASE];
}

static struct sim_conn *listener_new(struct sim *sim, struct sim_conn *queue)
{
    struct sim_conn *conn = sim_conn_new(sim);

    conn->listening = true;
    conn->listener = queue ? queue : conn;
    conn->listener->descriptors++;
    sim->conns_open++;
    return conn;
}

int sim_listen(struct sim *sim, bool local)
{
    struct sim_conn *conn = listener_new(sim, NULL);

    conn->local = local;
    return sim_conn_fd(conn);
}

int sim_listen_share(struct sim *sim, int listener)
{
    struct sim_conn *queue = sim_conn_find(sim, listener)->listener, *conn = listener_new(sim, queue);

    conn->local = queue->local;
    return sim_conn_fd(conn);
}

struct sim_conn *sim_arrive(struct sim *sim, const int *listeners, uint32_t count, const struct addr *client)
{
    struct sim_conn *conn = sim_conn_new(sim);
    uint32_t first = sim_below(sim, count);

    conn->client = *client;
    conn->local = client->sa.sa_family == AF_UNIX;
    conn->established = true;
    conn->arrived_ns = sim->now_ns;
    for (uint32_t i = 0; i < count; i++) {
        struct sim_conn *queue = sim->conns[listeners[(first + i) % count] - SIM_FD_BASE]->listener;

        if (queue->descriptors == 0 || queue->sealed)
            continue;
        conn->listener = queue;
        list_append(&queue->queue, &conn->link);
        return conn;
    }
    sim_net_reset_peer(conn);
    return conn;
}

/* ---- eventfds ---- */

struct sim_conn *sim_eventfd(struct sim *sim, int fd)
{
    struct sim_conn *conn = sim_conn_new(sim);

    conn->event_fd = fd;
    sim->conns_open++;
    if (sim->eventfd_count == SIM_EVENTFDS_MAX)
        sim_fail(sim, "too many eventfds");
    sim->eventfds[sim->eventfd_count++] = conn;
    return conn;
}

void sim_look_at_eventfds(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->eventfd_count; i++) {
        struct sim_conn *conn = sim->eventfds[i];
        struct pollfd pollfd = {.fd = conn->event_fd, .events = POLLIN};

        if (!conn->released)
            conn->signalled = poll(&pollfd, 1, 0) == 1;
    }
}
