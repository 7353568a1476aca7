/* test/sim/sim_ops.h: what the files of the simulated engine share. */
#ifndef TEST_SIM_SIM_OPS_H
#define TEST_SIM_SIM_OPS_H

#include "sim.h"

static inline struct sim *sim_of(struct io *io)
{
    return container_of(io, struct sim, io);
}

/* The connection behind a socket that may be used; fails when it is none, or closing. */
struct sim_conn *sim_conn_of(struct sim *sim, const struct io_sock *sock);

/* Operations; the bit of one in io_sock.in_flight is 1 << it. */
enum { SIM_OP_CONNECT, SIM_OP_SEND, SIM_OP_OUT, SIM_OP_RECEIVE, SIM_OP_IN, SIM_OPS };

/* Whether sim_ops_attempt() would end, or bring on, the operation. */
bool sim_ops_possible(const struct sim_conn *conn, int operation);
/* Carries an operation on, as the kernel does. True: there is something to tell. */
bool sim_ops_attempt(struct sim_conn *conn, int operation, struct sim_done *done);
/* The first try of a gathered send. True: it went out whole. */
bool sim_ops_try_gathered(struct sim_conn *conn);
/* Calls the event, unless the socket is closing. */
void sim_ops_tell(struct sim_conn *conn, const struct sim_done *done);
/* Fails when the buffer that a pending send reads from was given back: it is lent until `sent` or `closed`. */
void sim_ops_check_lent(const struct sim_conn *conn);

/* Of struct io_ops: sim_ops.c, then sim_pipe.c. */
int sim_ops_open(struct io *io, struct io_sock *sock);
void sim_ops_close(struct io *io, struct io_sock *sock);
void sim_ops_connect(struct io *io, struct io_sock *sock, const struct addr *addr, const struct io_socket_options *options);
void sim_ops_receive(struct io *io, struct io_sock *sock);
int sim_ops_send(struct io *io, struct io_sock *sock, const uint8_t *data, uint32_t bytes);
void sim_ops_hurry(struct io *io);
void sim_ops_poll(struct io *io, struct io_sock *sock, enum io_side side);
int sim_ops_shutdown(struct io *io, struct io_sock *sock);
uint32_t sim_ops_undelivered(struct io *io, struct io_sock *sock);
int sim_ops_broken(struct io *io, struct io_sock *sock);
bool sim_ops_met_itself(struct io *io, struct io_sock *sock, const struct addr *peer);
void sim_ops_look_again(struct io *io);
void sim_ops_clear_event(struct io *io, struct io_sock *sock);
int sim_ops_socket(struct io *io, int family);
int sim_ops_accept(struct io *io, struct io_sock *listener, struct addr *peer);
int sim_ops_listen_again(struct io *io, struct io_sock *listener, int backlog);
bool sim_ops_is_shut(struct io *io, struct io_sock *listener);
bool sim_ops_stop_queueing(struct io *io, struct io_sock *listener);
void sim_ops_set_congestion(struct io *io, int fd, const char *name);
void sim_ops_keep_alive(struct io *io, struct io_sock *sock, uint32_t idle_ms);
void sim_ops_discard(struct io *io, int fd);
int sim_ops_pipe_open(struct io *io, struct io_pipe *pipe, uint32_t bytes);
void sim_ops_pipe_close(struct io *io, struct io_pipe *pipe);
ssize_t sim_ops_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes);
ssize_t sim_ops_splice_out(struct io *io, struct io_sock *sock, struct io_pipe *pipe);

/* sim_net.c: lets what waits in a stream arrive, after a time; sends RST to our end, or to the peer's. */
void sim_net_move(struct sim_conn *conn, struct sim_stream *stream);
void sim_net_reset_us(struct sim_conn *conn);
void sim_net_reset_peer(struct sim_conn *conn);

#endif
