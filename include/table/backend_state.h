/* table/backend_state.h: what is known about a backend, in one word, and what it means for new sessions.
 *
 * Each source of knowledge writes its own part of the word and nothing else; one function says what the parts mean together. The first matching row decides:
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

/* The values of each source's part. 0 is the value of a source that has written nothing yet. */
enum backend_probe_state { BACKEND_UNCHECKED, BACKEND_PROBE_UP, BACKEND_PROBE_DOWN };
enum backend_ejection_state { BACKEND_IN, BACKEND_EJECTED };
enum backend_admin_state { BACKEND_READY, BACKEND_ADMIN_DRAIN, BACKEND_ADMIN_MAINTENANCE };
enum backend_discovery_state { BACKEND_PRESENT, BACKEND_GONE };

enum backend_standing {
    BACKEND_USABLE,   /* takes new sessions */
    BACKEND_DRAINING, /* takes no new sessions; its present sessions continue */
    BACKEND_DOWN      /* takes no new sessions; its present sessions may break */
};

/* The standing that the parts of the word give together, by the table above. */
enum backend_standing backend_state_standing(uint32_t state);

/* The word with one source's part replaced. `value` is one of that source's enum, below 256. */
uint32_t backend_state_with(uint32_t state, enum backend_source source, unsigned value);

/* One source's part. */
unsigned backend_state_part(uint32_t state, enum backend_source source);

#endif
