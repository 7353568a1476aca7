/* test/sim/engine_listen.c: the simulated engine's calls on listening sockets. Test thread; owns nothing.
 *
 * All descriptors of a UNIX socket share one accept queue. Each TCP socket has its own. */
#include <errno.h>

#include "engine.h"

enum { DENIALS_MAX = 500 };

/* Returns the error with which accept(2) fails; 0: it returns the first client of the queue. */
static int refusal(struct sim *sim, struct sim_conn *queue)
{
    if (sim->now_ns < sim->options.forbidden_until_ns) {
        if (++sim->denials > DENIALS_MAX)
            sim_fail(sim, "accept is called over and over although it is denied");
        return -EPERM;
    }
    if (sim_chance(sim, sim->options.chances.shut)) { /* which resets the clients in its queue */
        sim_reset_queue(queue);
        queue->sealed |= queue->local;
        return queue->local ? -EAGAIN : -EINVAL;
    }
    if (list_empty(&queue->queue))
        return -EAGAIN;
    if (sim_chance(sim, sim->options.chances.no_descriptor))
        return sim_lack(sim);
    return sim_chance(sim, sim->options.chances.aborted) ? -ECONNABORTED : 0;
}

int engine_accept(struct io *io, struct io_sock *listener, struct addr *peer)
{
    struct sim *sim = engine_of(io)->sim;
    struct sim_conn *listening = sim_conn_find(sim, listener->fd), *conn; /* not engine_conn(): the event `closing` calls this too */
    int result;

    if (!listening->listening)
        sim_fail(sim, "accept on what is no listener");
    result = refusal(sim, listening->listener);
    if (result < 0)
        return result;
    conn = container_of(listening->listener->queue.next, struct sim_conn, link);
    list_remove(&conn->link);
    conn->accepted = true;
    conn->accepted_ns = sim->now_ns;
    sim->conns_open++;
    *peer = conn->client;
    sim_note(sim, conn, "accepted", 0);
    sim->options.hooks->accepted(conn, engine_of(io));
    return sim_conn_fd(conn);
}

bool engine_has_clients(struct io *io, struct io_sock *listener)
{
    return !list_empty(&sim_conn_find(engine_of(io)->sim, listener->fd)->listener->queue); /* not engine_conn(): the event `closing` calls this too */
}

uint64_t engine_arrived_ns(struct io *io, int fd)
{
    struct sim *sim = engine_of(io)->sim;
    const struct sim_conn *conn = sim_conn_find(sim, fd);

    return conn->local ? 0 : sim->now_ns - (sim->now_ns - conn->arrived_ns) / 1000000 * 1000000;
}

int engine_listen_again(struct io *io, struct io_sock *listener, int backlog)
{
    const struct sim_conn *conn = engine_conn(engine_of(io), listener);

    (void)backlog;
    if (conn->local)
        return conn->listener->sealed ? -ESHUTDOWN : 0;
    return conn->listening && !sim_chance(conn->sim, 500) ? 0 : -EADDRINUSE;
}

bool engine_is_shut(struct io *io, struct io_sock *listener)
{
    const struct sim_conn *conn = sim_conn_find(engine_of(io)->sim, listener->fd); /* not engine_conn(): the event `closing` calls this too */

    return conn->local && conn->listener->sealed;
}

bool engine_stop_queueing(struct io *io, struct io_sock *listener)
{
    struct sim_conn *queue = engine_conn(engine_of(io), listener)->listener;

    queue->sealed |= queue->local || !sim_chance(queue->sim, 200);
    return queue->sealed;
}
