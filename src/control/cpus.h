/* control/cpus.h: which CPU each worker is bound to (cpu_affinity). Control's thread. */
#ifndef CONTROL_CPUS_H
#define CONTROL_CPUS_H

#include "config/config.h"

/* Checks that this process may run on every CPU of the list in cpu_affinity. Returns 0, or -1 after logging the first CPU that is missing or not allowed. */
int cpus_check(const struct config *config);

/* Returns the CPU of the worker with this index, or -1 if the scheduler places it. */
int cpus_of_worker(const struct config *config, unsigned worker);

#endif
