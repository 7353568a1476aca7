/* test/sim/surveys.h: an administrator who lists sessions and flows of all workers, and closes some, at random moments; and what must hold. Part of the world.
 * Test thread. */
#ifndef TEST_SIM_SURVEYS_H
#define TEST_SIM_SURVEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim.h"
#include "table/survey_request.h"

struct flow;
struct session;
struct world;

enum { SURVEYS_ASKED_MAX = 16, SURVEY_WORKERS_MAX = 3, SURVEY_SUBJECTS_MAX = 256 };

/* A session or flow that matched when the question was asked. If it still exists and still matches when all have answered, it must be in the answer. */
struct asked_subject {
    uint32_t worker;
    uint64_t number;
    uint32_t attempts;   /* session.attempts; if it has changed, the session may have been with another backend */
};

/* A request. It is kept until the end of the run. */
struct asked_survey {
    struct survey_request *request;
    uint32_t before[SURVEY_WORKERS_MAX];       /* by worker: number of earlier requests that it had not answered yet */
    bool was_full[SURVEY_WORKERS_MAX];         /* by worker: its mailbox was full */
    struct asked_subject subjects[SURVEY_SUBJECTS_MAX];
    uint32_t subject_count;
    bool is_checked;
};

struct surveys {
    uint64_t random;                           /* generator state */
    struct sim_event asking, checking;
    struct asked_survey asked[SURVEYS_ASKED_MAX];
    uint32_t asked_count;
    uint32_t left;                             /* number of requests that will still be made */
    uint32_t checks;                           /* how often it was checked whether all have answered */
    uint64_t killed;                           /* sessions and flows that were closed by the administrator */
};

/* Draws whether and when. */
void surveys_schedule(struct world *world, uint64_t seed);

/* The workers have been ordered to drain: asks once more. */
void surveys_drain(struct world *world);

/* The session or flow is being closed by the administrator: checks that this was asked for. */
void surveys_check_killed(struct world *world, const struct session *session);
void surveys_check_killed_flow(struct world *world, const struct flow *flow);

/* All workers have ended: checks that everything was answered. */
void surveys_end(struct world *world);

#endif
