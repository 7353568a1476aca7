/* test/sim/sim.h: a small model of a kernel and a network, for tests. One thread.
 *
 * It has a virtual clock, TCP and UNIX connections of which one end is a descriptor of the workers' and the other, the peer, is driven by the test, listeners with
 * queues, and pipes. The workers reach it through their simulated engines (engine.h). One seed decides how long everything takes, how much of it happens at once,
 * in which order and what goes wrong, so that the same seed gives the same run. What a connection does after a reset follows Linux (net/ipv4/tcp.c): bytes that had
 * arrived stay readable, the error is told once, to whichever call comes first, and after that a receive says end of file and a send EPIPE. Urgent bytes are in
 * line: a receive ends in front of one, and the next begins with it; splice(2) does not pass it. */
#ifndef TEST_SIM_SIM_H
#define TEST_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"

struct buffer;
struct io_sock;
struct sim;
struct sim_conn;
struct sim_engine;

/* Something that happens at a time. Embedded; all zero is "not armed". */
struct sim_event {
    struct list link;
    uint64_t at_ns;
    void (*run)(struct sim_event *event); /* not armed any more, may be armed again */
    bool armed;
};

/* Chances in a thousand. */
struct sim_chances {
    uint32_t no_descriptor; /* accept and socket fail for want of descriptors or memory */
    uint32_t no_family;     /* socket fails for a reason that lies in the backend's address */
    uint32_t aborted;       /* accept fails because the client has gone already */
    uint32_t shut;          /* and because somebody has shut the listening socket from outside */
    uint32_t no_handle;     /* io_open() fails */
    uint32_t met_itself;    /* a connection turns out to lead to itself */
    uint32_t no_pipe;       /* pipe_open fails */
    uint32_t small_pipe;    /* and comes out with less than was asked for */
    uint32_t unspliceable;  /* of a connection: EINVAL from splice */
    uint32_t short_read, short_write;
    uint32_t again;         /* EAGAIN although there are bytes, or room */
    uint32_t spurious;      /* a poll ends although there is nothing; per wait */
    uint32_t late;          /* a turn comes late; a `closed` waits for another turn */
    uint32_t no_buffer;     /* memory for a receive buffer is refused */
    uint32_t no_ring;       /* queued: the kernel loses all its buffers with a dispatch, until there is memory to register them again */
    uint32_t no_request;    /* queued: the kernel takes no request, or only some, for want of memory */
    uint32_t full_queue;    /* queued: a request finds the queue full, which is handed over before the turn has ended */
    uint32_t missed;        /* queued: a cancellation does not find a receive although it is in flight */
    uint32_t ended_early;   /* queued: a multishot receive ends before its credit is used up */
};

struct sim_hooks {
    /* io_connect() was called: answer with sim_answer(), or never. */
    void (*connecting)(struct sim_conn *conn, const struct addr *addr);
    /* A client was accepted by `engine`. */
    void (*accepted)(struct sim_conn *conn, const struct sim_engine *engine);
    /* io_close() was called. */
    void (*closing)(struct sim_conn *conn);
    /* The last descriptor of a queue that lets nobody in any more is closed; `engine` had it. */
    void (*unlistening)(struct sim_conn *conn, const struct sim_engine *engine);
    /* The peer may find that it can read or send more, or that the connection has ended. */
    void (*changed)(struct sim_conn *conn);
    /* The engine was misused. Must not return. */
    void (*failed)(struct sim *sim, const char *what);
};

struct sim_options {
    uint64_t seed;
    bool queued;  /* as io_uring: the kernel acts during the wait and tells in the next dispatch; else as epoll: calls are made during the dispatch */
    bool gathers; /* queued: sends are made together when the wait begins; that one went out whole does not end the wait, unless someone hurries */
    bool multishot; /* queued: a receive goes on until its credit is used up; else until it has brought something */
    uint32_t buffers; /* queued: receive buffers that the kernel has at most */
    uint32_t gathered_max; /* most sends that are gathered */
    uint32_t gather_batch; /* so many are not kept waiting until the wait */
    bool tiny;    /* windows may be as small as a byte: many events */
    bool trace;   /* every note goes to standard output */
    uint64_t forbidden_until_ns; /* accept is denied before, as by a security module */
    struct sim_chances chances;
    const struct sim_hooks *hooks;
    void *owner;  /* the test's */
};

/* Bytes on their way in one direction: the first `arrived` of `length` can be read, the others wait for room and for time to pass. */
struct sim_stream {
    uint8_t *data;
    uint32_t size, head, length, arrived;
    uint32_t send_max, receive_max;  /* most that may wait before and after arriving */
    uint64_t total;                  /* bytes that arrived, ever */
    uint64_t mark;                   /* TCP's urgent byte is the one before this place of the stream; 0: none, or it was read */
    bool fin, fin_arrived;
    struct sim_event moving;
};

