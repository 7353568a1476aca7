/* worker/flush.h: counts the bytes of open sessions and flows, which are otherwise counted at their ends (worker/tally.h). The worker's thread.
 *
 * A worker visits its sessions and flows a slice every millisecond (worker/walk.h), when a thread that wants a report has ordered it. */
#ifndef WORKER_FLUSH_H
#define WORKER_FLUSH_H

struct worker;

void flush_init(struct worker *worker);

/* Begins to count. May be repeated at any time. At the end, the worker's `flushes` (table/counters.h) grows by one. */
void flush_begin(struct worker *worker);

#endif
