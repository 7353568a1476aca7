/* test/sim/world.h: one run of the simulation: the workers, the clients and backends around them, and what the checks know about each session. Test thread. */
#ifndef TEST_SIM_WORLD_H
#define TEST_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "engine.h"
#include "evictions.h"
#include "health/ejection.h"
#include "health/publisher.h"
#include "sim.h"
#include "surveys.h"
#include "table/limit.h"
#include "table/shortage.h"
#include "tap.h"
#include "udp_world.h"
#include "worker/context.h"
#include "worker/session.h"

enum { WORKERS_MAX = 3, CLIENTS_USUAL = 12, CLIENTS_MAX = 60, BACKENDS_MAX = 20, POOLS_MAX = 2, LISTENERS_MAX = 2, ADDRESSES_MAX = 3, FAILED_MAX = 8 };
#define NEVER UINT64_MAX
#define MS ((uint64_t)1000000) /* in nanoseconds */

/* When a peer sends its FIN: after its bytes; after the FIN of the other side; never; or by close(2) after its bytes. */
enum fin_when { FIN_AFTER_BYTES, FIN_AFTER_FIN, FIN_NEVER, FIN_CLOSE };

/* What a peer will do. The seed chooses all of it. */
struct script {
    uint64_t bytes;             /* number of bytes to send */
    uint32_t piece_bytes_max;   /* maximum number of bytes in one send */
    uint32_t pause_us_max;      /* maximum pause between two sends */
    uint64_t speak_after_bytes; /* sends nothing before it has received this number of bytes */
    bool speak_after_fin;       /* sends nothing before the other side's FIN */
    bool echo;                  /* sends as many bytes as it has received */
    uint32_t urgent;            /* probability per thousand that the last byte of a send is urgent */
    bool deaf;                  /* does not read any more */
    uint32_t deaf_ms;           /* starts to read after this time */
    uint64_t last_read_bytes;   /* UNIX: shuts its reading side down after this number of bytes; NEVER: does not */
    uint32_t read_bytes_max;
    uint32_t read_pause_us_max;
    enum fin_when fin;
    uint64_t reset_after_sent, reset_after_received; /* resets after this number of bytes; NEVER: does not */
    uint64_t break_after_us;    /* the network fails after this time; NEVER: does not */
};

/* A client, or the backend's end of one connection. */
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
    bool reset_done;           /* its script reset the connection, it closed without having read everything, or the network failed */
    bool reset_heard;
};

/* A client, and the last connection of its session to a backend. */
struct pair {
    uint32_t index;
    struct peer client, backend;
    struct sim_event arriving;
    uint32_t listener;
    bool has_backend;          /* an attempt to connect is in progress or has succeeded: `backend` is valid */
    bool ended;                /* the session has begun to close; `ended_ns`, `reason`, `relayed`, `half_closed`, `quiet`, `taken` and `end_failed` are of
                                * that moment */
    uint64_t ended_ns;
    enum session_end reason;
    const struct pool *pool;   /* the session's pool after the last turn; NULL: there is no session yet. Only compared: the pool may have been freed */
    uint64_t pool_ns;          /* when it got this pool */
    uint32_t failed[FAILED_MAX]; /* ids of the backends of this pool whose attempt failed by their own fault */
    uint32_t failed_count;
    bool relayed;              /* it was connected to a backend */
    bool half_closed;          /* the FIN of one side had been passed on */
    uint64_t taken[2];         /* number of bytes that the session had received, by enum side of the source */
    bool end_failed;           /* one of the session's ends had an error */
    bool quiet;                /* it was closed because of its backend or its lifetime, and nothing may have been in transit */
    uint64_t settled_ns;       /* first settled moment at which the client was in the accept queue; 0: it is not known to wait (check_waiting.c) */
    bool passed_by[LISTENERS_MAX][WORKERS_MAX]; /* a client of this UNIX listener and worker has overtaken it, and no TCP client has had its turn since */
};

enum life { LIFE_RUNNING, LIFE_CLOSING, LIFE_ENDED };

/* A worker, with what its thread would have. */
struct member {
    struct world *world;
    struct worker *worker;
    struct sim_engine *engine;  /* NULL: the worker has ended */
    enum life life;
    uint64_t wake_ns;           /* while it sleeps: when the wait ends; NEVER: the wait has no timeout */
    uint64_t stalled_ns;        /* its thread does not run before this time */
    struct worker_socket sockets[LISTENERS_MAX + UDP_GROUPS_MAX];
    struct sim_event accepting, continuing, draining, stopping; /* each sends an order to the worker */
};

/* A later configuration, which is drawn from the first one. */
struct changed {
    struct config config;
    struct config_listener listeners[LISTENERS_MAX];
    struct config_pool pools[POOLS_MAX];
    struct config_backend backends[POOLS_MAX][BACKENDS_MAX];
};

/* What workers noted about their sessions at backends. */
struct outcomes {
    uint64_t failures, successes;         /* that were noted */
    uint64_t failures_due, successes_due; /* that the checks have seen */
    uint64_t open;                        /* sessions for which either may have been noted, or nothing */
};

