/* test_pace_trial: worker/pace_trial: whether letting events gather saves anything is found out, and found out again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/pace_trial.h"

enum { EVENTS = 200, PLAIN_NS = 10000 };

struct stage {
    struct pace_trial trial;
    uint32_t busy;
    bool gathers; /* in the window that runs */
    uint32_t gathered, windows;
};

/* Windows in which an event costs 10 us, or `percent` of that when it was let gather. */
static void windows(struct stage *stage, uint32_t count, uint32_t percent)
{
    for (uint32_t i = 0; i < count; i++) {
        stage->gathered += stage->gathers;
        stage->gathers = pace_trial_next(&stage->trial, (uint64_t)EVENTS * PLAIN_NS * (stage->gathers ? percent : 100) / 100, EVENTS, stage->busy);
    }
}

static void what_saves_is_done(void **state)
{
    struct stage stage = {0};

    (void)state;
    windows(&stage, 100, 80);
    assert_in_range(stage.trial.cost, 79, 80);
    stage.gathered = 0;
    windows(&stage, 10000, 80);
    assert_true(stage.gathered > 9500);
}

static void what_saves_nothing_is_only_tried(void **state)
{
    struct stage stage = {0};

    (void)state;
    windows(&stage, 10000, 100);
    assert_true(stage.gathered > 10000 / 600 * PACE_TRIAL_PAIRS / 2);
    assert_true(stage.gathered < 10000 / 500 * PACE_TRIAL_PAIRS * 2);
    windows(&stage, 10000, 120);
    assert_true(stage.gathered < 20000 / 500 * PACE_TRIAL_PAIRS * 2);
}

static void little_is_enough_for_a_worker_without_time_left(void **state)
{
    struct stage stage = {0};

    (void)state;
    windows(&stage, 1000, 97);
    assert_false(stage.trial.worth);
    stage.busy = 100;
    windows(&stage, 1000, 97);
    assert_true(stage.trial.worth);
    windows(&stage, 5000, 100);
    assert_false(stage.trial.worth);
}

static void it_changes_with_what_it_finds(void **state)
{
    struct stage stage = {0};

    (void)state;
    windows(&stage, 5000, 120);
    windows(&stage, 5000, 70);
    stage.gathered = 0;
    windows(&stage, 1000, 70);
    assert_true(stage.gathered > 950);
    windows(&stage, 5000, 120);
    stage.gathered = 0;
    windows(&stage, 1000, 120);
    assert_true(stage.gathered < 100);
}

static void stalls_decide_nothing(void **state)
{
    struct stage stage = {0};

    (void)state;
    for (int i = 0; i < 2000; i++) {
        windows(&stage, 1, 80);
        if (i % 7 == 0) /* ten times as much in this one, whichever it is */
            stage.gathers = pace_trial_next(&stage.trial, (uint64_t)EVENTS * PLAIN_NS * 10, EVENTS, 0);
    }
    assert_in_range(stage.trial.cost, 75, 85);
}

static void a_trial_that_was_stopped_begins_anew_but_later(void **state)
{
    struct stage stage = {0};

    (void)state;
    windows(&stage, 10, 80);
    assert_true(stage.trial.running);
    pace_trial_stop(&stage.trial);
    stage.gathers = false;
    stage.gathered = 0;
    windows(&stage, 100, 80);
    assert_int_equal(stage.gathered, 0);
    windows(&stage, 1000, 80);
    assert_in_range(stage.trial.cost, 79, 80);
    pace_trial_stop(&stage.trial); /* what was found holds */
    assert_true(pace_trial_next(&stage.trial, 1, 1, 0));
}

static void windows_without_events_or_work_are_no_trouble(void **state)
{
    struct pace_trial trial = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        (void)pace_trial_next(&trial, i % 3 ? 0 : UINT64_MAX / 2, i % 2 ? 0 : 1, 100);
    assert_in_range(trial.cost, 0, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_saves_is_done),
        cmocka_unit_test(what_saves_nothing_is_only_tried),
        cmocka_unit_test(little_is_enough_for_a_worker_without_time_left),
        cmocka_unit_test(it_changes_with_what_it_finds),
        cmocka_unit_test(stalls_decide_nothing),
        cmocka_unit_test(a_trial_that_was_stopped_begins_anew_but_later),
        cmocka_unit_test(windows_without_events_or_work_are_no_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
