/* table/capacity.h: the weight and the limit that a backend has at present: what the configuration says, what its agent says, and how healthy it is.
 *
 *   weight  the agent's, or else the configured one; at most half of that while the backend is busy, and less during its slow start (slow_start)
 *   limit   the agent's max_connections, or else the configured one; less during the slow start
 *
 * Snapshots and selectors count weights in hundredths, so that weight 1 can be reduced too. Only the publisher calls these functions. */
#ifndef TABLE_CAPACITY_H
#define TABLE_CAPACITY_H

#include <stdint.h>

#define CAPACITY_WHOLE 100      /* a weight of 1, in hundredths; also a whole share, in percent */
#define CAPACITY_WEIGHT_MAX 256 /* greatest weight that a backend can have */

struct backend;

enum capacity_unit { CAPACITY_AS_CONFIGURED, CAPACITY_PERCENT, CAPACITY_ABSOLUTE };

/* A weight that an agent has set: `value` percent of the configured weight, or an absolute weight. The result is at most CAPACITY_WEIGHT_MAX. 0: the backend
 * takes no new sessions. The zero value of the struct leaves the configured weight. */
struct capacity_weight {
    enum capacity_unit unit;
    uint32_t value; /* not used if the unit is CAPACITY_AS_CONFIGURED */
};

/* Which part of its clients a backend gets for its weight, and keeps under consistent_hash, because of its health: 1 to CAPACITY_WHOLE percent. */
uint32_t capacity_share(const struct backend *backend);

/* The weight at present, in hundredths: 0, if the agent says so, to CAPACITY_WEIGHT_MAX * CAPACITY_WHOLE. */
uint32_t capacity_weight(const struct backend *backend);

/* The maximum number of connections at present; 0: no limit. */
uint32_t capacity_limit(const struct backend *backend);

#endif
