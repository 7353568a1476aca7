/* health/agents.h: calls the agents of backends, and does what they say. Health thread only.
 *
 * A backend has an agent if its pool has check = agent or an agent_port, or if it has one itself. An agent is called every agent_interval, for at most
 * check_timeout. What it says stays until it says something else: a call that fails, or a line that is not valid, changes nothing but the log. */
#ifndef HEALTH_AGENTS_H
#define HEALTH_AGENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "health/due.h"
#include "health/probe.h"
#include "health/publisher.h"

struct agents {
    struct publisher *publisher; /* borrowed; its table has the backends */
    struct prober *prober;       /* NULL: no backend has had an agent */
    struct list all;             /* owned */
    size_t count;
    struct due_heap idle;        /* agents by the time of their next call */
    struct due_heap calling;     /* agents that are being called, by the end of their time limit */
    uint64_t random;
};

void agents_init(struct agents *agents, struct publisher *publisher);
/* Abandons the calls in flight and frees all agents. */
void agents_deinit(struct agents *agents);

/* Adjusts the agents to the table's live objects, like targets_sync(). An agent that has left the configuration loses its effect. Returns 0, or a negative
 * errno if some agents are not called; then call it again later. */
int agents_sync(struct agents *agents);

/* Handles the answers so far, ends calls whose time is over, and begins those that are due. */
void agents_run(struct agents *agents);

/* Returns the latest time for the next agents_run(); UINT64_MAX: none. */
uint64_t agents_wake_ns(const struct agents *agents);

#endif
