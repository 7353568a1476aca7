/* control/capacity.h: how many connections, UDP flows and pipes the limit on open descriptors allows. Control's thread. */
#ifndef CONTROL_CAPACITY_H
#define CONTROL_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct capacity {
    uint32_t connections; /* maximum for the whole process */
    uint32_t flows;       /* UDP flows; maximum for the whole process; 0 if there are no UDP listeners */
    uint32_t pipes;       /* maximum for the whole process, for splicing */
    bool spare;           /* the spare sockets may be opened */
};

/* Raises the soft limit on open descriptors to the hard limit and divides it: two descriptors for each connection, one for each UDP flow, two for
 * each pipe, and those that the rest of the process needs. Then makes the kernel allocate the descriptor table in its full size.
 *
 * `sockets` is the number of listening sockets. `spare` is the number of optional ones: they are not opened if they take more than a sixteenth of the
 * limit, or if Penstock could not start with them. Returns 0, or -1 after logging that the limit is too low for max_connections, max_flows or a start. */
int capacity_plan(struct capacity *capacity, const struct config *config, size_t sockets, size_t spare);

#endif
