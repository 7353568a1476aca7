/* test/sim/world.h: one run of the simulation: workers built by hand, the clients and backends around them, and what is known about each session. */
#ifndef TEST_SIM_WORLD_H
#define TEST_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "engine.h"
#include "sim.h"
#include "table/limit.h"
#include "table/shortage.h"
#include "tap.h"
#include "worker/context.h"
#include "worker/session.h"

enum { WORKERS_MAX = 3, CLIENTS_USUAL = 12, CLIENTS_MAX = 60, BACKENDS_MAX = 20, POOLS_MAX = 2, LISTENERS_MAX = 2, ADDRESSES_MAX = 3, FAILED_MAX = 8 };
#define NEVER UINT64_MAX
#define MS ((uint64_t)1000000) /* in nanoseconds */

/* When a peer passes its FIN. */
enum fin_when { FIN_AFTER_BYTES, FIN_AFTER_FIN, FIN_NEVER, FIN_CLOSE };

/* What a peer will do, all chosen by the seed. */
struct script {
    uint64_t bytes;             /* to send */
    uint32_t piece_bytes_max;   /* at once */
    uint32_t pause_us_max;      /* between two pieces */
    uint64_t speak_after_bytes; /* says nothing before it has received so much */
    bool speak_after_fin;       /* nor before the other side's FIN */
    bool echo;                  /* sends as much as it has received */
    uint32_t urgent;            /* chance in a thousand that a piece ends in an urgent byte */
    bool deaf;                  /* never reads */
    uint32_t deaf_ms;           /* reads from then on */
    uint64_t last_read_bytes;   /* UNIX: shuts its reading side after so many; NEVER: it does not */
    uint32_t read_bytes_max;
    uint32_t read_pause_us_max;
    enum fin_when fin;
    uint64_t reset_after_sent, reset_after_received; /* NEVER: it does not */
    uint64_t break_after_us;    /* the network breaks; NEVER: it does not */
};

/* A client, or a backend's side of one connection. */
struct peer {
    struct world *world;
    struct sim_conn *conn;
    struct pair *pair;
    enum side side;
    struct script script;
    struct sim_event speaking, reading, breaking;
    uint64_t sent, received;
    bool started;
    bool fin_sent, fin_heard;
    bool reset_done;           /* by its script, or by closing without having read everything, or the network broke */
    bool reset_heard;
};

/* A client and the backend connection that its session made last. */
struct pair {
    uint32_t index;
    struct peer client, backend;
    struct sim_event arriving;
    uint32_t listener;
    bool has_backend;          /* an attempt to connect is underway or went well; `backend` is it */
    bool ended;                /* the session began to close; what follows was noted then */
    uint64_t ended_ns;
    enum session_end reason;
    const struct pool *pool;   /* the session's pool after the last turn; NULL: there is no session yet. Only compared: the pool may have been freed */
    uint64_t pool_ns;          /* when it got this pool */
    uint32_t failed[FAILED_MAX]; /* ids of the backends of this pool whose attempt failed by their own fault */
    uint32_t failed_count;
    bool relayed;              /* it had reached a backend by then */
    bool half_closed;          /* one side's FIN had been passed on by then */
    bool end_failed;           /* one of the session's ends had an error by then */
    uint64_t settled_ns;       /* first settled moment at which the client was in the accept queue; 0: it is not known to wait (check_waiting.c) */
    bool passed_by[LISTENERS_MAX][WORKERS_MAX]; /* it has been overtaken by a client of this UNIX listener and worker, and no TCP client has been accepted since */
};

enum life { LIFE_RUNNING, LIFE_CLOSING, LIFE_ENDED };

/* A worker as its thread would see it. */
struct member {
    struct world *world;
    struct worker *worker;
    struct sim_engine *engine;  /* NULL: ended */
    enum life life;
    uint64_t wake_ns;           /* asleep: when the wait is over; NEVER: it has no end */
    uint64_t stalled_ns;        /* its thread does not run before */
    struct worker_socket sockets[LISTENERS_MAX];
    struct sim_event accepting, continuing, draining, stopping; /* post mail */
};

/* A configuration that was drawn from the first one. */
struct changed {
    struct config config;
    struct config_listener listeners[LISTENERS_MAX];
    struct config_pool pools[POOLS_MAX];
    struct config_backend backends[POOLS_MAX][BACKENDS_MAX];
};

struct world {
    struct sim *sim;
    struct config config;
    struct config_listener listeners[LISTENERS_MAX];
    struct config_pool pools[POOLS_MAX];
    struct config_backend backends[POOLS_MAX][BACKENDS_MAX];
    struct addr addresses[POOLS_MAX][BACKENDS_MAX][ADDRESSES_MAX]; /* that a backend may have, the first one at the start */
    uint32_t mood[POOLS_MAX][BACKENDS_MAX]; /* chance in a thousand that an attempt to connect goes well */
    uint32_t lack;                          /* chance in a thousand that one that fails does so for want of a port */
    int listener_fds[LISTENERS_MAX][WORKERS_MAX];
    bool listener_local[LISTENERS_MAX];     /* a UNIX socket, which all workers share */
    struct limit connections, flows;
    struct limit_workers waiters;
    struct epoch *epoch;
    struct counters *counters;
    struct intake *intakes;
    struct mailbox *mailboxes;
    uint32_t mailbox_capacity;              /* messages: sometimes so few that it is full */
    struct table *table;
    struct worker_shared shared;
    struct member members[WORKERS_MAX];
    uint32_t worker_count;

