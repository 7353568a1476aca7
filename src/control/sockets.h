/* control/sockets.h: the listening sockets. Control opens them and owns them until workers take them. Control's thread. */
#ifndef CONTROL_SOCKETS_H
#define CONTROL_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"
#include "worker/worker.h"

struct table;

/* One bound socket. */
struct bound_socket {
    size_t listener;     /* index in the configuration */
    struct addr addr;    /* to which it is bound */
    int fd;
    bool has_congestion; /* it has its own congestion control, which accepted sockets inherit */
    bool is_unix;
    bool is_udp;
};

struct sockets {
    struct bound_socket *all;  /* for each address, one socket for each worker */
    size_t count;
    size_t beside_left;        /* number of loopback addresses that may still be added (control/binding.h) */
    unsigned workers;
    unsigned taken;            /* workers that have taken their sockets; workers take them in order */
    int lock;                  /* of start_lock_take(), held until the sockets listen; -1: none */
    char **unix_paths;         /* socket files to remove at the end; owned */
    size_t unix_count;
    const char *loopback_congestion; /* from the plan */
};

/* What sockets_open() will open. */
struct sockets_plan {
    const char *loopback_congestion; /* result of congestion_on_loopback() */
    size_t configured;               /* upper bound on the number of configured sockets */
    size_t beside;                   /* number of sockets on added loopback addresses; the caller sets 0 if there are no descriptors for them */
};

/* Counts the sockets of the configuration. Asks the kernel for its default congestion control. */
struct sockets_plan sockets_plan(const struct config *config);

/* Binds every listener once for each worker (SO_REUSEPORT; a UNIX socket is bound once and shared), and the added loopback addresses where that succeeds.
 * Retries an address that is in use for two seconds, because the io_uring instance of a Penstock that has just ended can hold it for a moment. Returns 0, or
 * -1 after logging the failure with its place in the configuration; then everything is closed. */
int sockets_open(struct sockets *sockets, const struct config *config, const struct sockets_plan *plan);

/* Changes the owner of the UNIX socket files to the user that the process will switch to. To remove a file at the end, that user needs write permission for
 * its directory; in a sticky directory such as /tmp it must also own the file. Returns 0, or -1 after logging. */
int sockets_give(const struct sockets *sockets, uid_t user, gid_t group);

/* Calls listen() on all sockets, including those that workers have taken, and releases the start lock. This is the last step of a start: from here on clients
 * can connect, so nothing after it may fail. Returns 0, or -1 after logging. */
int sockets_listen(struct sockets *sockets, const struct config *config);

/* Returns how many sockets each worker gets. */
size_t sockets_per_worker(const struct sockets *sockets);

/* Hands the sockets of the next worker over, with the live objects of their listeners: fills `taken`, which has sockets_per_worker() places. The caller owns
 * the sockets from here on. */
void sockets_take(struct sockets *sockets, const struct table *table, struct worker_socket *taken);

/* Closes the sockets that no worker has taken, removes the UNIX socket files and frees everything. Accepts an all-zero struct and may be called twice. */
void sockets_close(struct sockets *sockets);

#endif
