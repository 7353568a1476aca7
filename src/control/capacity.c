/* control/capacity.c: divides the limit on open descriptors. Control's thread, before any other thread starts; owns nothing. */
#include "control/capacity.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/admin.h"
#include "health/health.h"
#include "log/log.h"

enum {
    OTHER_DESCRIPTORS = 48, /* standard streams, log files, rings, eventfds, a table entry that is being replaced */
    PER_WORKER = 4,         /* the ring or epoll instance, two for the mailbox, a connection that is being accepted */
    PIPES_MAX = 160,        /* an unprivileged user may have 64 MiB of pipe buffers: worker/pipe_pool.c */
    PIPES_SHARE = 16,       /* pipes take at most one sixteenth of the descriptors */
    FLOWS_MIN = 8,          /* nor with fewer UDP flows, if it has UDP listeners */
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

static bool has_agent(const struct config_pool *pool, const struct config_backend *backend)
{
    return pool->settings.check == CONFIG_CHECK_AGENT || pool->settings.agent_port > 0 || backend->settings.agent_port > 0;
}

/* A program that is run as a probe takes a pipe and a pidfd. */
static uint64_t probe_descriptors(const struct config *config)
{
    uint64_t probes = 0, agents = 0;

    for (size_t i = 0; i < config->pool_count; i++) {
        const struct config_pool *pool = &config->pools[i];
        if (pool_settings_has_probe(&pool->settings))
            probes += pool->backend_count;
        for (size_t k = 0; k < pool->backend_count; k++)
            agents += has_agent(pool, &pool->backends[k]);
    }
    if (probes > config->probes_max)
        probes = config->probes_max;
    return probes * (config->allow_exec ? 2 : 1) + (agents < HEALTH_AGENT_CALLS_MAX ? agents : HEALTH_AGENT_CALLS_MAX);
}

/* Each socket of the admin thread takes two more descriptors: its own and an epoll instance. */
static uint64_t admin_descriptors(const struct config *config)
{
    uint64_t sockets = (addr_family(&config->admin) != AF_UNSPEC) + (addr_family(&config->http) != AF_UNSPEC);

    return sockets * (ADMIN_CONNECTIONS_MAX + 2);
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

/* Which protocols the listeners serve. */
struct served {
    bool tcp, udp;
};

static struct served find_served(const struct config *config)
{
    struct served served = {false, false};

    for (size_t i = 0; i < config->listener_count; i++) {
        served.tcp |= config->listeners[i].settings.protocol != CONFIG_PROTOCOL_UDP;
        served.udp |= config->listeners[i].settings.protocol != CONFIG_PROTOCOL_TCP;
    }
    return served;
}

/* Divides `room` descriptors among connections, of two each, and UDP flows, of one each. Where neither number is configured, each kind gets half of them. */
static void divide_room(struct capacity *capacity, const struct config *config, struct served served, uint64_t room)
{
    uint64_t connections = served.tcp ? config->max_connections : CONNECTIONS_MIN, flows = served.udp ? config->max_flows : 0;

    if (!connections)
        connections = flows || !served.udp ? (room > flows ? room - flows : 0) / 2 : room / 4;
    if (served.udp && !flows)
        flows = room > 2 * connections ? room - 2 * connections : 0;
    capacity->connections = (uint32_t)(connections < UINT32_MAX / 4 ? connections : UINT32_MAX / 4);
    capacity->flows = (uint32_t)(flows < UINT32_MAX / 4 ? flows : UINT32_MAX / 4);
}

/* Writes a configured number as the file has it. */
static const char *format_max(uint32_t max, char *text, size_t size)
{
    if (max == 0)
        return "auto";
    (void)snprintf(text, size, "%" PRIu32, max);
    return text;
}

/* Reports configured numbers that need more than `room` of the `limit` descriptors. Returns whether they do. */
static bool exceeds_room(const struct capacity *capacity, const struct config *config, struct served served, uint64_t room, uint64_t limit)
{
    uint64_t needed = limit - room + 2 * (uint64_t)capacity->connections + capacity->flows;
    bool few_connections = !config->max_connections && capacity->connections < CONNECTIONS_MIN;
    char connections[16], flows[16];
    bool few_flows = served.udp && !config->max_flows && capacity->flows < FLOWS_MIN;

    if (needed <= limit && !few_connections && !few_flows)
        return false;
    if (served.tcp && served.udp && (config->max_flows || config->max_connections))
        log_error("max_connections = %s and max_flows = %s need more than the %llu open descriptors of the limit: a connection needs two, a flow one; raise "
                  "the limit (ulimit -n, LimitNOFILE=) or lower them", format_max(config->max_connections, connections, sizeof(connections)),
                  format_max(config->max_flows, flows, sizeof(flows)), (unsigned long long)limit);
    else if (served.udp && config->max_flows)
        log_error("max_flows = %u needs %llu open descriptors, but the limit is %llu: raise it (ulimit -n, LimitNOFILE=) or set max_flows to at most %llu",
                  config->max_flows, (unsigned long long)needed, (unsigned long long)limit, (unsigned long long)(room - 2 * CONNECTIONS_MIN));
    else
        log_error("max_connections = %u needs %llu open descriptors, but the limit is %llu: raise it (ulimit -n, LimitNOFILE=) or set max_connections to "
                  "at most %llu", config->max_connections, (unsigned long long)needed, (unsigned long long)limit, (unsigned long long)(room / 2));
    return true;
}

int capacity_plan(struct capacity *capacity, const struct config *config, size_t sockets, size_t spare)
{
    struct served served = find_served(config);
    uint64_t limit = descriptor_limit();
    uint64_t fixed = OTHER_DESCRIPTORS + (uint64_t)PER_WORKER * config->workers + probe_descriptors(config) + admin_descriptors(config) + sockets;
    uint64_t pipes = limit / PIPES_SHARE / 2 < PIPES_MAX ? limit / PIPES_SHARE / 2 : PIPES_MAX;
    uint64_t least = 2 * CONNECTIONS_MIN + (served.udp ? FLOWS_MIN : 0), wanted, room;

    if (pipes < config->workers)
        pipes = config->workers;
    fixed += 2 * pipes;
    *capacity = (struct capacity){.pipes = (uint32_t)pipes};
    wanted = 2 * (uint64_t)config->max_connections + config->max_flows;
    wanted = wanted > least ? wanted : least;
    capacity->spare = spare <= limit / SPARE_SHARE && fixed + spare + wanted <= limit;
    fixed += capacity->spare ? spare : 0;
    room = limit > fixed ? limit - fixed : 0;
    if (room < least) {
        log_error("the limit of %llu open descriptors is too low: raise it (ulimit -n, LimitNOFILE=) to at least %llu",
                  (unsigned long long)limit, (unsigned long long)(fixed + least));
        return -1;
    }
    divide_room(capacity, config, served, room);
    if (exceeds_room(capacity, config, served, room, limit))
        return -1;
    grow_descriptor_table(fixed + 2 * (uint64_t)capacity->connections + capacity->flows);
    return 0;
}
