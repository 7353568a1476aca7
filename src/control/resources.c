/* control/resources.c: descriptors and privileges. Control's thread, before any other starts; owns nothing. */
#include "control/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "health/health.h"
#include "log/log.h"

enum {
    OTHER_DESCRIPTORS = 48,   /* standard streams, logs, rings, eventfds, a table entry being swapped */
    PER_WORKER = 4,           /* ring or epoll, mailbox twice, one being accepted */
    PIPES_MAX = 160,          /* an ordinary user's 64 MiB of pipes: worker/pipe_pool.c */
    PIPES_SHARE = 16,         /* of the descriptors: one in so many pairs */
    SPARE_SHARE = 16,         /* and one in so many for what could be done without */
    CONNECTIONS_MIN = 8,
    TABLE_MAX = 65536,        /* places made at the start: half a megabyte of the kernel's memory */
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

/* A process with threads that outgrows its table of descriptors waits for all CPUs to let go of the old one (synchronize_rcu() in the kernel's fs/file.c), each time
 * for some milliseconds, in the middle of accepting. Failure costs no more than that. */
static void make_room(uint64_t descriptors)
{
    uint64_t highest = (descriptors < TABLE_MAX ? descriptors : TABLE_MAX) - 1;
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, (int)highest);

    if (fd >= 0)
        (void)close(fd);
}

int resources_plan(struct resources *resources, const struct config *config, size_t sockets, size_t spare)
{
    uint64_t limit = descriptor_limit();
    uint64_t fixed = OTHER_DESCRIPTORS + (uint64_t)PER_WORKER * config->workers + probe_descriptors(config) + sockets;
    uint64_t pipes = limit / PIPES_SHARE / 2 < PIPES_MAX ? limit / PIPES_SHARE / 2 : PIPES_MAX;
    uint64_t possible;

    if (pipes < config->workers)
        pipes = config->workers;
    fixed += 2 * pipes;
    *resources = (struct resources){.pipes = (uint32_t)pipes};
    resources->spare = spare <= limit / SPARE_SHARE && fixed + spare + 2 * (uint64_t)(config->max_connections ? config->max_connections : CONNECTIONS_MIN) <= limit;
    fixed += resources->spare ? spare : 0;
    possible = limit > fixed ? (limit - fixed) / 2 : 0;
    if (possible < CONNECTIONS_MIN) {
        log_error("the limit of %llu open descriptors is too low: raise it (ulimit -n, LimitNOFILE=) to at least %llu",
                  (unsigned long long)limit, (unsigned long long)(fixed + 2 * CONNECTIONS_MIN));
        return -1;
    }
    if (config->max_connections > possible) {
        log_error("max_connections = %u needs %llu open descriptors, but the limit is %llu: raise it (ulimit -n, LimitNOFILE=) or set max_connections to at most %llu",
                  config->max_connections, (unsigned long long)(fixed + 2 * (uint64_t)config->max_connections), (unsigned long long)limit,
                  (unsigned long long)possible);
        return -1;
    }
    resources->connections = config->max_connections ? config->max_connections : (uint32_t)(possible < UINT32_MAX / 4 ? possible : UINT32_MAX / 4);
    make_room(fixed + 2 * (uint64_t)resources->connections);
    return 0;
}

/* "0,2-3". */
static void format_cpus(char *out, size_t size, const cpu_set_t *set)
{
    size_t n = 0;

    out[0] = '\0';
    for (int cpu = 0, last; cpu < CPU_SETSIZE && n + 16 < size; cpu = last + 1) {
        last = cpu;
        if (!CPU_ISSET((size_t)cpu, set))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET((size_t)last + 1, set))
            last++;
        n += (size_t)snprintf(out + n, size - n, last > cpu ? "%s%d-%d" : "%s%d", n ? "," : "", cpu, last);
    }
}

/* Asks the kernel for each of them, as a worker will: the CPUs this thread runs on now may be fewer than those it may use. */
int resources_cpus(const struct config *config)
{
    cpu_set_t before, one;
    char usable[200];
    int error = 0, cpu = 0;

    if (config->affinity != CONFIG_AFFINITY_LIST || sched_getaffinity(0, sizeof(before), &before) < 0)
        return 0;
    for (size_t i = 0; i < config->affinity_count && !error; i++) {
        cpu = config->affinity_cpus[i];
        CPU_ZERO(&one);
        CPU_SET((size_t)cpu, &one);
        error = sched_setaffinity(0, sizeof(one), &one) < 0 ? errno : 0;
    }
    (void)sched_setaffinity(0, sizeof(before), &before);
    if (!error)
        return 0;
    format_cpus(usable, sizeof(usable), &before);
    log_error("cpu_affinity: this process cannot run on CPU %d: %s; it may run on %s", cpu, error == EINVAL ? "there is no such CPU, or it is not allowed" : strerror(error),
              usable);
    return -1;
}

int resources_identity(struct identity *identity, const struct config *config)
{
    *identity = (struct identity){.user = getuid(), .group = getgid()};
    if (config->user) {
        const struct passwd *user;

        errno = 0;
        user = getpwnam(config->user);
        if (!user) {
            log_error("user = %s: %s", config->user, errno ? strerror(errno) : "there is no such user");
            return -1;
        }
        identity->user = user->pw_uid;
        identity->group = user->pw_gid;
    }
    if (config->group) {
        const struct group *group;

        errno = 0;
        group = getgrnam(config->group);
        if (!group) {
            log_error("group = %s: %s", config->group, errno ? strerror(errno) : "there is no such group");
            return -1;
        }
        identity->group = group->gr_gid;
    }
    identity->changes = identity->user != getuid() || identity->group != getgid();
    return 0;
}

int resources_become(const struct identity *identity, const struct config *config)
{
    int result;

    if (!identity->changes)
        return 0;
    result = config->user ? initgroups(config->user, identity->group) : setgroups(1, &identity->group);
    if (result == 0)
        result = setgid(identity->group);
    if (result == 0)
        result = setuid(identity->user);
    if (result == 0)
        return 0;
    log_error("cannot become %s%s%s: %s; start as root, or without user and group", config->user ? config->user : "", config->user && config->group ? ":" : "",
              config->group ? config->group : "", strerror(errno));
    return -1;
}

uint16_t resources_outgoing_port_min(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    unsigned first = 0;

    if (!file)
        return 1024;
    if (fscanf(file, "%u", &first) != 1 || first > UINT16_MAX)
        first = 1024;
    (void)fclose(file);
    return (uint16_t)first;
}
