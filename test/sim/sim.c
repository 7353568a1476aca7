/* test/sim/sim.c: the simulated kernel: its virtual time, its random numbers, and how it is made and freed. Test thread; owns connections and pipes until
 * sim_free(). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "sim.h"

uint32_t sim_below(struct sim *sim, uint32_t bound)
{
    return random_below(&sim->random, bound);
}

bool sim_chance(struct sim *sim, uint32_t per_mille)
{
    return per_mille > 0 && sim_below(sim, 1000) < per_mille;
}

void sim_arm(struct sim *sim, struct sim_event *event, uint64_t after_ns)
{
    struct list *before = sim->events.previous;

    if (event->armed)
        list_remove(&event->link);
    else
        list_init(&event->link);
    event->armed = true;
    event->at_ns = sim->now_ns + after_ns;
    before = sim->events.previous;
    while (before != &sim->events && container_of(before, struct sim_event, link)->at_ns > event->at_ns)
        before = before->previous;
    list_append(before->next, &event->link); /* appending to a link inserts before it */
}

uint64_t sim_next_event_ns(const struct sim *sim)
{
    return list_empty(&sim->events) ? UINT64_MAX : container_of(sim->events.next, struct sim_event, link)->at_ns;
}

void sim_run_events(struct sim *sim, bool all)
{
    while (!list_empty(&sim->events)) {
        struct sim_event *event = container_of(sim->events.next, struct sim_event, link);

        if (event->at_ns > sim->now_ns) {
            if (!all)
                return;
            sim->now_ns = event->at_ns;
        }
        list_remove(&event->link);
        event->armed = false;
        event->run(event);
    }
}

void sim_note(struct sim *sim, const struct sim_conn *conn, const char *what, int64_t value)
{
    uint64_t text = 0, mixed;

    for (const char *c = what; *c; c++)
        text = text * 31 + (unsigned char)*c;
    mixed = sim->digest ^ sim->now_ns ^ (uint64_t)value * 0x9e3779b97f4a7c15u ^ text << 20 ^ (conn ? conn->index + 1 : 0);
    sim->digest = random_next(&mixed);
    if (sim->options.trace)
        (void)printf("%12.6f  %c  %-4d %s %lld\n", (double)sim->now_ns / 1e9, sim->turning < 0 ? '-' : '0' + sim->turning, conn ? (int)conn->index : -1, what,
                     (long long)value);
}

void sim_fail(struct sim *sim, const char *what)
{
    sim->options.hooks->failed(sim, what);
    abort();
}

int sim_lack(struct sim *sim)
{
    static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS};

    return -errors[sim_below(sim, 4)];
}

/* ---- making and freeing ---- */

struct sim *sim_new(const struct sim_options *options)
{
    struct sim *sim = calloc(1, sizeof(*sim));

    if (!sim)
        return NULL;
    sim->options = *options;
    sim->random = options->seed;
    sim->now_ns = (uint64_t)1000000000;
    sim->turning = -1;
    list_init(&sim->events);
    list_init(&sim->udp_sockets);
    return sim;
}

void sim_free(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->conn_count; i++) {
        free(sim->conns[i]->in.data);
        free(sim->conns[i]->out.data);
        free(sim->conns[i]->udp);
        free(sim->conns[i]);
    }
    for (uint32_t i = 0; i < sim->pipe_count; i++)
        free(sim->pipes[i].data);
    free(sim->pipes);
    free(sim->conns);
    free(sim);
}
