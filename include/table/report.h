/* table/report.h: a copy of what the live objects, the workers and the process say at one moment, for the admin thread. Plain values: nothing in a report
 * belongs to another thread, and all strings are in the report's own memory.
 *
 * Counts never decrease while the process runs. Those of a backend that was removed and freed are added to `gone` of its pool, so that the sums of a pool do
 * not decrease either. Bytes and datagrams are those from clients to backends [0], and from backends to clients [1]. Times are of clock_now_ns(). */
#ifndef TABLE_REPORT_H
#define TABLE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "table/stats.h"

struct counters;
struct table;

/* The state of a backend in one word, for what an operator does about it; from good to bad. */
enum report_state {
    REPORT_UP,
    REPORT_UNCHECKED, /* it is not probed */
    REPORT_BUSY,
    REPORT_DRAIN,
    REPORT_MAINT,
    REPORT_LEAVING,   /* it has left the configuration, and its last sessions continue */
    REPORT_EJECTED,
    REPORT_TIMED_OUT, /* down, because of timeouts alone */
    REPORT_DOWN,
    REPORT_STATES
};

struct report_backend {
    const char *name, *addr_text;
    uint32_t id;                /* unique in its pool, and never used again for another backend */
    enum report_state state_now;
    const char *reason;         /* of state_now; "" if there is none to give */
    uint64_t since_ns;          /* since when it has state_now */
    bool backup;
    bool serves;                /* it takes new sessions */
    bool is_full;               /* it is at its present limit */
    bool slow_starts;
    uint32_t weight;            /* configured */
    uint32_t share_percent;     /* the weight that it has now, in percent of `weight` */
    uint32_t limit, limit_now;  /* max_connections as configured, and at present; 0: none */
    uint32_t slots;             /* number of open sessions and flows */
    uint64_t heard_ns;          /* when bytes last came from it, at a resolution of 134 ms; 0: never */
    uint64_t probe_us;          /* duration of the last probe that passed; 0: none has */
    struct report_events events;
    struct report_traffic traffic;
};

struct report_pool {
    const char *name, *balance, *check; /* words of the configuration */
    const char *service;        /* who takes new sessions: primaries, backups, panic, timed-out, fail-open or none (table/service.h) */
    bool leaving;               /* it has left the configuration, and its last sessions continue */
    uint32_t sessions;          /* number of open sessions and flows */
    uint32_t usable;            /* number of backends that are usable */
    struct report_backend *backends; /* in the order of the configuration, then those that are leaving */
    size_t backend_count;
    struct report_traffic gone; /* of backends that are freed */
    struct report_events gone_events;
};

struct report_listener {
    const char *name, *pool;
    const char *protocol;       /* word of the configuration */
    bool leaving;
    uint32_t sessions, sessions_max; /* open; max_connections, 0: only the limit of the process */
    uint32_t flows, flows_max;  /* open; max_flows, 0: only the limit of the process */
    uint64_t accepted;          /* clients that became sessions */
    uint64_t refused[REPORT_REFUSALS]; /* number of sessions and of datagrams */
    uint64_t ends[REPORT_ENDS]; /* number of sessions and flows that ended with each code */
    struct report_traffic traffic;
};

struct report_worker {
    uint32_t sessions;          /* open */
    uint64_t accepted, handed_over, ended, failed; /* table/counters.h */
    uint64_t flows, flows_refused, datagrams[2], datagrams_lost;
    uint64_t cpu_ns;            /* CPU time of its thread, as of the last flush */
    uint64_t bytes[2];          /* of sessions and flows; those of open sessions are as of the last flush */
};

/* One line that the health thread has logged about a pool or a backend. */
struct report_line {
    uint64_t id;                /* ascending, from 1 */
    struct timespec time;       /* of CLOCK_REALTIME */
    const char *pool, *backend; /* names; backend: "" if the line is about the whole pool */
    const char *text;           /* what follows the names in the log */
};

struct report {
    uint64_t taken_ns;
    struct timespec taken;      /* the same moment, of CLOCK_REALTIME */
    struct report_listener *listeners; /* in the order of the configuration, then those that are leaving */
    size_t listener_count;
    struct report_pool *pools;  /* likewise */
    size_t pool_count;
    struct report_worker *workers; /* by index */
    size_t worker_count;
    struct report_line *lines;  /* the last ones, the oldest first */
    size_t line_count;
    uint64_t log_dropped[2];    /* lines that could not be written to the log, and to the access log */
};

/* What a report is taken of. */
struct report_sources {
    const struct table *table;
    const struct counters *counters; /* one per worker; NULL: there are none */
    unsigned workers;
};

/* Takes a report. The caller owns it. Returns 0 or -ENOMEM. Publisher, because only the publisher may walk the live objects. */
int report_take(const struct report_sources *sources, struct report **report);

/* NULL is allowed. Any thread. */
void report_free(struct report *report);

/* The state that the word of table/backend_state.h means; `leaving`: the backend has left the configuration. */
enum report_state report_state_of(uint32_t state, bool leaving);
/* "up", "timed-out", ... */
const char *report_state_word(enum report_state state);

#endif
