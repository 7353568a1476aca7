/* keepidle_counts_anew: setting TCP_KEEPIDLE on a connection that has SO_KEEPALIVE already sets the timer of the first probe anew.
 *
 * Seen: 6.18.
 * Relied on by: src/io/kernel.c, kernel_keep_alive(), which sets them in this order; otherwise the first probe would come after tcp_keepalive_time,
 * which is two hours. */
#include <inttypes.h>

#include "fact.h"

enum { IDLE_S = 100, TICKS_PER_S = 100, TIMER_KEEPALIVE = 2 };

/* In how many seconds the kernel probes the peer: from /proc/net/tcp. -1: no such timer. */
static long probes_in_s(int fd)
{
    unsigned own = ntohs(fact_name(fd).sin_port), local, timer, state;
    uint64_t when;
    long found = -1;
    char line[256];
    FILE *file = fopen("/proc/self/net/tcp", "re");

    if (!file)
        fact_skip("/proc/self/net/tcp: %s", strerror(errno));
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*[0-9A-F]:%*[0-9A-F] %x:%" SCNx64, &local, &state, &timer, &when) == 4 && local == own &&
            timer == TIMER_KEEPALIVE)
            found = (long)(when / TICKS_PER_S);
    }
    (void)fclose(file);
    return found;
}

int main(void)
{
    struct fact_pair pair = fact_tcp_pair();
    long before, after;

    fact_set(pair.theirs, SOL_SOCKET, SO_KEEPALIVE, 1);
    before = probes_in_s(pair.theirs);
    fact_holds(before > IDLE_S, "with SO_KEEPALIVE alone the first probe comes in %ld s", before);
    fact_set(pair.theirs, IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S);
    after = probes_in_s(pair.theirs);
    fact_holds(after >= 0 && after <= IDLE_S, "with TCP_KEEPIDLE = %d the first probe comes in %ld s", IDLE_S, after);
    return 0;
}
