/* test/sim/tap.c: taps that hold received bytes for some time or up to an amount, inject bytes before and after them, and may remove themselves. Test
 * thread; the direction owns its tap. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "tap.h"
#include "worker/tap.h"
#include "world.h"

struct world_tap {
    struct tap tap; /* first */
    struct world *world;
    struct direction *direction;
    struct tap_record *record;
    struct timer timer;       /* armed while it holds bytes or the end of the stream */
    uint32_t hold_bytes;      /* passes what it holds when it holds this many bytes, */
    uint32_t patience_ms;     /* or has waited for this time */
    uint32_t inject_chance;   /* probability per thousand that it injects, each time it can */
    uint32_t inject_bytes_max;
    uint32_t turns;           /* removes itself after it has passed bytes this many times; 0: never */
    bool late;                /* passes bytes only from the timer */
    bool ended;               /* it was notified of the end of the stream */
};

static uint8_t injected_byte(uint32_t place)
{
    return (uint8_t)(place * 31 + place / 251);
}

static struct world_tap *of(struct tap *tap)
{
    return container_of(tap, struct world_tap, tap);
}

static int inject(struct world_tap *tap)
{
    struct sim *sim = tap->world->sim;
    struct tap_record *record = tap->record;
    uint32_t bytes = 1 + sim_below(sim, tap->inject_bytes_max);
    uint8_t data[TAP_INJECTED_BYTES_MAX];

    if (!sim_chance(sim, tap->inject_chance) || record->count == TAP_INJECTIONS_MAX || record->injected + bytes > TAP_INJECTED_BYTES_MAX)
        return 0;
    for (uint32_t i = 0; i < bytes; i++)
        data[i] = injected_byte(record->injected + i);
    record->injections[record->count].place = record->passed;
    record->injections[record->count++].bytes = bytes;
    record->injected += bytes;
    return tap_inject(tap->direction, data, bytes);
}

/* Passes what is held. The tap may be freed by this. */
static int let_go(struct world_tap *tap)
{
    int result = inject(tap);

    if (tap->direction->phase == DIRECTION_ENDING && !tap->ended)
        world_fail(tap->world, "a tap was not told of the end");
    if (result < 0)
        return result;
    tap->record->passed += tap->tap.held_bytes;
    if (tap->turns > 0 && --tap->turns == 0) {
        tap_remove(tap->direction);
        return 0;
    }
    tap_pass(tap->direction);
    if (tap->tap.held.first || tap->tap.held_bytes > 0)
        world_fail(tap->world, "a tap holds something although it has passed everything");
    return inject(tap);
}

static void wait(struct world_tap *tap)
{
    struct worker *worker = session_of_direction(tap->direction)->worker;

    if (!tap->timer.armed)
        timer_arm(&worker->timers, &tap->timer, worker_now_ms(worker) + tap->patience_ms);
}

static void on_timer(struct timer *timer)
{
    struct world_tap *tap = container_of(timer, struct world_tap, timer);
    struct direction *direction = tap->direction;

    if (let_go(tap) < 0)
        abort();
    tap_push(direction);
}

static int on_received(struct tap *tap, struct direction *direction)
{
    struct world_tap *ours = of(tap);

    if (direction->phase != DIRECTION_TAPPED)
        world_fail(ours->world, "a tap receives in phase %s", direction_phase_name(direction->phase));
    if (!ours->late && (tap->held_bytes >= ours->hold_bytes || tap_full(tap)))
        return let_go(ours);
    wait(ours);
    return 0;
}

static int on_ended(struct tap *tap, struct direction *direction)
{
    struct world_tap *ours = of(tap);

    if (direction->phase != DIRECTION_ENDING)
        world_fail(ours->world, "a tap hears the end in phase %s", direction_phase_name(direction->phase));
    ours->ended = true;
    if (!ours->late || !tap->held.first) /* a tap that holds nothing gets no other call */
        return let_go(ours);
    wait(ours);
    return 0;
}

static void on_free(struct tap *tap)
{
    struct world_tap *ours = of(tap);

    if (tap->held.first)
        world_fail(ours->world, "a tap is freed that holds something");
    timer_cancel(&session_of_direction(ours->direction)->worker->timers, &ours->timer);
    ours->world->taps--;
    free(ours);
}

static const struct tap_ops ops = {.received = on_received, .ended = on_ended, .free = on_free};

static void install(struct world *world, struct session *session, enum side source)
{
    static const uint32_t holds[] = {0, 1, 100, 5000, 30000, UINT32_MAX};
    struct sim *sim = world->sim;
    struct world_tap *tap = malloc(sizeof(*tap));

    if (!tap)
        abort();
    *tap = (struct world_tap){
        .tap = {.ops = &ops},
        .world = world,
        .direction = &session->directions[source],
        .record = &world->tap_records[pair_of(world, session)->index][source],
        .hold_bytes = holds[sim_below(sim, sizeof(holds) / sizeof(holds[0]))],
        .patience_ms = sim_below(sim, 50),
        .inject_chance = sim_chance(sim, 500) ? sim_below(sim, 1000) : 0,
        .inject_bytes_max = sim_chance(sim, 100) ? TAP_INJECTED_BYTES_MAX : 1 + sim_below(sim, 500),
        .turns = sim_chance(sim, 300) ? 1 + sim_below(sim, 4) : 0,
        .late = sim_chance(sim, 300),
    };
    timer_init(&tap->timer, on_timer);
    world->taps++;
    tap_install(tap->direction, &tap->tap);
    if (inject(tap) < 0)
        abort();
}

void tap_world_relaying(struct session *session)
{
    struct world *world = engine_of(session->worker->io)->sim->options.owner;

    for (enum side source = CLIENT; source <= BACKEND; source++) {
        if (sim_chance(world->sim, 600))
            install(world, session, source);
    }
}

static struct tap_record *record_of(const struct peer *reader)
{
    return &reader->world->tap_records[reader->pair->index][!reader->side];
}

uint32_t tap_strip(struct peer *peer, uint8_t *bytes, uint32_t got)
{
    struct tap_record *record = record_of(peer);
    uint32_t left = 0;

    for (uint32_t i = 0; i < got; i++) {
        if (record->met < record->count && record->injections[record->met].place == peer->received + left) {
            if (bytes[i] != injected_byte(record->read++))
                world_fail(peer->world, "pair %u: not what the tap has injected after %llu bytes", peer->pair->index,
                           (unsigned long long)(peer->received + left));
            if (++record->met_bytes == record->injections[record->met].bytes) {
                record->met++;
                record->met_bytes = 0;
            }
        } else {
            bytes[left++] = bytes[i];
        }
    }
    return left;
}

bool tap_heard(const struct peer *peer)
{
    return record_of(peer)->read == record_of(peer)->injected;
}
