/* table/stats.h: what is counted about the traffic of a backend or a listener: in the live objects, and as plain values for reports.
 *
 * Workers add to the live counts when a session or flow begins and ends, when a backend is connected, when it sends its first byte, and when the open sessions
 * are flushed (worker/flush.h), but not for each message. Relaxed order throughout, because no other memory depends on the counts: sums over several of them
 * need not fit together at every moment. They are in cache lines of their own, so that they do not disturb those that selectors read. */
#ifndef TABLE_STATS_H
#define TABLE_STATS_H

#include <stdint.h>

/* Number of buckets of a histogram. The last one has no upper bound. */
#define STATS_BUCKETS 17

/* The upper bounds of the other buckets: a duration equal to a bound is counted in its bucket. */
extern const uint32_t stats_bounds_us[STATS_BUCKETS - 1];

/* Why a client or a datagram was refused. The first ones are for sessions and for datagrams, the others for datagrams only. */
enum report_refusal {
    REPORT_REFUSED_NO_BACKEND,       /* no backend is usable and below its limit */
    REPORT_REFUSED_NO_RESOURCES,     /* this machine lacks descriptors, memory or ports */
    REPORT_REFUSED_CONNECT,          /* sessions: no backend took the connection */
    REPORT_REFUSED_MAX_FLOWS,        /* of the process */
    REPORT_REFUSED_LISTENER_FULL,    /* max_flows of the listener */
    REPORT_REFUSED_SOURCE_FULL,
    REPORT_REFUSED_RATE,
    REPORT_REFUSED_DRAINING,
    REPORT_REFUSED_UNANSWERABLE,
    REPORT_REFUSED_TOO_LARGE,
    REPORT_REFUSED_NO_ROOM,
    REPORT_REFUSED_NOT_SENT,
    REPORT_REFUSED_UNWANTED,
    REPORT_REFUSALS
};

/* The termination codes of sessions and flows, as the access log writes them. Several reasons may share a code. */
enum report_end {
    REPORT_END_NORMAL,               /* -- */
    REPORT_END_CC,
    REPORT_END_CD,
    REPORT_END_SC,
    REPORT_END_SD,
    REPORT_END_SH,
    REPORT_END_CLIENT_IDLE,          /* cD */
    REPORT_END_CONNECT_TIMEOUT,      /* sC */
    REPORT_END_BACKEND_IDLE,         /* sD */
    REPORT_END_NO_FIRST_BYTE,        /* sH */
    REPORT_END_PC,
    REPORT_END_PD,
    REPORT_END_RC,
    REPORT_END_DD,
    REPORT_END_KD,
    REPORT_END_UD,
    REPORT_ENDS
};

/* ---- live counts; all zero at the start; any worker adds, any thread reads ---- */

struct stats_histogram {
    _Atomic uint64_t counts[STATS_BUCKETS];
    _Atomic uint64_t sum_us;
};

/* The fields have the meaning of those in struct report_traffic. */
struct stats_traffic {
    _Atomic uint64_t sessions, sessions_failed, flows;
    _Atomic uint64_t bytes[2], datagrams[2];
    struct stats_histogram connect, first_byte, session;
};

/* Of a backend. The events have the meaning of those in struct report_events. */
struct stats_backend {
    _Alignas(64) struct stats_traffic traffic;
    _Atomic uint64_t connect_failures, retries, replays, evicted;
};

/* Of a listener: by enum report_refusal and enum report_end. */
struct stats_listener {
    _Alignas(64) struct stats_traffic traffic;
    _Atomic uint64_t refused[REPORT_REFUSALS];
    _Atomic uint64_t ends[REPORT_ENDS];
};

void stats_add(_Atomic uint64_t *count, uint64_t n);
uint64_t stats_read(const _Atomic uint64_t *count);

/* Counts one duration. */
void stats_note_time(struct stats_histogram *histogram, uint64_t duration_ns);

/* ---- plain values; any thread ---- */

/* The counts are not cumulative. All zero: nothing was counted. */
struct report_histogram {
    uint64_t counts[STATS_BUCKETS];
    uint64_t sum_us;
};

/* Bytes and datagrams are those from clients to backends [0], and from backends to clients [1]. Bytes are of sessions and flows. */
struct report_traffic {
    uint64_t sessions;               /* of a backend: connected to it; of a listener: begun */
    uint64_t sessions_failed;        /* of a backend: broke, were closed without an answer, or got none in time; of a listener: ended without a backend */
    uint64_t flows;                  /* begun */
    uint64_t bytes[2];
    uint64_t datagrams[2];
    struct report_histogram connect; /* from the start of the attempt until the backend was connected */
    struct report_histogram first_byte; /* from the connection until the first byte of the backend */
    struct report_histogram session; /* from accepting the client until both ends were closed; of a backend: of the sessions that ended with it */
};

/* What has happened to a backend. */
struct report_events {
    uint64_t probes, probes_failed, probes_timed_out; /* `probes` includes the others */
    uint64_t connect_failures;       /* attempts to connect that failed by its fault */
    uint64_t retries;                /* attempts that failed, and were followed by another one with this or another backend */
    uint64_t replays;                /* sessions that moved to another backend because this one died before it answered */
    uint64_t ejections;
    uint64_t evicted;                /* sessions that Penstock closed because of the backend's state: on_down, drain_timeout, on_failback */
};

/* "no_backend", ... */
const char *report_refusal_word(enum report_refusal refusal);
/* "--", "CD", ... */
const char *report_end_word(enum report_end end);

/* Number of values in a histogram. */
uint64_t report_histogram_count(const struct report_histogram *histogram);

/* Estimates the value below which a share of the values lies, `percent` from 0 to 100: linear within the bucket, as Prometheus does it. The last bucket counts
 * as its lower bound. 0 while the histogram is empty. */
uint64_t report_histogram_percentile_us(const struct report_histogram *histogram, double percent);

/* Copies live counts. Events of the publisher are 0. */
void stats_report_traffic(const struct stats_traffic *stats, struct report_traffic *report);
void stats_report_events(const struct stats_backend *stats, struct report_events *report);

/* Adds `from` to `sum`. */
void report_add_traffic(struct report_traffic *sum, const struct report_traffic *from);
void report_add_events(struct report_events *sum, const struct report_events *from);

#endif
