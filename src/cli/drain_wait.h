/* cli/drain_wait.h: waits until a backend that is drained has no sessions. Main thread. */
#ifndef CLI_DRAIN_WAIT_H
#define CLI_DRAIN_WAIT_H

#include <stdint.h>

#include "cli/find.h"
#include "cli/remote.h"

/* Prints the number of sessions whenever it changes; with --json, only the end as JSON. Returns 0 if the backend has no sessions, or is gone. Otherwise returns
 * the exit status after a message: `wait_ms` have passed, somebody has put it back, or nothing answers any more. */
int drain_wait(struct remote *remote, const struct find_backend *found, uint64_t wait_ms);

#endif
