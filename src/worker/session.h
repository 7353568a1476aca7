/* worker/session.h: one proxied TCP connection. Everything here runs in the thread of the worker that owns the session.
 *
 * A session has two ends and two directions. A direction moves bytes from one end, its source, to the other. Both directions use the same code. The state of
 * the session decides what it does and which events may occur: worker/session_state.h. */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "base/timer_wheel.h"
#include "config/settings.h"
#include "io/io.h"
#include "select/selector.h"
#include "table/lease.h"
#include "table/listener.h"
#include "table/pool.h"
#include "worker/direction.h"
#include "worker/session_state.h"

struct backend;
struct worker;

/* Why a session ended. worker/session_log.c has the code and the text of each reason. */
enum session_end {
    END_NORMAL,
    END_CLIENT_GONE,      /* the client reset the connection, or its connection timed out */
    END_CLIENT_LEFT,      /* the same, before a backend was connected */
    END_BACKEND_GONE,
    END_NO_ANSWER,        /* the backend closed the connection before it answered, and no other one could be connected */
    END_CLIENT_IDLE,      /* idle_timeout or half_close_timeout, while the client was expected to send, read or close */
    END_BACKEND_IDLE,
    END_FIRST_BYTE_TIMEOUT,
    END_LIFETIME,
    END_CONNECT_REFUSED,  /* all tried backends refused, or failed otherwise */
    END_CONNECT_TIMEOUT,
    END_NO_BACKEND,       /* no backend is usable, or all are at max_connections */
    END_NO_RESOURCES,     /* this machine lacks descriptors, memory or ports */
    END_BACKEND_DOWN,     /* on_down = close */
    END_BACKEND_DRAINED,  /* drain_timeout of the pool */
    END_FAILBACK,         /* on_failback = close */
    END_KILLED,           /* an administrator closed it */
    END_STOPPED,          /* drain_timeout of the process, or a second signal */
    END_REASONS
};

struct end {
    struct io_sock sock;
    uint8_t side;              /* enum side */
    bool open;                 /* io_open() succeeded, and `closed` has not come yet */
    int error;                 /* errno of the connection; 0: none */
};

/* There is one for each connection, so each byte here counts. */
struct session {
    struct worker *worker;
    struct list link;          /* in the worker's list of sessions */
    uint64_t number;           /* number of the session in its worker, from 1 */
    uint64_t active_ns;        /* when bytes last moved; in CONNECTING: when the attempt began, or the client was accepted */
    enum session_state state : 8;
    enum session_end end : 8;
    bool last_small;           /* the last bytes were a small message; for traffic_received() */
    uint8_t last_source : 1;   /* enum side: the source of the last bytes */
    bool looked_after : 1;     /* RELAYING: the timer also checks ends on which nothing is in flight */
    bool resends : 1;          /* RECONNECTING: the next backend gets bytes that another one has had */
    uint8_t replays : 4;       /* number of backends that got such bytes; at most 15, as `retries` */
    bool again : 1;            /* CONNECTING: the next attempt goes to the same backend, whose slot is kept until then */
    uint8_t failures;          /* CONNECTING: number of attempts that failed through the backend's fault */
    uint8_t excluded;          /* CONNECTING: how many backends at the front of `tried` are not tried again, because they failed by their own fault */
    uint16_t attempts;         /* number of failed attempts, for the log */
    uint32_t connecting_ms;    /* when it began to connect or to reconnect, after accepted_ns */
    uint32_t undelivered;      /* ABORTING: bytes that the remaining side had not acknowledged at the last check */
    struct end ends[2];        /* by enum side */
    struct direction directions[2]; /* by enum side of the source */
    struct timer timer;        /* what for: see the state's contract in worker/session_state.h */

