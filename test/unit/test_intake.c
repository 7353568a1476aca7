/* test_intake: when a worker's intake has ended, the worker has received every connection that was counted for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "base/ring.h"
#include "table/intake.h"

enum { THREADS = 4, ROUNDS = 200, CLOSE_AFTER = 50 };

static void counts_until_it_is_closed(void **state)
{
    struct intake *intakes = intake_new(2);

    (void)state;
    assert_non_null(intakes);
    assert_int_equal((uintptr_t)&intakes[1] % 64, 0);
    assert_true(intake_enter(&intakes[1]));
    assert_true(intake_enter(&intakes[1]));
    assert_false(intake_leave(&intakes[1]));
    assert_false(intake_ended(&intakes[1]));
    intake_close(&intakes[1]);
    assert_true(intake_closed(&intakes[1]));
    assert_false(intake_closed(&intakes[0]));
    assert_false(intake_ended(&intakes[1])); /* one connection is still in flight */
    assert_false(intake_enter(&intakes[1]));
    assert_true(intake_leave(&intakes[1]));
    assert_true(intake_ended(&intakes[1]));
    intake_free(intakes);
    intake_free(NULL);
}

struct stage {
    struct intake *intake;
    struct ring *ring;
};

/* Pushes values into the ring until the intake is closed; returns how many it pushed. */
static void *hand_over(void *argument)
{
    struct stage *stage = argument;
    uintptr_t posted = 0;

    while (intake_enter(stage->intake)) {
        if (ring_push(stage->ring, &posted))
            posted++;
        else
            (void)intake_leave(stage->intake);
    }
    return (void *)posted;
}

/* The loop acts as a worker: it pops values, closes the intake after a while and ends when nothing is in flight. The ring must then be empty. */
static void who_ends_has_everything(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct stage stage = {.intake = intake_new(1), .ring = ring_new(16, sizeof(uintptr_t))};
        pthread_t threads[THREADS];
        uintptr_t taken = 0, posted = 0, value;

        assert_true(stage.intake && stage.ring);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, hand_over, &stage), 0);
        while (!intake_ended(stage.intake)) {
            if (!ring_pop(stage.ring, &value))
                continue;
            (void)intake_leave(stage.intake);
            if (++taken == CLOSE_AFTER)
                intake_close(stage.intake);
        }
        assert_false(ring_pop(stage.ring, &value));
        for (int i = 0; i < THREADS; i++) {
            void *count;

            pthread_join(threads[i], &count);
            posted += (uintptr_t)count;
        }
        assert_int_equal(posted, taken);
        ring_free(stage.ring);
        intake_free(stage.intake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_until_it_is_closed),
        cmocka_unit_test(who_ends_has_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
