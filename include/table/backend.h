/* table/backend.h: the live object of one backend: its identity, its state, its limit, and the number of its sessions.
 *
 * The publisher makes it (table/apply.c). It outlives snapshots: a session may keep a pointer to it while it holds a slot (table/lease.h) or a reference. A
 * backend that has left the configuration is freed after every worker has passed a quiescent point and no slot or reference is left.
 *
 * The slot count has acquire and release order, so that the publisher may free the object when it reads zero. All other shared fields are
 * immutable, or a word on which no other memory depends (relaxed), or a pointer to something immutable (release and acquire). */
#ifndef TABLE_BACKEND_H
#define TABLE_BACKEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/list.h"
#include "table/backend_state.h"
#include "table/capacity.h"
#include "table/stats.h"

/* The resolution of backend_heard_ns(): 134 ms. A power of two, because a shift costs less than a division. */
#define BACKEND_TICK_BITS 27
#define BACKEND_TICK_NS (UINT64_C(1) << BACKEND_TICK_BITS)

#define BACKEND_NEWCOMER_SESSIONS 32

struct backend_settings;
struct config_backend;
struct pool;

/* How a session with the backend failed, before any byte had come from it. */
enum backend_failure {
    BACKEND_CONNECT_FAILED, /* with the errno of the attempt */
    BACKEND_RESET,          /* the connection broke, with its errno */
    BACKEND_CLOSED,         /* the backend closed the connection */
    BACKEND_SILENT          /* first_byte_timeout */
};

/* What health remembers about the ejections of a backend (health/ejection.h has the theory). All zero: there was none. */
struct backend_ejection {
    uint64_t since_ns, until_ns; /* of the present ejection, or of the last one */
    uint64_t ended_ns;           /* when the last one ended */
    uint64_t stay_logged_ns;     /* when it was last logged that the backend fails and is not ejected; 0: never */
    uint64_t probes_needed;      /* number of probes in a row after which the present one ends early */
    uint32_t good_probes;        /* number of probes in a row that have passed, since the present one began */
    uint32_t steps;              /* how often its next time is doubled, before those are subtracted that have gone since the last one ended */
    bool probes_see;             /* probes see what is wrong: one has failed during the present one or just before, or the last session was not connected */
};

/* Whether the sessions of a backend are closed, and why. health/lifecycle.c decides it, worker/evict.c does it. */
enum backend_eviction {
    EVICTION_NONE,
    EVICTION_DOWN,     /* it is down, and on_down = close */
    EVICTION_DRAINED,  /* it drains, and drain_timeout is over */
    EVICTION_FAILBACK, /* it is a backup, another backend is usable, and on_failback = close */
    EVICTION_REASONS
};

/* Who may give a reason for the state of a backend. */
enum backend_reason { BACKEND_REASON_PROBE, BACKEND_REASON_EJECTION, BACKEND_REASON_AGENT, BACKEND_REASONS };

/* What health/lifecycle.c has noted about a backend, and has logged. */
struct backend_life {
    uint8_t phase;           /* its enum phase */
    bool evicts;             /* it was logged that sessions are being closed, and not yet that they are closed */
    uint64_t draining_ns;    /* when the drain began; valid while it drains */
    uint64_t evicting_ns;    /* when the eviction began */
};

struct backend {
    /* Identity: immutable. */
    const char *name;          /* unique in its pool; in the object's own memory */
    struct pool *pool;         /* outlives it */
    struct addr addr;
    uint32_t id;               /* unique in its pool, and never used again for another backend */

    /* Written by the publisher, read by any thread. */
    _Atomic(const struct backend_settings *) settings; /* replaced as a whole; the old ones are freed after every worker has passed a quiescent point */
    _Atomic uint32_t state;    /* table/backend_state.h; relaxed */
    _Atomic uint32_t eviction; /* enum backend_eviction; relaxed */
    _Atomic bool serves_anyway; /* it takes new sessions although it is not usable (table/service.h), by the last publication; relaxed */

    /* Written by every worker, but seldom, so that their caches keep this line. */
    _Atomic uint32_t heard_tick; /* when bytes last came from it, in ticks of backend_note_bytes(); 0: never; relaxed */

