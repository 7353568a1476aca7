/* control/sockets.c: opens the listening sockets. Control's thread; owns them until a worker takes them.
 *
 * If two processes of the same user bind one address with SO_REUSEPORT, both succeed, although the address is in use. Each address is therefore first bound
 * without that option, which fails if the address is in use. */
#include "control/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/binding.h"
#include "control/start_lock.h"
#include "control/unix_file.h"
#include "io/congestion.h"
#include "log/log.h"
#include "table/table.h"

enum {
    RETRY_MS = 50,
    BESIDE_MAX = 64, /* loopback addresses that are added to wildcard addresses; more, for a range of ports, would take descriptors from clients */
};
#define BUSY_PATIENCE_NS ((uint64_t)2000000000)

/* Whether one of our own UNIX sockets is bound to this file, possibly by another path. */
static bool is_ours(const struct sockets *sockets, const struct addr *addr)
{
    struct stat file, status;

    if (stat(addr->un.sun_path, &file) < 0)
        return false;
    for (size_t i = 0; i < sockets->unix_count; i++) {
        if (stat(sockets->unix_paths[i], &status) == 0 && status.st_dev == file.st_dev && status.st_ino == file.st_ino)
            return true;
    }
    return false;
}

/* Returns 0 if the address is free, else a negative errno. */
static int probe_address(const struct sockets *sockets, const struct binding *binding, const char **doing)
{
    const struct addr *addr = &binding->addr;
    bool file = unix_file_is(addr);
    int fd = binding_socket(binding, false, doing);

    if (fd == -EADDRINUSE && file) {
        int result = is_ours(sockets, addr) ? -EBUSY : unix_file_remove_stale(addr);

        if (result < 0)
            return result;
        fd = binding_socket(binding, false, doing);
    }
    if (fd < 0)
        return fd;
    (void)close(fd);
    if (file)
        (void)unlink(addr->un.sun_path);
    return 0;
}

static void release_lock(struct sockets *sockets)
{
    start_lock_release(sockets->lock);
    sockets->lock = -1;
}

static int remember_path(struct sockets *sockets, const struct addr *addr)
{
    char **paths;

    if (!unix_file_is(addr))
        return 0;
    paths = realloc(sockets->unix_paths, (sockets->unix_count + 1) * sizeof(*paths));
    if (!paths)
        return -ENOMEM;
    sockets->unix_paths = paths;
    paths[sockets->unix_count] = strdup(addr->un.sun_path);
    if (!paths[sockets->unix_count])
        return -ENOMEM;
    sockets->unix_count++;
    return 0;
}

/* Opens one address: fills the next `workers` places of the list, one for each worker. */
static int open_address(struct sockets *sockets, const struct config *config, const struct binding *binding, const char **doing)
{
    struct bound_socket *first = &sockets->all[sockets->count];
    int result = probe_address(sockets, binding, doing);

    for (unsigned worker = 0; worker < sockets->workers && result >= 0; worker++) {
        if (addr_family(&binding->addr) == AF_UNIX && worker > 0) { /* all workers accept from the same socket */
            *doing = "share";
            result = fcntl(first->fd, F_DUPFD_CLOEXEC, 0);
            result = result < 0 ? -errno : result;
        } else {
            result = binding_socket(binding, true, doing);
        }
        if (result < 0)
            break;
        first[worker] = (struct bound_socket){
            .listener = (size_t)(binding->listener - config->listeners),
            .addr = binding->addr,
            .fd = result,
            .has_congestion = binding->congestion,
            .is_unix = addr_family(&binding->addr) == AF_UNIX,
            .is_udp = binding->bind->udp,
        };
        sockets->count++;
        if (worker == 0)
            result = remember_path(sockets, &binding->addr);
    }
    return result;
}

/* Whether the machine lacks the address family: it has no IPv6, or IPv6 is disabled. */
static bool family_missing(const struct config_bind *wanted)
{
    struct addr any = wanted->addr;
    int fd = socket(addr_family(&any), SOCK_STREAM | SOCK_CLOEXEC, 0), error;

    if (fd < 0)
        return errno == EAFNOSUPPORT;
    addr_set_port(&any, 0);
    error = bind(fd, &any.sa, any.length) < 0 ? errno : 0;
    (void)close(fd);
    return error == EADDRNOTAVAIL;
}

int sockets_listen(struct sockets *sockets, const struct config *config)
{
    for (size_t i = 0; i < sockets->count; i++) {
        const struct config_listener *listener = &config->listeners[sockets->all[i].listener];

        if (!sockets->all[i].is_udp && listen(sockets->all[i].fd, listener->settings.backlog) < 0) {
            log_error("listener %s: cannot listen: %s%s", listener->name, strerror(errno),
                      errno == EADDRINUSE ? "; another process now listens on this address: stop it, or choose another address" : "");
            return -1;
        }
    }
    release_lock(sockets);
    return 0;
}

struct sockets_plan sockets_plan(const struct config *config)
{
    struct sockets_plan plan = {.loopback_congestion = congestion_on_loopback()};
    size_t beside = 0;