    struct pair pairs[CLIENTS_MAX];
    uint32_t pair_count;
    bool quick;                 /* nothing happens that could keep a session from its orderly end for long */
    bool crowd;                 /* more clients than the limits let in, for short sessions */
    bool late_rush;             /* all clients come just when the workers are told to end */
    bool continues, drains, stops; /* the process is stopped and goes on, a few times; and ends before all clients were served */
    uint64_t accept_ns, end_ns; /* when the workers are told to accept, and to drain */
    bool rough;                 /* most peers reset, and one direction of a session is spliced while the other is copied */

    struct sim_event flipping, lacking, changing, reclaiming;
    struct changed changed;     /* the configuration in force, when `changes` is not 0 */
    uint32_t changes;           /* of the configuration, so far */
    uint32_t reclaims;          /* calls of table_reclaim() by its own event, so far */
    uint32_t places_allowed[LISTENERS_MAX]; /* how many connections a listener may have: its limit, or what it had when that was lowered */
    uint32_t slots_allowed[POOLS_MAX][BACKENDS_MAX][ADDRESSES_MAX]; /* the same of a backend with this address */
    struct pool_settings longest[POOLS_MAX]; /* the greatest retries and timeouts that the pool has had, because timers may have been armed under earlier settings */
    struct shortage shortage;
    bool stuck;                 /* nothing will ever happen */
    struct tap_record tap_records[CLIENTS_MAX][2]; /* by pair and source */
    uint32_t taps;              /* that live */
    uint64_t turns;
    uint64_t sessions_seen;     /* that began to close */
    bool had_places[LISTENERS_MAX]; /* the listener had a free place at the last settled moment, and ever since */
    const struct sim_conn *last_accepted[LISTENERS_MAX][WORKERS_MAX]; /* the last client that the worker accepted from this listener; NULL: none */
};

/* Runs a seed; sets `*digest`. Returns NULL, or what failed: a text that lives until the next run. What a failed run had allocated is lost. */
const char *world_run(uint64_t seed, bool trace, uint64_t *digest);

/* world_config.c: everything chosen before the run. */
void world_draw(struct world *world);

/* world_changes.c: the configuration changes while sessions run. */
void world_schedule_changes(struct world *world);

/* world_objects.c: the live objects, and what they are in the first configuration. */
uint32_t world_pool_of(const struct backend *backend);
uint32_t world_backend_of(const struct backend *backend);
/* Which of the backend's addresses this live object has. */
uint32_t world_address_of(const struct world *world, const struct backend *backend);
/* The live object of a listener of the first configuration. NULL: it has left, and is condemned or freed, because every worker has closed its sockets. */
struct listener *world_listener(const struct world *world, uint32_t listener);
/* Whether so many may be held, of those allowed so far. A lowered limit allows what is in use, and less when that becomes less. 0 and UINT32_MAX are no limit. */
bool world_may_hold(uint32_t *allowed, uint32_t max, uint32_t used);
/* Over all live objects, those that are leaving included. */
uint32_t world_sessions_of_pools(const struct world *world);
void world_each_backend(struct world *world, void (*check)(struct world *world, struct backend *backend));

/* Begins anew what is known about the session's pool if it has changed. */
void world_note_pool(struct pair *pair, const struct session *session);

/* world_hooks.c: what the kernel tells of: clients are accepted, sessions connect and close. */
extern const struct sim_hooks world_hooks;

/* world_events.c: who comes when, what is mailed when, which backends go up and down. */
void world_schedule(struct world *world);
/* Asks every worker that was not asked yet, at different times. */
void world_drain(struct world *world);

/* driver.c: the threads. */

/* Begins the workers' life. */
void driver_begin(struct world *world);
/* One worker has its turn; or, when none has anything to do, time passes. */
void driver_step(struct world *world);
bool driver_all_ended(const struct world *world);

/* peer.c */
void peer_draw(struct peer *peer);
/* The connection is there: the script begins. */
void peer_start(struct peer *peer);
/* Something changed for it. */
void peer_wake(struct peer *peer);
/* It does nothing any more. */
void peer_forget(struct peer *peer);

/* The checks end the run by world_fail() when something is wrong. */

/* check.c: the sessions of a worker that has just had its turn. */
void check_sessions(struct member *member);
/* What may pass without a byte. */
uint64_t check_patience_ms(const struct session *session, const struct pool_settings *settings);
uint64_t check_last_activity_ns(struct world *world, const struct session *session);

/* check_shared.c: what the workers share, after every turn; and one that ends. */
void check_shared(struct world *world);
void check_member_end(struct member *member);

/* check_waiting.c */

/* No client waits although there are places. Before time passes, when no worker has anything to do. */
void check_waiting(struct world *world);
/* The worker has just accepted the client of this pair: no client had to be accepted before it. */
void check_accepted(struct world *world, struct pair *accepted, uint32_t worker);

/* check_end.c: when a session closes, and what its peers hear. */
void check_closing(struct world *world, struct session *session);
void check_fin_heard(struct peer *peer);
void check_pairs(struct world *world);     /* everything that was underway has arrived */
void check_end(struct world *world);       /* all workers have ended */

struct peer *peer_mate(struct peer *peer);
struct pair *pair_of(struct world *world, const struct session *session);
void world_fail(struct world *world, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

#endif
