/* table/backend_state.h: what is known about a backend, in one word, and what it means for new sessions.
 *
 * Each source of knowledge writes its own part of the word and nothing else; one function says what the parts mean together. The first matching row decides:
 *
 *   administrative or agent   weight    discovery  agent  probe                  ejection   standing
 *   ------------------------  --------  ---------  -----  ---------------------  ---------  --------
 *   one says MAINTENANCE      any       any        any    any                    any        DOWN
 *   one says DRAIN            any       any        any    any                    any        DRAINING
 *   neither                   ZERO      any        any    any                    any        DRAINING
 *   neither                   POSITIVE  GONE       any    any                    any        DRAINING
 *   neither                   POSITIVE  PRESENT    DOWN   any                    any        DOWN
 *   neither                   POSITIVE  PRESENT    READY  DOWN or TIMED_OUT      any        DOWN
 *   neither                   POSITIVE  PRESENT    READY  UP, BUSY or UNCHECKED  EJECTED    DOWN
 *   neither                   POSITIVE  PRESENT    READY  UP, BUSY or UNCHECKED  IN         USABLE
 *
 * Pure functions of the word; any thread. */
#ifndef TABLE_BACKEND_STATE_H
#define TABLE_BACKEND_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* The sources. Each has four bits of the word. */
enum backend_source { BACKEND_PROBE, BACKEND_EJECTION, BACKEND_ADMIN, BACKEND_AGENT, BACKEND_WEIGHT, BACKEND_DISCOVERY, BACKEND_SOURCES };

/* The values of each source's part. 0 is the value of a source that has written nothing yet. */
enum backend_probe_state {
    BACKEND_UNCHECKED,
    BACKEND_PROBE_UP,
    BACKEND_PROBE_DOWN,     /* at least one of the probes that failed was refused or answered wrongly */
    BACKEND_PROBE_BUSY,     /* probes time out, but its sessions move bytes: it takes fewer new sessions */
    BACKEND_PROBE_TIMED_OUT /* down, because of timeouts alone */
};
enum backend_ejection_state { BACKEND_IN, BACKEND_EJECTED };
enum backend_admin_state { BACKEND_READY, BACKEND_ADMIN_DRAIN, BACKEND_ADMIN_MAINTENANCE };
enum backend_agent_state { BACKEND_AGENT_READY, BACKEND_AGENT_DRAIN, BACKEND_AGENT_MAINTENANCE, BACKEND_AGENT_DOWN };
enum backend_weight_state { BACKEND_WEIGHT_POSITIVE, BACKEND_WEIGHT_ZERO }; /* written by table_set_agent_weight() */
enum backend_discovery_state { BACKEND_PRESENT, BACKEND_GONE };

enum backend_standing {
    BACKEND_USABLE,   /* takes new sessions */
    BACKEND_DRAINING, /* takes no new sessions; its present sessions continue */
    BACKEND_DOWN      /* takes no new sessions; its present sessions may break */
};

/* The standing that the parts of the word give together, by the table above. */
enum backend_standing backend_state_standing(uint32_t state);

/* Whether a probe, the administrator or the agent says that it is down or in maintenance. An ejection alone does not: it is a guess after some failures, and
 * sessions that still work must not suffer from it. */
bool backend_state_is_down(uint32_t state);

/* Whether nothing but its health keeps the backend from new sessions, if anything does: it would be usable if its probes passed, its agent did not say that it
 * is down, and it were not ejected. */
bool backend_state_is_eligible(uint32_t state);

/* Whether only timeouts of its probes keep the backend from new sessions. */
bool backend_state_only_timed_out(uint32_t state);

/* Whether only an ejection keeps the backend from new sessions. */
bool backend_state_only_ejected(uint32_t state);

/* The word with one source's part replaced. `value` is one of that source's enum, below 16. */
uint32_t backend_state_with(uint32_t state, enum backend_source source, unsigned value);

/* One source's part. */
unsigned backend_state_part(uint32_t state, enum backend_source source);

#endif