struct world {
    struct sim *sim;
    struct config config;
    struct config_listener listeners[LISTENERS_MAX];
    struct config_pool pools[POOLS_MAX];
    struct config_backend backends[POOLS_MAX][BACKENDS_MAX];
    struct addr addresses[POOLS_MAX][BACKENDS_MAX][ADDRESSES_MAX]; /* the addresses that each backend may have; it starts with the first one */
    uint32_t mood[POOLS_MAX][BACKENDS_MAX]; /* probability per thousand that an attempt to connect succeeds */
    uint32_t lack;                          /* probability per thousand that a failed attempt fails for lack of a local port */
    uint32_t unreachable;                   /* which of their addresses the backends cannot be reached at, for lack of a local address; ADDRESSES_MAX: none */
    int listener_fds[LISTENERS_MAX][WORKERS_MAX];
    bool listener_local[LISTENERS_MAX];     /* a UNIX socket, whose accept queue all workers share */
    struct limit connections, flows;
    struct limit_workers waiters;
    struct epoch *epoch;
    struct counters *counters;
    struct intake *intakes;
    struct mailbox *mailboxes;
    uint32_t mailbox_capacity;              /* in messages; sometimes so small that a mailbox is full */
    struct table *table;
    struct worker_shared shared;
    struct member members[WORKERS_MAX];
    uint32_t worker_count;

    struct pair pairs[CLIENTS_MAX];
    uint32_t pair_count;        /* 0: there are only UDP clients */
    struct udp_world udp;
    bool quick;                 /* nothing happens that could prevent a session from ending normally */
    bool crowd;                 /* more clients than the limits admit at once, with short sessions */
    bool late_rush;             /* all clients arrive about when the workers are ordered to drain */
    bool continues, drains, stops; /* the process is stopped and continued; workers are ordered to drain, or to stop, before all clients are served */
    uint64_t accept_ns, end_ns; /* when the workers are ordered to accept, and to drain */
    bool lasting;               /* many sessions without limits, which do not end by themselves, and whose backends go down */
    bool deadly;                /* most backends die before they answer, and the pools replay; in a quick run, the first backend of a pool does not die */
    bool rough;                 /* most peers reset their connection, and often one direction of a session is spliced while the other is copied */

    struct sim_event flipping, lacking, changing, reclaiming;
    struct changed changed;     /* the present configuration, unless `changes` is 0 */
    uint32_t changes;           /* number of changes of the configuration so far */
    uint32_t reclaims;          /* number of calls of table_reclaim() by the event `reclaiming` so far */
    uint32_t places_allowed[LISTENERS_MAX]; /* maximum number of connections of a listener: its limit, or more if it had more when its limit was lowered */
    uint32_t slots_allowed[POOLS_MAX][BACKENDS_MAX][ADDRESSES_MAX]; /* the same for a backend with this address */
    struct pool_settings longest[POOLS_MAX]; /* the greatest retries and timeouts that the pool has had: timers may have been armed under these */
    struct evictions evictions;
    struct eviction_record eviction_records[POOLS_MAX][BACKENDS_MAX][ADDRESSES_MAX];
    struct eviction_rate eviction_rates[POOLS_MAX];
    struct surveys surveys;
    struct shortage shortage;
    struct publisher publisher; /* with `ejection`: what the health thread would have */
    struct ejection ejection;
    struct sim_event ejecting;  /* the next ejection_run(), or publication of what it did */
    struct outcomes outcomes;
    bool stuck;                 /* no event is left and every worker waits without a timeout */
    struct tap_record tap_records[CLIENTS_MAX][2]; /* of each pair and each source */
    uint32_t taps;              /* number of taps that are not freed */
    uint64_t turns;             /* number of turns so far */
    uint64_t sessions_seen;     /* number of sessions that have begun to close */
    bool had_places[LISTENERS_MAX]; /* the listener had a free place at the last settled moment, and ever since */
    const struct sim_conn *last_accepted[LISTENERS_MAX][WORKERS_MAX]; /* the last client that the worker accepted from this listener; NULL: none */
};

/* Runs a seed and sets `*digest`. Returns NULL, or a text that says what failed and is valid until the next run. The memory of a failed run is not freed. */
const char *world_run(uint64_t seed, bool trace, uint64_t *digest);

/* world_config.c: draws everything that is chosen before the run. */
void world_draw(struct world *world);

/* world_changes.c: the configuration changes while sessions run. */
void world_schedule_changes(struct world *world);

/* world_ejection.c: health's part in the ejection of backends. */
void world_ejection_begin(struct world *world);
/* A probe of the backend has passed or failed. */
void world_ejection_probed(struct world *world, struct backend *backend, bool passed);
/* The configuration has changed. */
void world_ejection_applied(struct world *world);

