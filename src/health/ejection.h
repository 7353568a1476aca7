/* health/ejection.h: ejects backends with which sessions fail again and again, and brings them back after a while. Health thread only.
 *
 * Workers count the sessions in a row that failed (worker/outcome.h says which do) in the backend, and raise the alarm of its pool (table/backend.h).
 *
 *   Ejection: a usable backend with eject_after failures or more is ejected for eject_time * 2^n, at most eject_time_max (or eject_time, if that is longer).
 *     n is the number of its earlier ejections, less one for each eject_time that it has been back.
 *     Example: 10s and 5m. A backend that fails whenever it is back is ejected for 10, 20, 40, 80, 160, 300, 300 s. After an ejection of 80 s (n was 3, and is
 *     4 now) and 25 s without one, the next lasts 40 s (n = 4 - 2).
 *   Limit: at most eject_share of the pool's backends, rounded down, are ejected at a time, and never the last usable one. A backend that stays for this reason
 *     is considered again at its next failure, and when another one comes back.
 *   Return: the first session after it decides. If that one fails, the backend is ejected again. Otherwise it has eject_after failures to go, as before.
 *     A backend returns early if nothing else of its pool is usable, or if rise * 2^n probes in a row pass and are known to see what is wrong with it: one has
 *     failed, or the last session could not be connected. So it is when a server was killed and has been restarted. When a server resets its sessions while
 *     it passes all probes, they say nothing.
 *     If the last session failed for first_byte_timeout, a probe that took half that time or longer counts as failed here, even if it passed in the end: it has
 *     waited as the sessions did. So it is when a server is stopped and continues before check_timeout. Half, because the probe may begin later than they.
 *
 * The first failure also makes the next probe due at once, because a server that was killed is down after `fall` probes. */
#ifndef HEALTH_EJECTION_H
#define HEALTH_EJECTION_H

#include <stdbool.h>
#include <stdint.h>

struct backend;
struct publisher;

struct ejection {
    struct publisher *publisher; /* borrowed */
    uint64_t alarmed_at_ns;      /* when to look at the pools with an alarm; UINT64_MAX: there is none */
    uint64_t looked_ns;          /* when that was done last; 0: never */
    uint64_t due_ns;             /* not later than the end of any ejection; UINT64_MAX: no backend is ejected */
};

void ejection_init(struct ejection *ejection, struct publisher *publisher);

/* A worker has told of a failure. The next ejection_run() that is due looks at the pools with an alarm: at once, but at most once in 10 ms. */
void ejection_alarm(struct ejection *ejection, uint64_t now_ns);

/* Takes over settings, after table_apply(). */
void ejection_applied(struct ejection *ejection, uint64_t now_ns);

/* A probe of the backend has passed or failed after `took_ns`, and the backend's next probe is scheduled. */
void ejection_note_probe(struct ejection *ejection, struct backend *backend, bool passed, uint64_t took_ns, uint64_t now_ns);

/* Does what is due. */
void ejection_run(struct ejection *ejection, uint64_t now_ns);

/* When ejection_run() must be called next; UINT64_MAX: only after another call. */
uint64_t ejection_wake_ns(const struct ejection *ejection);

#endif