/* An operation that has ended and was not told yet. */
struct sim_done {
    uint8_t operation;
    bool last;             /* the operation is no longer in flight once this was told */
    int result;
    struct buffer *buffer; /* bytes received */
    uint64_t sequence;     /* among all that the engine was told */
};

enum { SIM_DONE_MAX = 24, SIM_EVENTFDS_MAX = 8 };

/* Descriptors begin far above any real one, so that a stray close(2) does no harm. */
enum { SIM_FD_BASE = 1 << 20 };

/* One connection, or a listener. Lives until sim_free(). */
struct sim_conn {
    struct sim *sim;
    uint32_t index;               /* among all, in order of their making */
    bool listening, sealed;       /* a listener; which takes no new client into its queue */
    bool accepted;                /* came from a listener */
    struct list link;             /* in a listener's queue */
    struct list queue;            /* a listener's: connections not yet accepted */
    struct sim_conn *listener;    /* of a listening descriptor: the one that has the queue and `sealed`; of a client: the one in whose queue it was */
    uint32_t descriptors;         /* of a listener that has its queue: how many are open */
    uint64_t arrived_ns, accepted_ns, served_ns; /* a client: when it came, was accepted (0: not yet) and came under an engine's care (0: not yet) */
    struct addr client;
    void *peer;                   /* the test's */
    uint32_t latency_us;          /* most that anything takes on the way */
    bool unspliceable;
    bool local;                   /* a UNIX socket */

    /* Our end. */
    struct io_sock *sock;         /* while an engine's caller has it */
    struct sim_engine *engine;    /* which has it under its care; NULL: none, or it was closed */
    struct list care;             /* in that engine's list */
    int event_fd;                 /* a real eventfd; -1: this is a socket */
    bool signalled;               /* the eventfd is readable, when last looked at */
    uint8_t requested;            /* operations that the kernel was not given yet: a bit each */
    uint8_t armed;                /* operations that the kernel works on */
    uint8_t cancelled;            /* closing: operations that the kernel was asked to end */
    uint8_t cancelling;           /* what the cancellation in flight is for */
    bool untried;                 /* the receive was armed and not yet tried */
    uint32_t receive_left;        /* bytes after which the kernel ends a multishot receive */
    bool overlooked;              /* the receive does not see what is there until more comes: see sim_stop_process() */
    bool starving;                /* its receive found no buffer: it starts anew when there are some */
    bool closable;                /* closing, and nothing is in flight any more */
    uint8_t spurious;             /* polls that are about to end without cause */
    struct sim_done done[SIM_DONE_MAX];
    uint32_t done_first, done_count;
    bool answered;                /* the attempt to connect has ended, with `answer` */
    int answer;
    bool established;
    bool failed;                  /* our end learned that the connection was reset or timed out, or would have, were it not closed */
    uint64_t failed_ns;           /* when */
    bool over;                    /* nothing can be sent or will arrive any more */
    bool unwanted;                /* UNIX: the peer does not read any more, and sends fail */
    bool released;                /* the descriptor is closed */
    int error;                    /* errno not yet told */
    uint64_t active_ns;           /* when the engine's caller last learned that bytes, or our FIN, had passed through this end */

    /* The peer's end. */
    bool peer_closed;             /* it has given up its descriptor */
    bool peer_reset;              /* it learned that the connection was reset */

    struct sim_stream in, out;    /* from the peer, to the peer */
    struct sim_event answering, resetting_us, resetting_peer;
};

struct sim_pipe {
    uint8_t *data;
    uint32_t start, length, capacity;
    bool open;
};

struct sim {
    struct sim_options options;
    uint64_t random;
    uint64_t now_ns;
    uint64_t digest;      /* of all notes */
    struct list events;   /* by time */
    struct sim_conn **conns;
    uint32_t conn_count;
    uint32_t conns_open;  /* descriptors of ours */
    struct sim_pipe *pipes;
    uint32_t pipe_count, pipes_open;
    struct sim_conn *eventfds[SIM_EVENTFDS_MAX];
    uint32_t eventfd_count;
    uint32_t denials;     /* of accept */
    int turning;          /* index of the engine whose worker has its turn; -1: none */
};

/* NULL: out of memory. */
struct sim *sim_new(const struct sim_options *options);
/* After io_free() of every engine. */
void sim_free(struct sim *sim);

/* ---- the test's side ---- */

