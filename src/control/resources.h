/* control/resources.h: how many connections the descriptor limit allows, and who the process is. Control's thread, before others start. */
#ifndef CONTROL_RESOURCES_H
#define CONTROL_RESOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"

struct resources {
    uint32_t connections;      /* of the process */
    uint32_t pipes;            /* of the process, for splicing */
    bool spare;                /* there is room for the spare sockets */
};

/* Raises the soft descriptor limit to the hard one and shares it out: two a connection, two a pipe, and what the rest of the process needs; makes the kernel's table
 * of descriptors so large. Returns 0, or -1 after one line on standard error: max_connections asks for more than there are. `sockets` is the number of listening sockets;
 * `spare` are more that are done without where they would keep it from starting or be more than a sixteenth of the limit. */
int resources_plan(struct resources *resources, const struct config *config, size_t sockets, size_t spare);

/* 0, or -1 after one line on standard error: cpu_affinity names a CPU that is not there, or that this process may not use. */
int resources_cpus(const struct config *config);

/* Who `user` and `group` are; those of the process where they are not set. */
struct identity {
    uid_t user;
    gid_t group;
    bool changes; /* not who the process is already */
};

/* 0, or -1 after one line on standard error: there is no such user or group. */
int resources_identity(struct identity *identity, const struct config *config);

/* Becomes it. 0, or -1 after one line on standard error. */
int resources_become(const struct identity *identity, const struct config *config);

/* Where the kernel's range of ports for outgoing connections begins. */
uint16_t resources_outgoing_port_min(void);

#endif
