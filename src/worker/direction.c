/* worker/direction.c: the table of direction phases and of the moves between them. Worker thread; owns nothing. */
#include "worker/direction.h"

#include <assert.h>

#include "log/log.h"
#include "worker/context.h"
#include "worker/session.h"

/* `moves` has one bit for each phase that may follow. */
static const struct {
    const char *name;
    unsigned moves;
} phases[] = {
    [DIRECTION_COPY] = {"COPY", 1u << DIRECTION_TAPPED | 1u << DIRECTION_SPLICE | 1u << DIRECTION_DROP | 1u << DIRECTION_ENDING | 1u << DIRECTION_BROKEN},
    [DIRECTION_TAPPED] = {"TAPPED", 1u << DIRECTION_COPY | 1u << DIRECTION_DROP | 1u << DIRECTION_ENDING | 1u << DIRECTION_BROKEN},
    [DIRECTION_SPLICE] = {"SPLICE", 1u << DIRECTION_COPY | 1u << DIRECTION_DROP | 1u << DIRECTION_BROKEN},
    [DIRECTION_DROP] = {"DROP", 1u << DIRECTION_ENDING | 1u << DIRECTION_BROKEN},
    [DIRECTION_ENDING] = {"ENDING", 1u << DIRECTION_ENDED | 1u << DIRECTION_BROKEN},
    [DIRECTION_ENDED] = {"ENDED", 1u << DIRECTION_ENDING | 1u << DIRECTION_BROKEN},
    [DIRECTION_BROKEN] = {"BROKEN", 0},
};
_Static_assert(sizeof(phases) / sizeof(phases[0]) == DIRECTION_PHASES, "every phase has a row");

const char *direction_phase_name(enum direction_phase phase)
{
    return phases[phase].name;
}

void direction_move(struct direction *direction, enum direction_phase to)
{
    assert(phases[direction->phase].moves & 1u << to);
    if (log_enabled(LOG_DEBUG)) {
        const struct session *session = session_of_direction(direction);

        log_debug("session " SESSION_NUMBER ": from the %s: %s -> %s", SESSION_NUMBER_OF(session), direction->source == CLIENT ? "client" : "backend",
                  phases[direction->phase].name, phases[to].name);
    }
    direction->phase = to;
}
