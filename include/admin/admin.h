/* admin/admin.h: the thread "penstock-admin". It serves HTTP on the admin socket, where programs read and change Penstock, and on the address of `http`, where
 * they only read. It reaches the rest of the process through struct admin_links. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include <stdint.h>
#include <time.h>

#include "admin/links.h"

/* Maximum number of connections on each of the two sockets. Control reserves a descriptor for each. When all are taken, the one that has waited longest for a
 * request is closed for a new one. */
#define ADMIN_CONNECTIONS_MAX 64

struct admin;

/* What the process does. Only with ADMIN_RUNNING it is ready. */
enum admin_state {
    ADMIN_STARTING,
    ADMIN_RUNNING,
    ADMIN_LAME_DUCK, /* still accepts clients, but will soon stop */
    ADMIN_DRAINING,  /* accepts no clients; open sessions have drain_timeout to end */
};

/* What does not change while the process runs. The strings must outlive the thread. */
struct admin_facts {
    const char *version;
    const char *engine;       /* io_uring or epoll */
    const char *config_path;
    uint32_t workers;
    uint32_t sessions_max;    /* for the whole process */
    uint32_t flows_max;       /* for the whole process; 0 if there are no UDP listeners */
    struct timespec started;  /* CLOCK_REALTIME */
    uint64_t started_ns;      /* clock_now_ns() */
};

struct admin_options {
    struct admin_facts facts;
    const struct admin_links *links; /* must outlive the thread */
    int admin_fd, http_fd;           /* bound sockets, non-blocking; -1: none */
};

/* Starts the thread, with all signals blocked, in the state ADMIN_STARTING. It owns the sockets, which listen from here on. On failure returns NULL and
 * sets `*error` to a negative errno; the sockets may then be open or closed, so the process must end. Control only. */
struct admin *admin_start(const struct admin_options *options, int *error);

/* Tells the thread what the process does now. Accepts NULL. Control only. */
void admin_set_state(struct admin *admin, enum admin_state state);

/* Stops the thread and joins it. Answers that are being sent are cut off. Accepts NULL. Control only, before what the links reach ends. */
void admin_stop(struct admin *admin);

#endif
