/* health/cap.h: the cap on probes in flight, and the lines of those that wait for the end of another one. Health thread only.
 *
 * Each probe in flight takes a descriptor. A backend that hangs keeps its probe in flight for the whole check_timeout, so such backends can use up the cap. A
 * part of it is therefore reserved for the preferred line: the backends that are up or busy, where a probe shows something that sessions depend on.
 *
 *   reserved = max / 4, at least 1, and 0 if max is 1
 *   The probe that was due first begins first. While max - reserved of the others are in flight, only preferred ones begin.
 *
 *   Example: 1,000 backends are down and hang for 5 s each, and 10 are up; max is 256. 192 of the 1,000 are probed at a time, so each is probed every 26 s. The
 *   10 are probed on time.
 *
 * Probes that begin more than their interval late are counted, and reported after a second, then at most once a minute (cap_news()).
 *
 * A state that the caller owns, without a clock. */
#ifndef HEALTH_CAP_H
#define HEALTH_CAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/* Embedded in a target. */
struct cap_turn {
    struct list in_line;  /* while it waits; list_init() before the first use */
    uint64_t due_ns;      /* set by cap_wait() */
    uint32_t interval_ms; /* the probe is late if it begins more than this after due_ns */
    bool preferred;
};

struct cap {
    uint32_t max, reserved;
    uint32_t in_flight, others_in_flight; /* the latter: those that are not preferred */
    struct list preferred, others;        /* the lines, each in the order of due_ns */
    uint32_t late_count;                  /* probes that were late since the last report */
    uint64_t late_ns;                     /* the most that one of them was late */
    uint64_t news_at_ns;                  /* when cap_news() has something to say; UINT64_MAX: no probe was late lately */
};

enum cap_news { CAP_NO_NEWS, CAP_LATE, CAP_ON_TIME };

/* `max` is at least 1. */
void cap_init(struct cap *cap, uint32_t max);

/* Lets a probe wait that is due since `due_ns`. Calls come in the order of `due_ns`. */
void cap_wait(struct cap *cap, struct cap_turn *turn, uint64_t due_ns);
/* Takes a turn out of its line. */
void cap_leave(struct cap_turn *turn);

/* Returns the next probe that may begin, which then is no longer in a line and counts as in flight; NULL: none. */
struct cap_turn *cap_next(struct cap *cap, uint64_t now_ns);
/* Ends one that cap_next() has returned. */
void cap_end(struct cap *cap, const struct cap_turn *turn);

/* Returns what should be logged at `now_ns`. CAP_LATE: `*count` probes began late since the last report, the latest by `*late_ns`; CAP_ON_TIME: after such a
 * report, none was late for a minute. */
enum cap_news cap_news(struct cap *cap, uint64_t now_ns, uint32_t *count, uint64_t *late_ns);

#endif