/* world_objects.c: the live objects, and what they are in the first configuration. */
uint32_t world_pool_of(const struct backend *backend);
uint32_t world_backend_of(const struct backend *backend);
/* Which of the backend's addresses this live object has. */
uint32_t world_address_of(const struct world *world, const struct backend *backend);
/* The live object of a listener of the first configuration. NULL: it has left, and is condemned or freed, because every worker has closed its sockets. */
struct listener *world_listener(const struct world *world, uint32_t listener);
/* Whether `used` is at most `*allowed`. Then lowers `*allowed` to `max`, or to `used` if more than `max` are in use. A `max` of 0 or UINT32_MAX is no limit. */
bool world_may_hold(uint32_t *allowed, uint32_t max, uint32_t used);
/* Notes what backends may hold now. Call it after their limits have changed. */
void world_note_limits(struct world *world);
/* These two include live objects that are leaving. */
uint32_t world_sessions_of_pools(const struct world *world);
void world_each_backend(struct world *world, void (*check)(struct world *world, struct backend *backend));

/* If the session has changed its pool, forgets what is known about the old one. */
void world_note_pool(struct pair *pair, const struct session *session);

/* world_hooks.c. Whether there is no local address from which `to` can be reached. */
bool world_lacks_address(const struct world *world, const struct addr *to);

/* world_hooks.c: what happens when a client is accepted, and when a session connects or closes. */
extern const struct sim_hooks world_hooks;

/* world_events.c: schedules the arrivals of clients, the orders to the workers, and the changes of backend states. */
void world_schedule(struct world *world);
/* Orders every worker to drain, each at another time. */
void world_drain(struct world *world);

/* driver.c: the threads of the workers. */

/* Prepares the workers. */
void driver_begin(struct world *world);
/* Gives one worker its turn. If no worker has anything to do, lets time pass. */
void driver_step(struct world *world);
bool driver_all_ended(const struct world *world);

/* peer.c */

/* Draws the script. */
void peer_draw(struct peer *peer);
/* The connection is established: starts the script. */
void peer_start(struct peer *peer);
/* The peer may be able to read or send. */
void peer_wake(struct peer *peer);
/* Ends the script. */
void peer_forget(struct peer *peer);

/* The checks call world_fail(), which ends the run, when something is wrong. */

/* check.c: checks the sessions of a worker that has just had its turn. */
void check_sessions(struct member *member);
/* Returns idle_timeout or half_close_timeout, whichever applies to the session. */
uint64_t check_idle_ms(const struct session *session, const struct pool_settings *settings);
/* When first_byte_timeout of so many ms ends a session that waits for its answer, unless bytes come from the backend on any session. */
uint64_t check_first_byte_ns(struct world *world, const struct session *session, uint64_t timeout_ms);
/* Whether first_byte_timeout applies to the session. */
bool check_may_await_answer(const struct session *session);
/* Returns when the session's lifetime ends under these settings, at the latest (`jitter_sign` 1) or at the earliest (-1), without lifetime_quiet. */
uint64_t check_lifetime_ns(const struct session *session, const struct pool_settings *settings, int jitter_sign);
/* Returns when the worker last learned that bytes, or a FIN, had passed through an end of the session. */
uint64_t check_last_activity_ns(struct world *world, const struct session *session);

/* check_shared.c: checks what the workers share, after every turn; and a worker that ends. */
void check_shared(struct world *world);
/* Number of clients that are being handed over to the worker. */
uint32_t check_underway(const struct world *world, uint32_t worker);
void check_member_end(struct member *member);

/* check_waiting.c */

/* Checks that no client waits although there are places. Before time passes, when no worker has anything to do. */
void check_waiting(struct world *world);
/* The worker has just accepted the client of this pair: checks that no other client had to be accepted first. */
void check_accepted(struct world *world, struct pair *accepted, uint32_t worker);

/* check_outcome.c: what workers note at backends about their sessions. */
void check_outcome_begin(struct world *world);
/* Whether the attempt to connect that has just failed did so through the backend's fault. */
bool check_own_fault(struct world *world, const struct session *session);
/* An attempt to connect has failed. */
void check_outcome_attempt(struct world *world, const struct session *session);
/* The session has begun to close. */
void check_outcome_closing(struct world *world, const struct session *session, const struct pair *pair);
/* After all workers have ended. */
void check_outcome_end(struct world *world);

/* check_stats.c: what workers count at listeners and backends. */
void check_stats_begin(void);
void check_stats_end(struct world *world); /* after all workers have ended, while the table is still there */

/* check_end.c */

/* Whether retry_timeout of the session has passed. */
bool check_is_late(const struct session *session);
/* When the session began to connect or to reconnect. */
uint64_t check_began_ns(const struct session *session);
/* Checks a session that gives up its backend, or whose attempt to connect to another one has failed. */
void check_given_up(struct world *world, const struct session *session);
/* Checks a session that begins to close, a peer that receives FIN, and the state after the run. */
void check_closing(struct world *world, struct session *session);
void check_fin_heard(struct peer *peer);
void check_pairs(struct world *world);     /* after everything in transit has arrived */
void check_end(struct world *world);       /* after all workers have ended */

/* Returns the peer at the other end of the session. */
struct peer *peer_mate(struct peer *peer);
/* Returns the pair of a session whose client is connected. */
struct pair *pair_of(struct world *world, const struct session *session);
/* Ends the run. */
void world_fail(struct world *world, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

#endif