    struct lease lease;        /* its listener, pool and backend, with the places it holds */
    uint32_t tried[SELECT_TRIES_MAX]; /* ids of the backends that have failed for this session, as in struct select_request */
    uint32_t tried_count;
    struct backend *failed;    /* the backend of the last failed attempt, for the log; referenced; NULL: none */
    uint16_t last_error;       /* errno of that attempt */
    uint16_t lacking;          /* CONNECTING: errno of an attempt that failed for a lack on this machine, such as EADDRNOTAVAIL; 0: none */
    struct addr client;
    uint64_t accepted_ns, connected_ns; /* connected_ns is 0 until a backend is connected */
    union {
        uint64_t counted_bytes[2];   /* by enum side of the source; not in CLOSING: those that were counted so far (worker/tally.h) */
        struct io_tcp_info legs[2];  /* by enum side; CLOSING: for the log, with an `rtt_us` of 0 if unknown */
    };
    uint64_t first_byte_ns;    /* when the first bytes came from the backend; 0: none have come */
};

/* The number of a session in log lines, unique in the process: the number of its worker and its own, as in "2.1734". */
#define SESSION_NUMBER "%u.%" PRIu64
#define SESSION_NUMBER_OF(session) (session)->worker->index, (session)->number

/* An accepted client. session_new() takes over the descriptor and the lease, also on failure. */
struct session_arrival {
    int fd;
    struct lease lease;
    const struct addr *client;
};
void session_new(struct worker *worker, const struct session_arrival *arrival);

/* Ends the session with a reason for the log. Closes each open end, with RST if its bit (1 << side) in `resets` is set. Does nothing if the session is
 * CLOSING. */
void session_end(struct session *session, enum session_end reason, unsigned resets);

/* Ends a session because of a timeout, a stop, an eviction or an administrator. An end is closed with RST if FIN would make incomplete data look complete. */
void session_give_up(struct session *session, enum session_end reason);

/* Reads what the kernel knows about the connection of one side. Returns false if there is none, or it is no TCP connection. */
bool session_tcp_info(struct session *session, enum side side, struct io_tcp_info *info);

/* ---- session_abort.c ---- */

/* RELAYING to ABORTING: one side is gone, and its `error` is set. The other side gets the bytes that are still in transit, and then RST. */
void session_abort(struct session *session, enum side gone);
/* ABORTING: checks whether the other side has received everything. */
void session_abort_progress(struct session *session);

/* ---- session_timer.c ---- */

/* Notes that bytes moved: now, or at a given time of clock_now_ns(). */
void session_touch(struct session *session);
void session_touch_at(struct session *session, uint64_t at_ns);

/* RELAYING: a direction does not read from its source at present, because its destination is full or the source has sent FIN. No event would report a reset of
 * the source, so the timer checks it twice a second until the session reads again. */
void session_look_after(struct session *session);

/* RELAYING: arms the timer for the time limit that expires first (session_timer.c lists them), or for the next check of the ends. */
void session_arm(struct session *session);

/* RELAYING: the timer fires. */
void session_timer_fired(struct timer *timer);

/* ---- from a member to its session ---- */

static inline struct end *end_of_sock(struct io_sock *sock)
{
    return container_of(sock, struct end, sock);
}

static inline struct session *session_of_sock(struct io_sock *sock)
{
    struct end *end = end_of_sock(sock);

    return container_of(end - end->side, struct session, ends);
}

/* The settings of its pool, valid until the end of the turn. */
static inline const struct pool_settings *session_settings(const struct session *session)
{
    return pool_settings(session->lease.pool);
}

static inline struct session *session_of_direction(struct direction *direction)
{
    return container_of(direction - direction->source, struct session, directions);
}

/* The direction that reads from, or writes to, the socket. */
static inline struct direction *direction_from(struct io_sock *sock)
{
    return &session_of_sock(sock)->directions[end_of_sock(sock)->side];
}

static inline struct direction *direction_to(struct io_sock *sock)
{
    return &session_of_sock(sock)->directions[!end_of_sock(sock)->side];
}

static inline struct end *direction_source(struct direction *direction)
{
    return &session_of_direction(direction)->ends[direction->source];
}

static inline struct end *direction_destination(struct direction *direction)
{
    return &session_of_direction(direction)->ends[!direction->source];
}

#endif
