/* worker/session.h: one proxied TCP connection. Everything here runs on the worker that owns the session.
 *
 * A session is two ends and two directions. A direction moves bytes from one end, its source, to the other; both directions are the same code. What a session
 * does, and what may happen to it, depends on its state: worker/session_state.h. */
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

/* Why a session ended; worker/session_log.h puts it into words. */
enum session_end {
    END_NORMAL,
    END_CLIENT_GONE,      /* the client reset the connection, or stopped answering */
    END_CLIENT_LEFT,      /* the same before a backend was connected */
    END_BACKEND_GONE,
    END_CLIENT_IDLE,      /* idle_timeout, half_close_timeout: it was the client's turn */
    END_BACKEND_IDLE,
    END_CONNECT_REFUSED,  /* by every backend tried */
    END_CONNECT_TIMEOUT,
    END_NO_BACKEND,       /* none up, or all at max_connections */
    END_NO_RESOURCES,     /* this process is out of something */
    END_STOPPED,          /* by drain_timeout or a second signal */
    END_REASONS
};

struct end {
    struct io_sock sock;
    uint8_t side;              /* enum side */
    bool open;                 /* io_open() was done and `closed` has not come */
    int error;                 /* errno that ended it; 0: none */
};

/* There are as many of these as connections: what is added here is paid for by each of them. */
struct session {
    struct worker *worker;
    struct list link;          /* in the worker's list of sessions */
    uint64_t number;           /* counts the sessions of its worker, from 1 */
    uint64_t active_ns;        /* when bytes last moved; CONNECTING: when the attempt began */
    enum session_state state : 8;
    enum session_end end : 8;
    uint8_t last_source;       /* enum side: whose bytes came last */
    bool last_small;           /* those were a small message: traffic_received() */
    bool looked_after;         /* RELAYING: the timer looks whether an end is gone on which nothing is in flight */
    uint8_t failures;          /* CONNECTING: attempts that failed through the backend's fault */
    uint16_t attempts;         /* connects that failed, for the log */
    uint32_t undelivered;      /* ABORTING: bytes that the side that is left had not acknowledged at the last look */
    struct end ends[2];        /* by enum side */
    struct direction directions[2]; /* by enum side of the source */
    struct timer timer;        /* CONNECTING: connect_timeout, and looking after the client; RELAYING: idle, and looking after ends; ABORTING: delivering the rest */

    struct lease lease;        /* its listener, pool and backend, and a place of each */
    struct select_request request; /* tried backends */
    struct backend *failed;    /* for the log: whose connect failed last; held; NULL: none did */
    uint16_t last_error;       /* errno of that */
    uint16_t lacking;          /* CONNECTING: errno of an attempt that failed through ours, such as EADDRNOTAVAIL; 0: none */
    struct addr client;
    uint64_t accepted_ns, connected_ns; /* connected_ns 0: never */
};

/* A session's number in a log line, unique in the process: its worker's and its own, as in "2.1734". */
#define SESSION_NUMBER "%u.%" PRIu64
#define SESSION_NUMBER_OF(session) (session)->worker->index, (session)->number

/* Takes over an accepted client: `fd` is the session's from now on, also on failure. So is the lease that was taken for it. */
struct session_arrival {
    int fd;
    struct lease lease;
    const struct addr *client;
};
void session_new(struct worker *worker, const struct session_arrival *arrival);

/* Ends the session, for the reason that the log will give; nothing when it is CLOSING already. Each open end is closed, with RST if its bit in `resets` (1 << side) is set. */
void session_end(struct session *session, enum session_end reason, unsigned resets);

/* Ends a session at once from outside its events: timeouts and stop. RST toward a side that FIN would tell that it has everything when it has not. */
void session_give_up(struct session *session, enum session_end reason);

/* ---- session_abort.c ---- */

/* RELAYING to ABORTING: one side is gone (its `error` is set). The other side gets what is still on the way, then RST. */
void session_abort(struct session *session, enum side gone);
/* ABORTING: looks whether the other side has everything by now. */
void session_abort_progress(struct session *session);

/* ---- session_timer.c ---- */

/* Notes that bytes moved: now, or at a time of the clock of io->now_ns. */
void session_touch(struct session *session);
void session_touch_at(struct session *session, uint64_t at_ns);

/* RELAYING: a direction does not read from its source just now, because its destination is full or the source has sent FIN. Nothing would tell if the
 * source were reset then: so it is looked at twice a second until the session reads again. */
void session_look_after(struct session *session);

/* Arms the timer for idle_timeout, or for half_close_timeout once a direction has ended, or for the next look. RELAYING. */
void session_arm(struct session *session);

/* RELAYING: the timer fires. */
void session_idle_timer(struct timer *timer);

/* ---- who is whose ---- */

static inline struct end *end_of_sock(struct io_sock *sock)
{
    return container_of(sock, struct end, sock);
}

static inline struct session *session_of_sock(struct io_sock *sock)
{
    struct end *end = end_of_sock(sock);

    return container_of(end - end->side, struct session, ends);
}

/* The settings in force: valid until the end of the turn. */
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
