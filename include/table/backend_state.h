/* table/backend_state.h: what is known about a backend, in one word, and what it means for new sessions.
 *
 * Each source of knowledge writes its own part of the word and nothing else; one function says what the parts mean together. The rows are tried from the top:
 *
 *   administrative  discovery  probe            ejection   standing
 *   --------------  ---------  ---------------  ---------  --------
 *   MAINTENANCE     any        any              any        DOWN
 *   DRAIN           any        any              any        DRAINING
 *   READY           GONE       any              any        DRAINING
 *   READY           PRESENT    DOWN             any        DOWN
 *   READY           PRESENT    UP or UNCHECKED  EJECTED    DOWN
 *   READY           PRESENT    UP or UNCHECKED  IN         USABLE
 *
 * Pure functions of the word; any thread. */
#ifndef TABLE_BACKEND_STATE_H
#define TABLE_BACKEND_STATE_H

#include <stdint.h>

/* The sources. Each has eight bits of the word. */
enum backend_source { BACKEND_PROBE, BACKEND_EJECTION, BACKEND_ADMIN, BACKEND_DISCOVERY, BACKEND_SOURCES };

/* What each source may say. 0 is what a source says that has never said anything. */
enum backend_probe_state { BACKEND_UNCHECKED, BACKEND_PROBE_UP, BACKEND_PROBE_DOWN };
enum backend_ejection_state { BACKEND_IN, BACKEND_EJECTED };
enum backend_admin_state { BACKEND_READY, BACKEND_ADMIN_DRAIN, BACKEND_ADMIN_MAINTENANCE };
enum backend_discovery_state { BACKEND_PRESENT, BACKEND_GONE };

enum backend_standing {
    BACKEND_USABLE,   /* takes new sessions */
    BACKEND_DRAINING, /* takes no new session; those it has go on */
    BACKEND_DOWN      /* takes no new session, and those it has may be lost */
};

/* What the word means. */
enum backend_standing backend_state_standing(uint32_t state);

/* The word with one source's part replaced. `value` is one of that source's enum, below 256. */
uint32_t backend_state_with(uint32_t state, enum backend_source source, unsigned value);

/* One source's part. */
unsigned backend_state_part(uint32_t state, enum backend_source source);

#endif
