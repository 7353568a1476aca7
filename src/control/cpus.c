/* control/cpus.c: which CPU each worker is bound to. Control's thread; owns nothing. */
#include "control/cpus.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "log/log.h"

/* Writes the set as a list such as "0,2-3". */
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

/* Binds this thread to each CPU in turn, as a worker will. Comparing with the current affinity mask is not enough: it may be smaller than the set of CPUs
 * that the process may use. */
int cpus_check(const struct config *config)
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
    log_error("cpu_affinity: this process cannot run on CPU %d: %s; it may run on %s", cpu,
              error == EINVAL ? "there is no such CPU, or it is not allowed" : strerror(error), usable);
    return -1;
}

int cpus_of_worker(const struct config *config, unsigned worker)
{
    cpu_set_t allowed;
    unsigned seen = 0;

    if (config->affinity == CONFIG_AFFINITY_LIST)
        return config->affinity_cpus[worker % config->affinity_count];
    if (config->affinity == CONFIG_AFFINITY_OFF || sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
        return -1;
    if (config->workers != (unsigned)CPU_COUNT(&allowed)) /* the scheduler places fewer or more workers better than a fixed choice does */
        return -1;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &allowed) && seen++ == worker)
            return cpu;
    }
    return -1;
}
