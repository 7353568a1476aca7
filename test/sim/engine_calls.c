/* test/sim/engine_calls.c: the simulated engine's direct calls on sockets. Test thread; owns nothing. */
#include <errno.h>

#include "engine.h"

int engine_shutdown(struct io *io, struct io_sock *sock)
{
    struct sim_conn *conn = engine_conn(engine_of(io), sock);

    if (sock->send_data)
        sim_fail(conn->sim, "FIN in front of bytes that are being sent");
    sim_note(conn->sim, conn, "shutdown", conn->over);
    conn->active_ns = io->now_ns;
    return sim_shutdown(conn);
}

uint32_t engine_undelivered(struct io *io, struct io_sock *sock)
{
    const struct sim_conn *conn = engine_conn(engine_of(io), sock);

    return conn->over ? 0 : conn->out.length - conn->out.arrived;
}

int engine_broken(struct io *io, struct io_sock *sock)
{
    struct sim_conn *conn = engine_conn(engine_of(io), sock);
    int error = conn->error;

    conn->error = 0;
    sim_note(conn->sim, conn, "broken", error);
    return error;
}

bool engine_met_itself(struct io *io, struct io_sock *sock, const struct addr *peer)
{
    struct sim_conn *conn = engine_conn(engine_of(io), sock);

    (void)peer;
    return conn->established && sim_chance(conn->sim, conn->sim->options.chances.met_itself);
}

/* Nothing is lost here. The number of retransmits identifies the connection instead. */
bool engine_tcp_info(struct io *io, struct io_sock *sock, struct io_tcp_info *info)
{
    const struct sim_conn *conn = engine_conn(engine_of(io), sock);

    *info = (struct io_tcp_info){.rtt_us = conn->latency_us, .retransmits = conn->index};
    return !conn->local;
}

bool engine_lacks_address(struct io *io, const struct addr *to)
{
    struct sim *sim = engine_of(io)->sim;

    return sim->options.hooks->lacks_address(sim, to);
}

int engine_socket(struct io *io, int family)
{
    struct sim *sim = engine_of(io)->sim;
    struct sim_conn *conn;

    (void)family;
    if (sim_chance(sim, sim->options.chances.no_descriptor))
        return sim_lack(sim);
    if (sim_chance(sim, sim->options.chances.no_family)) {
        sim->no_family++;
        return -EAFNOSUPPORT;
    }
    conn = sim_conn_new(sim);
    sim->conns_open++;
    return sim_conn_fd(conn);
}

void engine_discard(struct io *io, int fd)
{
    struct sim *sim = engine_of(io)->sim;

    sim_release(sim_conn_find(sim, fd), true);
}

void engine_set_congestion(struct io *io, int fd, const char *name)
{
    struct sim *sim = engine_of(io)->sim;

    (void)name;
    if (!sim_conn_find(sim, fd))
        sim_fail(sim, "a congestion control for a connection that is none");
}
