/* io/kernel.h: system calls that both real engines make directly. Private to src/io. Worker thread. */
#ifndef IO_KERNEL_H
#define IO_KERNEL_H

#include "io/datagram.h"
#include "io/io.h"

/* The functions that set an option of a socket. An implementation that needs more than the arguments embeds this struct. */
struct kernel_setter {
    void (*set)(const struct kernel_setter *setter, int fd, int level, int option, int value);
    void (*set_text)(const struct kernel_setter *setter, int fd, int level, int option, const char *text); /* `text` must stay valid */
};
/* Sets all options of a new connection's socket. */
void kernel_set_options(const struct kernel_setter *setter, int fd, int family, const struct io_socket_options *options);

/* Opens a socket: io_ops.socket (io/io.h). */
int kernel_socket(struct io *io, int family);

/* Sets the options by system calls. */
void kernel_set_options_now(int fd, int family, const struct io_socket_options *options);

/* Functions of struct io_ops (io/io.h). */
int kernel_accept(struct io *io, struct io_sock *listener, struct addr *peer);
int kernel_receive_datagrams(struct io *io, struct io_sock *sock, struct io_batch *batch, unsigned first, unsigned count);
void kernel_send_datagrams(struct io *io, struct io_sock *sock, struct io_outgoing *messages, unsigned count);
int kernel_connect_datagram(struct io *io, const struct addr *addr, uint32_t receive_buffer_bytes);
bool kernel_has_clients(struct io *io, struct io_sock *listener);
uint64_t kernel_arrived_ns(struct io *io, int fd);
int kernel_listen_again(struct io *io, struct io_sock *listener, int backlog);
bool kernel_is_shut(struct io *io, struct io_sock *listener);
bool kernel_stop_queueing(struct io *io, struct io_sock *listener);
void kernel_set_congestion(struct io *io, int fd, const char *name);
void kernel_discard(struct io *io, int fd);
ssize_t kernel_splice_in(struct io *io, struct io_sock *sock, struct io_pipe *pipe, uint32_t bytes);
ssize_t kernel_splice_out(struct io *io, struct io_sock *sock, struct io_pipe *pipe);
int kernel_shutdown(struct io *io, struct io_sock *sock);
uint32_t kernel_undelivered(struct io *io, struct io_sock *sock);
int kernel_broken(struct io *io, struct io_sock *sock);
bool kernel_met_itself(struct io *io, struct io_sock *sock, const struct addr *peer);
bool kernel_tcp_info(struct io *io, struct io_sock *sock, struct io_tcp_info *info);
bool kernel_lacks_address(struct io *io, const struct addr *to);
void kernel_clear_event(struct io *io, struct io_sock *sock);
int kernel_pipe_open(struct io *io, struct io_pipe *pipe, uint32_t bytes);
void kernel_pipe_close(struct io *io, struct io_pipe *pipe);

/* io_ops.trimmable and io_ops.trim of engines whose only spare memory is free buffers. */
bool kernel_trimmable(struct io *io);
void kernel_trim(struct io *io);

/* Calls send(2) without blocking and without SIGPIPE. Returns the number of bytes, which may be short (0: none now), or a negative errno. */
ssize_t kernel_send(int fd, const uint8_t *data, uint32_t bytes);

/* Returns the number of unread bytes. FIN and errors do not count. */
uint32_t kernel_unread(const struct io_sock *sock);

/* Whether both directions of the connection have ended (POLLHUP). If we have not sent FIN, the connection was reset, or a UNIX peer closed it. */
bool kernel_hung_up(const struct io_sock *sock);

/* Sleeps for `us` microseconds or until a signal arrives. `us` is less than a second. */
void kernel_sleep(uint32_t us);

/* Closes the descriptor, with RST if sock->reset is set. */
void kernel_close(struct io_sock *sock);

/* Constructors of the two real engines. On failure they return NULL and set `*error` to a negative errno. */
struct io *uring_new(const struct io_choice *choice, const struct io_options *options, int *error);
struct io *epoll_new(const struct io_options *options, int *error);

#endif
