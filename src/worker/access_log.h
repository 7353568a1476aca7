/* worker/access_log.h: which sessions and flows have lines in the access log, and the lines of those that stay open for long (access_log_every). The worker's
 * thread.
 *
 * A worker visits its sessions and flows several times in each interval (worker/walk.h). One gets a line in the first visit after its age has reached another
 * multiple of the interval. So a long session costs no timer of its own, and its line comes at most an eighth of the interval late, or 10 s. */
#ifndef WORKER_ACCESS_LOG_H
#define WORKER_ACCESS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer_wheel.h"
#include "worker/walk.h"

struct worker;

struct access_log {
    struct timer timer;            /* armed between two visits */
    struct walk sessions, flows;   /* one after the other */
    uint64_t visited_ms, visit_ms; /* when the last visit began, and when the present one did */
};

/* Starts the visits, if they are configured. */
void access_log_init(struct worker *worker);

/* Whether the session or flow with this number is one of the share that access_log_sample says; the answer never changes. False without an access log. */
bool access_log_samples(const struct worker *worker, uint64_t number);

#endif