/* A listening descriptor, for io_open(). */
int sim_listen(struct sim *sim, bool local);
/* Another one for the same queue. */
int sim_listen_share(struct sim *sim, int listener);
/* A client comes, to any of `count` listeners that lets it in: its end of a new connection. */
struct sim_conn *sim_arrive(struct sim *sim, const int *listeners, uint32_t count, const struct addr *client);
/* What becomes of an attempt to connect, after a time: 0 or an errno. */
void sim_answer(struct sim_conn *conn, int error, uint64_t after_ns);
/* Both windows of both directions anew, before the connection is used. */
void sim_draw_windows(struct sim_conn *conn);
/* The connection breaks without a word: our end learns `error`, as after a timeout. */
void sim_break(struct sim_conn *conn, int error);

/* The peer's calls. Sending gives the number taken, 0 when there is no room now, or -ECONNRESET. Reading gives a number, 0 after FIN, -EAGAIN or -ECONNRESET. */
int64_t sim_peer_send(struct sim_conn *conn, const uint8_t *data, uint32_t bytes);
int64_t sim_peer_read(struct sim_conn *conn, uint8_t *data, uint32_t bytes);
/* Makes the last byte sent an urgent one. */
void sim_peer_mark(struct sim_conn *conn);
void sim_peer_shutdown(struct sim_conn *conn);
/* As shutdown(2) for reading, of a UNIX socket. */
void sim_peer_stop_reading(struct sim_conn *conn);
/* As close(2): with RST when something was not read. */
void sim_peer_close(struct sim_conn *conn);
void sim_peer_reset(struct sim_conn *conn);

/* The process is stopped, and goes on: queued receives that wait at an urgent mark do not read it while the signal is pending (tcp_recvmsg). */
void sim_stop_process(struct sim *sim);

/* Time and chance. */
void sim_arm(struct sim *sim, struct sim_event *event, uint64_t after_ns);
/* Runs the events that are due; all that are to come when `all`. */
void sim_run_events(struct sim *sim, bool all);
/* When the next event is due; UINT64_MAX: none is. */
uint64_t sim_next_event_ns(const struct sim *sim);
uint32_t sim_below(struct sim *sim, uint32_t bound);
bool sim_chance(struct sim *sim, uint32_t per_mille);

/* An error that says that descriptors or memory are lacking. Negative. */
int sim_lack(struct sim *sim);
/* Adds to the digest, and prints when tracing: time, worker, connection, what. */
void sim_note(struct sim *sim, const struct sim_conn *conn, const char *what, int64_t value);
void sim_fail(struct sim *sim, const char *what) __attribute__((noreturn));

/* ---- for the engines: the kernel's side of our end ---- */

struct sim_conn *sim_conn_new(struct sim *sim);
/* `fd` is a real eventfd, which is the kernel's now. */
struct sim_conn *sim_eventfd(struct sim *sim, int fd);
struct sim_conn *sim_conn_find(struct sim *sim, int fd);
int sim_conn_fd(const struct sim_conn *conn);
bool sim_readable(const struct sim_conn *conn);
bool sim_writable(const struct sim_conn *conn);
/* As recv(2), splice(2) from a socket, send(2) (0: no room), shutdown(2), close(2). */
int64_t sim_receive(struct sim_conn *conn, uint8_t *data, uint32_t bytes);
int64_t sim_splice(struct sim_conn *conn, uint8_t *data, uint32_t bytes);
int64_t sim_send(struct sim_conn *conn, const uint8_t *data, uint32_t bytes);
int sim_shutdown(struct sim_conn *conn);
void sim_release(struct sim_conn *conn, bool reset);
/* A queue's clients that are not accepted are lost. */
void sim_reset_queue(struct sim_conn *listener);
/* Of eventfds, which are real and become readable without our doing: asks those of every engine. */
void sim_look_at_eventfds(struct sim *sim);

/* sim_net.c: makes a connection part of the network; lets what waits in a stream arrive, after a time; sends RST to our end, or to the peer's. */
void sim_net_init(struct sim_conn *conn);
void sim_net_move(struct sim_conn *conn, struct sim_stream *stream);
void sim_net_reset_us(struct sim_conn *conn);
void sim_net_reset_peer(struct sim_conn *conn);

void sim_stream_push(struct sim_stream *stream, const uint8_t *data, uint32_t bytes);
/* At most what has arrived; returns how many. */
uint32_t sim_stream_take(struct sim_stream *stream, uint8_t *data, uint32_t bytes);
/* What has not arrived never will. */
void sim_stream_cut(struct sim_stream *stream);

static inline uint32_t sim_stream_room(const struct sim_stream *stream)
{
    uint32_t waiting = stream->length - stream->arrived;

    return waiting < stream->send_max ? stream->send_max - waiting : 0;
}

#endif