    /* Used only by the publisher. */
    struct list link;          /* in the list of all objects of its kind, including those that are leaving */
    bool leaving;              /* it has left the configuration; until it is condemned, a new configuration may bring it back */
    bool condemned;            /* it is unused and will not be used again: it will be freed */
    bool named;                /* the configuration that is being applied has this backend */
    struct capacity_weight agent_weight; /* what its agent says about its weight */
    uint32_t agent_limit;      /* the max_connections that its agent says; 0: as configured */
    struct backend_life life;
    struct list ramping;       /* in table.ramping, during its slow start */
    uint64_t ramp_since_ns;    /* when its slow start began; 0: it begins with the next table_advance() */
    uint8_t ramp_share;        /* percent of its weight and limit that it has because of its slow start; 100: all */
    bool awaited;              /* it has been in the table since the start of the process and has not been usable yet */
    struct agent *agent;       /* health's calls of its agent; NULL: it has none */
    struct target *target;     /* health's probe of this backend; NULL: health does not probe it */
    struct backend_ejection ejection;
    struct report_events events; /* those that health counts: probes and ejections */
    uint64_t probe_us;         /* duration of the last probe that passed; 0: none has */
    char *reasons[BACKEND_REASONS]; /* owned; the last ones; NULL: there was none, or no memory for it */
    uint64_t state_since_ns;   /* since when it has the state that reports show (table/report.h); 0: not noted yet */
    uint8_t state_noted;       /* that state, an enum report_state */

    /* Written by every worker. */
    _Alignas(64) _Atomic uint32_t in_flight; /* number of slots taken, by sessions that connect to it or are connected */
    _Atomic uint32_t references;             /* number of pointers that are kept without a slot */
    _Atomic uint64_t refused_ns;             /* when it last refused a datagram; 0: not since its last reply; relaxed */
    _Atomic uint32_t max_connections;        /* capacity_limit(), in the cache line that selectors read; 0: no limit; relaxed */
    _Atomic uint32_t newcomer_left;          /* number of sessions after which it is no longer a newcomer; also set by the publisher; relaxed */
    _Atomic uint32_t failures;               /* number of sessions in a row that failed; also set by the publisher; relaxed */
    _Atomic uint32_t last_failure;           /* the last one: 65,536 times its enum backend_failure, plus its errno; relaxed */
    _Atomic uint32_t evicted;                /* number of sessions closed since the present or last eviction began; relaxed */
    struct stats_backend stats;              /* table/stats.h */
};

/* Makes an idle live object and adds it to its pool's list of all backends. NULL: out of memory. `config` is read only during the call. Publisher. */
struct backend *backend_new(struct pool *pool, const struct config_backend *config, uint32_t id);
/* Frees it, and adds what it has counted to `gone` of its pool. Asserts that it is unused. NULL is allowed. Publisher. */
void backend_free(struct backend *backend);

/* The present settings, valid until the next quiescent point of the caller. Any thread that is online in the epoch, and the publisher. */
static inline const struct backend_settings *backend_settings(const struct backend *backend)
{
    return atomic_load_explicit(&backend->settings, memory_order_acquire);
}

/* Replaces the settings, and with them the limit. Returns the old settings, which readers may still hold. Publisher. */
const struct backend_settings *backend_replace_settings(struct backend *backend, const struct backend_settings *settings);

/* Makes the present limit (table/capacity.h) known to workers. Call it after anything that the limit depends on has changed. Publisher. */
void backend_update_limit(struct backend *backend);

/* Writes one source's part of the state. Returns whether this changes the standing. Publisher. */
bool backend_set_state(struct backend *backend, enum backend_source source, unsigned value);

/* The word of table/backend_state.h. Any thread. */
uint32_t backend_state(const struct backend *backend);

/* The standing that backend_state() gives. Any thread. */
enum backend_standing backend_standing(const struct backend *backend);

/* Keeps a reason for reports, and replaces the last one of this source. The text is copied. Publisher. */
void backend_set_reason(struct backend *backend, enum backend_reason source, const char *text);

/* Sets whether its sessions are closed, and why. If that changes, the count of evicted sessions starts at 0. Publisher. */
void backend_set_eviction(struct backend *backend, enum backend_eviction eviction);
enum backend_eviction backend_eviction(const struct backend *backend); /* Any thread. */
/* Counts a session that is being closed for that reason. Any worker. */
void backend_note_evicted(struct backend *backend);
/* Number of those. Any thread. */
uint32_t backend_evicted(const struct backend *backend);

