/* control/sockets.h: the listening sockets, which control makes and owns until workers take them. Control's thread. */
#ifndef CONTROL_SOCKETS_H
#define CONTROL_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"
#include "worker/worker.h"

struct table;

/* One socket that is bound. */
struct bound_socket {
    size_t listener;     /* its position in the configuration */
    int fd;
    bool has_congestion; /* a congestion control of its own, which its clients inherit */
    bool is_unix;
};

struct sockets {
    struct bound_socket *all;  /* for each address one per worker */
    size_t count;
    size_t beside_left;        /* addresses that may yet be bound beside those that are configured (control/binding.h) */
    unsigned workers;
    unsigned taken;            /* so many workers have theirs */
    int lock;                  /* held until they listen; -1: not */
    char **unix_paths;         /* files to remove at the end */
    size_t unix_count;
    const char *loopback_congestion; /* of the plan */
};

/* What is going to be opened. */
struct sockets_plan {
    const char *loopback_congestion; /* as congestion_on_loopback() has said */
    size_t configured;               /* sockets, at most */
    size_t beside;                   /* more, on loopback addresses beside wildcard ones; whoever has no descriptors for them sets 0 */
};

/* Asks the kernel what its congestion control is. */
struct sockets_plan sockets_plan(const struct config *config);

/* Binds every listener once per worker (SO_REUSEPORT; a UNIX socket is bound once and shared), and what the plan has beside as far as it can be had. Returns
 * 0, or -1 after one line on standard error that names the place in the configuration; everything is closed then. An address that is still held is tried for
 * two seconds: the ring of a Penstock that has just ended can hold it for a moment. */
int sockets_open(struct sockets *sockets, const struct config *config, const struct sockets_plan *plan);

/* Gives the files of UNIX sockets to the user that the process is about to become. That user can remove them only if it may also write to their folder (in a
 * sticky one such as /tmp it must own them besides). 0, or -1 after one line on standard error. */
int sockets_give(const struct sockets *sockets, uid_t user, gid_t group);

/* Starts listening on all of them, those that workers have taken too: last, since from then on clients can connect to a process that may yet give up. Another
 * Penstock may then look at its addresses: before, it could not see that ours are in use. 0, or -1 after one line on standard error. */
int sockets_listen(struct sockets *sockets, const struct config *config);

/* How many sockets each worker gets. */
size_t sockets_per_worker(const struct sockets *sockets);

/* Gives the next worker its sockets, with the live objects of their listeners: fills `taken`, which has sockets_per_worker() places; sockets_close() does not touch them any more. */
void sockets_take(struct sockets *sockets, const struct table *table, struct worker_socket *taken);

/* Closes what was not given away, removes the UNIX socket files and frees. Safe on all zero and twice. */
void sockets_close(struct sockets *sockets);

#endif