    for (size_t i = 0; i < config->listener_count; i++) {
        for (size_t j = 0; j < config->listeners[i].bind_count; j++) {
            struct binding binding = binding_make(&config->listeners[i], &config->listeners[i].binds[j], plan.loopback_congestion), unused;

            plan.configured += config->workers;
            beside += binding_beside(plan.loopback_congestion, &binding, &unused);
        }
    }
    plan.beside = (beside < BESIDE_MAX ? beside : BESIDE_MAX) * config->workers;
    return plan;
}

/* Opens the loopback address that is added to a wildcard address. It is optional, so a failure is ignored. */
static void open_beside(struct sockets *sockets, const struct config *config, const struct binding *wildcard)
{
    size_t count = sockets->count;
    struct binding beside;
    const char *doing;

    if (sockets->beside_left == 0 || !binding_beside(sockets->loopback_congestion, wildcard, &beside))
        return;
    if (open_address(sockets, config, &beside, &doing) >= 0) {
        sockets->beside_left--;
        return;
    }
    while (sockets->count > count)
        (void)close(sockets->all[--sockets->count].fd);
}

/* Tries once to open all addresses. Returns 0, or a negative errno; `failed` and `doing` then say which address and which step failed, and the sockets that
 * are open stay open. */
static int open_all(struct sockets *sockets, const struct config *config, const struct sockets_plan *plan, struct binding *failed, const char **doing)
{
    *sockets = (struct sockets){
        .all = calloc(plan->configured + plan->beside, sizeof(*sockets->all)),
        .workers = config->workers,
        .lock = -1,
        .beside_left = plan->beside / config->workers,
        .loopback_congestion = plan->loopback_congestion,
    };
    if (!sockets->all)
        return -ENOMEM;
    sockets->lock = start_lock_take();
    for (size_t i = 0; i < config->listener_count; i++) {
        for (size_t j = 0; j < config->listeners[i].bind_count; j++) {
            int result;

            *failed = binding_make(&config->listeners[i], &config->listeners[i].binds[j], sockets->loopback_congestion);
            if (failed->bind->optional && family_missing(failed->bind))
                continue;
            result = open_address(sockets, config, failed, doing);
            if (result < 0)
                return result;
            open_beside(sockets, config, failed);
        }
    }
    return 0;
}

/* Releases the lock while it waits for an address that is in use, so that other processes can start. */
int sockets_open(struct sockets *sockets, const struct config *config, const struct sockets_plan *plan)
{
    struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
    struct binding failed = binding_make(&config->listeners[0], &config->listeners[0].binds[0], NULL);
    const char *doing = "bind";
    uint64_t deadline = 0;

    for (;;) {
        int result = open_all(sockets, config, plan, &failed, &doing);

        if (result == 0)
            return 0;
        sockets_close(sockets);
        if (deadline == 0)
            deadline = clock_now_ns() + BUSY_PATIENCE_NS;
        /* Waiting does not free the file of a UNIX socket. */
        if (result != -EADDRINUSE || unix_file_is(&failed.addr) || clock_now_ns() > deadline) {
            binding_complain(&failed, doing, -result);
            return -1;
        }
        (void)nanosleep(&pause, NULL);
    }
}

int sockets_give(const struct sockets *sockets, uid_t user, gid_t group)
{
    for (size_t i = 0; i < sockets->unix_count; i++) {
        if (chown(sockets->unix_paths[i], user, group) < 0) {
            log_error("cannot change the owner of %s to the user that penstock runs as: %s", sockets->unix_paths[i], strerror(errno));
            return -1;
        }
    }
    return 0;
}

size_t sockets_per_worker(const struct sockets *sockets)
{
    return sockets->count / sockets->workers;
}

void sockets_take(struct sockets *sockets, const struct table *table, struct worker_socket *taken)
{
    for (size_t i = 0; i < sockets_per_worker(sockets); i++) {
        const struct bound_socket *bound = &sockets->all[i * sockets->workers + sockets->taken];

        taken[i] = (struct worker_socket){
            .listener = table_listener(table, bound->listener),
            .addr = bound->addr,
            .fd = bound->fd,
            .has_congestion = bound->has_congestion,
            .is_unix = bound->is_unix,
            .is_udp = bound->is_udp,
        };
    }
    sockets->taken++; /* these sockets now belong to the worker */
}

void sockets_close(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (i % sockets->workers >= sockets->taken)
            (void)close(sockets->all[i].fd);
    }
    for (size_t i = 0; i < sockets->unix_count; i++) {
        if (unlink(sockets->unix_paths[i]) < 0 && errno != ENOENT)
            log_warn("cannot remove %s: %s; remove it by hand, and put it into a directory that the configured user may write to", sockets->unix_paths[i],
                     strerror(errno));
        free(sockets->unix_paths[i]);
    }
    free(sockets->unix_paths);
    free(sockets->all);
    if (sockets->workers) /* the lock is valid: sockets_open() has been here */
        release_lock(sockets);
    *sockets = (struct sockets){.lock = -1};
}