/* A newcomer is a backend that has become usable while the process ran and has had fewer than BACKEND_NEWCOMER_SESSIONS sessions since. Sets whether it is one.
 * Publisher. */
void backend_set_newcomer(struct backend *backend, bool is_newcomer);
/* Whether it is one. Any thread. */
static inline bool backend_is_newcomer(const struct backend *backend)
{
    return atomic_load_explicit(&backend->newcomer_left, memory_order_relaxed) > 0;
}
/* Counts a session of a newcomer; does nothing for any other backend. Any worker. */
void backend_count_newcomer(struct backend *backend);

/* Whether it takes new sessions although it is not usable. Written by the publisher, read by any thread. */
void backend_set_serves_anyway(struct backend *backend, bool serves);
bool backend_serves_anyway(const struct backend *backend);
/* Whether it takes new sessions: it is usable, or too few others are. Any thread. */
bool backend_serves(const struct backend *backend);

/* Takes a slot unless the backend is at max_connections (compare-and-swap: never above the limit, over all workers). Every true must be paired with exactly one
 * backend_release(), which is for table/lease.c. Any worker. */
bool backend_reserve(struct backend *backend);
/* Gives a slot back. Asserts that one was taken. The object may be freed after the next quiescent point of the worker. Any worker. */
void backend_release(struct backend *backend);

/* Takes a reference, which keeps the object without a slot, and gives it back. Any worker. */
void backend_hold(struct backend *backend);
void backend_drop(struct backend *backend);

/* Number of slots taken: exact at some moment during the call. Any thread. */
uint32_t backend_in_flight(const struct backend *backend);

/* Notes that bytes have come from the backend on a session or flow. Bytes that it was sent do not count: the kernel takes them for a process that is stopped.
 * It is called for each receive, so it stores a coarse time, and only when that changes: 7.5 times a second. `now_ns`: the worker's time. Any worker. */
static inline void backend_note_bytes(struct backend *backend, uint64_t now_ns)
{
    uint32_t tick = (uint32_t)(now_ns >> BACKEND_TICK_BITS);

    if ((int32_t)(tick - atomic_load_explicit(&backend->heard_tick, memory_order_relaxed)) > 0) /* another worker's time may be later than this one's */
        atomic_store_explicit(&backend->heard_tick, tick, memory_order_relaxed);
}

/* Returns a time of clock_now_ns() that is at most BACKEND_TICK_NS before the last backend_note_bytes(), and not after it; 0: never. Any thread. */
uint64_t backend_heard_ns(const struct backend *backend);

/* Notes that the backend has refused a datagram, as an ICMP error says. `now_ns`, here and below: the caller's time of clock_now_ns(). Any worker. */
void backend_note_refusal(struct backend *backend, uint64_t now_ns);
/* Notes that a datagram has come from it, so that it takes datagrams again. Any worker. */
void backend_note_reply(struct backend *backend);
/* Whether it has refused a datagram in the last second, and no datagram has come from it since. Any thread. */
bool backend_refuses(const struct backend *backend, uint64_t now_ns);

/* Notes that a session failed through the backend's fault. `error`: an errno, or 0. Returns true if the publisher must be told, which then calls
 * pool_take_alarm(); false: it was already told, and has not called it since. Any worker. */
bool backend_note_failure(struct backend *backend, enum backend_failure what, int error);
/* Notes that a session went well: its first byte has come from the backend, or it ended in order. Any worker. */
void backend_note_success(struct backend *backend);

/* Number of sessions that have failed since one went well. Approximate while sessions end: workers do not order their notes. Any thread. */
uint32_t backend_failures(const struct backend *backend);
/* Sets that number. A note that a worker makes at the same time may be lost. Publisher. */
void backend_set_failures(struct backend *backend, uint32_t failures);
/* The last failure. Sets `*error` to its errno, or 0. Meaningful after a failure was noted. Any thread. */
enum backend_failure backend_last_failure(const struct backend *backend, int *error);

/* Copies its counts. Publisher. */
void backend_report(const struct backend *backend, struct report_traffic *traffic, struct report_events *events);

/* Whether it was at its limit at some moment during the call. Any thread. */
bool backend_full(const struct backend *backend);

/* Whether no slot and no reference is taken. Publisher. */
bool backend_is_unused(const struct backend *backend);

#endif
