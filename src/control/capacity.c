/* control/capacity.c: divides the limit on open descriptors. Control's thread, before any other thread starts; owns nothing. */
#include "control/capacity.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "health/health.h"
#include "log/log.h"

enum {
    OTHER_DESCRIPTORS = 48, /* standard streams, log files, rings, eventfds, a table entry that is being replaced */
    PER_WORKER = 4,         /* the ring or epoll instance, two for the mailbox, a connection that is being accepted */
    PIPES_MAX = 160,        /* an unprivileged user may have 64 MiB of pipe buffers: worker/pipe_pool.c */
    PIPES_SHARE = 16,       /* pipes take at most one sixteenth of the descriptors */
    SPARE_SHARE = 16,       /* optional sockets take at most one sixteenth */
    CONNECTIONS_MIN = 8,    /* Penstock does not start with fewer */
    TABLE_MAX = 65536,      /* descriptors for which the table is allocated at start: half a megabyte of kernel memory */
};

static uint64_t descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};

        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            return raised.rlim_cur;
    }
    return limit.rlim_cur;
}

static uint64_t probe_descriptors(const struct config *config)
{
    uint64_t backends = 0;

    for (size_t i = 0; i < config->pool_count; i++) {
        if (config->pools[i].settings.check != CONFIG_CHECK_NONE)
            backends += config->pools[i].backend_count;
    }
    return backends < HEALTH_PROBES_MAX ? backends : HEALTH_PROBES_MAX;
}

/* Opens and closes a high descriptor, so that the kernel allocates a table of that size now. If a process with threads outgrows its table later, it
 * waits until no CPU uses the old table any more (synchronize_rcu() in the kernel's fs/file.c). That takes milliseconds, in the middle of accepting.
 * A failure here is harmless: the table grows later. */
static void grow_descriptor_table(uint64_t descriptors)
{
    uint64_t highest = (descriptors < TABLE_MAX ? descriptors : TABLE_MAX) - 1;
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)highest);

    if (fd >= 0)
        (void)close(fd);
}

int capacity_plan(struct capacity *capacity, const struct config *config, size_t sockets, size_t spare)
{
    uint64_t limit = descriptor_limit();
    uint64_t fixed = OTHER_DESCRIPTORS + (uint64_t)PER_WORKER * config->workers + probe_descriptors(config) + sockets;
    uint64_t pipes = limit / PIPES_SHARE / 2 < PIPES_MAX ? limit / PIPES_SHARE / 2 : PIPES_MAX;
    uint64_t wanted, possible;

    if (pipes < config->workers)
        pipes = config->workers;
    fixed += 2 * pipes;
    *capacity = (struct capacity){.pipes = (uint32_t)pipes};
    wanted = config->max_connections ? config->max_connections : CONNECTIONS_MIN;
    capacity->spare = spare <= limit / SPARE_SHARE && fixed + spare + 2 * wanted <= limit;
    fixed += capacity->spare ? spare : 0;
    possible = limit > fixed ? (limit - fixed) / 2 : 0;
    if (possible < CONNECTIONS_MIN) {
        log_error("the limit of %llu open descriptors is too low: raise it (ulimit -n, LimitNOFILE=) to at least %llu",
                  (unsigned long long)limit, (unsigned long long)(fixed + 2 * CONNECTIONS_MIN));
        return -1;
    }
    if (config->max_connections > possible) {
        log_error("max_connections = %u needs %llu open descriptors, but the limit is %llu: raise it (ulimit -n, LimitNOFILE=) or set max_connections to "
                  "at most %llu",
                  config->max_connections, (unsigned long long)(fixed + 2 * (uint64_t)config->max_connections), (unsigned long long)limit,
                  (unsigned long long)possible);
        return -1;
    }
    capacity->connections = config->max_connections ? config->max_connections : (uint32_t)(possible < UINT32_MAX / 4 ? possible : UINT32_MAX / 4);
    grow_descriptor_table(fixed + 2 * (uint64_t)capacity->connections);
    return 0;
}
