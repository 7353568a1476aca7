/* health/agent_effect.h: what an agent has said so far, and what follows for its backend. Health thread only.
 *
 *   the agent's words          part of BACKEND_AGENT (table/backend_state.h)
 *   ---------------            -----------------------------------------------
 *   maint                      MAINTENANCE, until ready or drain
 *   down, fail or stopped      DOWN, until up
 *   drain                      DRAIN, until ready or maint
 *
 * The first row that holds decides. Weight and limit hold until the agent says others. Each change is logged once. */
#ifndef HEALTH_AGENT_EFFECT_H
#define HEALTH_AGENT_EFFECT_H

#include <stdint.h>

#include "health/agent_report.h"
#include "health/publisher.h"

/* An all-zero struct is the effect of an agent that has said nothing. */
struct agent_effect {
    enum agent_mode mode;       /* AGENT_MODE_SAME: ready */
    enum agent_service service; /* AGENT_SERVICE_SAME: up */
};

void agent_effect_apply(struct agent_effect *effect, struct publisher *publisher, struct backend *backend, const struct agent_report *report, uint64_t now_ns);

/* Takes everything back. */
void agent_effect_end(struct agent_effect *effect, struct publisher *publisher, struct backend *backend, uint64_t now_ns);

#endif
