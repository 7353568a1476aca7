/* test_pace: worker/pace: when a worker looks before it sleeps, and when it lets streams fill their sockets. Time is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/io.h"
#include "worker/pace.h"

#define US ((uint64_t)1000)
#define AUTO UINT32_MAX

struct stage {
    struct pace pace;
    struct io io;
    uint64_t looked_in_vain_ns;
};

static struct stage stage_new(uint32_t busy_poll_us)
{
    struct stage stage = {.io.now_ns = 1000000000};

    pace_init(&stage.pace, busy_poll_us);
    return stage;
}

/* A turn in which `events` came after `after_us`, and which cost `cpu_us`. */
static void turn(struct stage *stage, uint32_t events, uint64_t after_us, uint64_t cpu_us)
{
    uint64_t spin_ns;

    pace_choose(&stage->pace, &stage->io);
    spin_ns = stage->io.pace.spin_us * US;
    stage->io.waited_ns = after_us * US;
    stage->io.spun_ns = after_us * US < spin_ns ? after_us * US : spin_ns;
    if (spin_ns && after_us * US >= spin_ns)
        stage->looked_in_vain_ns += spin_ns;
    stage->io.events = events;
    stage->io.now_ns += (after_us + cpu_us) * US;
    pace_learn(&stage->pace, &stage->io);
}

static void off_never_looks(void **state)
{
    struct stage stage = stage_new(0);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        turn(&stage, 1, 20, 10);
        assert_int_equal(stage.io.pace.spin_us, 0);
    }
}

static void a_fixed_time_is_looked_every_time(void **state)
{
    struct stage stage = stage_new(50);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        turn(&stage, 1, i % 2 ? 20 : 5000, 10);
        assert_int_equal(stage.io.pace.spin_us, 50);
    }
    assert_int_equal(stage.pace.spins, 1000);
    assert_int_equal(stage.pace.spins_met, 500);
    assert_int_equal(stage.pace.spun_ns, 500 * 20 * US + 500 * 50 * US);
}

static void auto_looks_while_one_client_asks_and_waits(void **state)
{
    struct stage stage = stage_new(AUTO);
    int looked = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        turn(&stage, 1, 30, 10);
        looked += stage.io.pace.spin_us > 0;
    }
    assert_true(looked > 990);
}

static void auto_hardly_looks_when_traffic_is_sparse(void **state)
{
    struct stage stage = stage_new(AUTO);

    (void)state;
    for (int i = 0; i < 1000; i++)
        turn(&stage, 1, 30, 10); /* was dense before */
    for (int i = 0; i < 10000; i++)
        turn(&stage, 1, 1000, 10);
    assert_true(stage.looked_in_vain_ns <= 1000 * US); /* in ten seconds */
}

static void what_auto_looks_in_vain_is_never_more_than_what_it_met(void **state)
{
    struct stage stage = stage_new(AUTO);
    uint64_t met_ns = 0;

    (void)state;
    for (int i = 0; i < 10000; i++) { /* every second event is near */
        turn(&stage, 1, i % 2 ? 40 : 900, 10);
        met_ns += i % 2 ? (40 + 5) * US : 0;
    }
    assert_true(stage.looked_in_vain_ns > 0);
    assert_true(stage.looked_in_vain_ns <= met_ns);
}

static void a_turn_that_only_looks_round_is_no_look_in_vain(void **state)
{
    struct stage stage = stage_new(AUTO);
    uint64_t credit_ns, spins;

    (void)state;
    for (int i = 0; i < 1000; i++)
        turn(&stage, 1, 30, 10);
    credit_ns = stage.pace.credit_ns;
    spins = stage.pace.spins;
    for (int i = 0; i < 100; i++) { /* something is left to do: the engine does not wait at all */
        pace_choose(&stage.pace, &stage.io);
        stage.io.waited_ns = stage.io.spun_ns = stage.io.events = 0;
        pace_learn(&stage.pace, &stage.io);
    }
    assert_int_equal(stage.pace.credit_ns, credit_ns);
    assert_int_equal(stage.pace.spins, spins);
}

/* Handing over what a turn has to send can take longer than there is to look. */
static void what_is_met_after_a_long_handing_over_is_met(void **state)
{
    struct stage stage = stage_new(AUTO);

    (void)state;
    for (int i = 0; i < 100; i++)
        turn(&stage, 1, 30, 10);
    for (int i = 0; i < 1000; i++) {
        pace_choose(&stage.pace, &stage.io);
        assert_true(stage.io.pace.spin_us > 0);
        stage.io.spun_ns = 10 * US;
        stage.io.waited_ns = 300 * US;
        stage.io.events = 1;
        pace_learn(&stage.pace, &stage.io);
    }
    assert_int_equal(stage.pace.spins_met, stage.pace.spins);
}

static void what_asks_for_a_large_transfer_is_no_chat(void **state)
{
    struct stage stage = stage_new(0);
    bool first = false, second = false;

    (void)state;
    for (int i = 0; i < 10; i++) {
        pace_received(&stage.pace, true, &first); /* asks */
        for (int piece = 0; piece < 5; piece++)
            pace_received(&stage.pace, false, &first);
    }
    assert_int_equal(stage.pace.small_messages, 0);
    for (int i = 0; i < 10; i++) { /* in another session, each message is small */
        pace_received(&stage.pace, true, &second);
        pace_received(&stage.pace, false, &first);
    }
    assert_int_equal(stage.pace.small_messages, 9);
}

static void small_messages_in_bursts_make_it_chatty_all_along(void **state)
{
    struct stage stage = stage_new(0);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        stage.pace.small_messages += i % 15 == 0 ? 64 : 0; /* a millisecond each: 64 every 15 ms */
        turn(&stage, 8, 900, 100);
        assert_true(stage.pace.chatty || i < 20);
    }
    for (int i = 0; i < 1000; i++) {
        stage.pace.small_messages += i % 15 == 0 ? 4 : 0;
        turn(&stage, 8, 900, 100);
        assert_true(!stage.pace.chatty || i < 220);
    }
}

/* A turn after which `stream_turns` events had moved a stream on. */
static void stream_turn(struct stage *stage, uint32_t events, uint32_t stream_turns)
{
    stage->pace.stream_turns += stream_turns;
    turn(stage, events, 50, 50);
}

static void streams_are_given_time(void **state)
{
    struct stage stage = stage_new(0);

    (void)state;
    for (int i = 0; i < 100; i++)
        stream_turn(&stage, 1, 1);
    assert_in_range(stage.io.pace.rest_us, 50, 200);
    for (int i = 0; i < 100; i++) /* something comes in between now and then */
        stream_turn(&stage, 1, i % 3 != 0);
    assert_true(stage.io.pace.rest_us > 0);
}

static void few_streams_among_other_traffic_are_not(void **state)
{
    struct stage stage = stage_new(0);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        stream_turn(&stage, 1, i % 3 == 0);
        assert_int_equal(stage.io.pace.rest_us, 0);
    }
}

static void a_fixed_time_of_looking_goes_before_streams(void **state)
{
    struct stage stage = stage_new(20);

    (void)state;
    for (int i = 0; i < 100; i++)
        stream_turn(&stage, 1, 1);
    assert_int_equal(stage.io.pace.rest_us, 0);
    assert_int_equal(stage.io.pace.spin_us, 20);
}

static void after_a_stream_waits_are_as_before(void **state)
{
    struct stage stage = stage_new(AUTO);

    (void)state;
    for (int i = 0; i < 100; i++)
        stream_turn(&stage, 1, 1);
    turn(&stage, 1, 5000000, 20); /* five seconds later a message comes */
    turn(&stage, 1, 20, 20);
    assert_int_equal(stage.io.pace.rest_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_never_looks),
        cmocka_unit_test(a_fixed_time_is_looked_every_time),
        cmocka_unit_test(auto_looks_while_one_client_asks_and_waits),
        cmocka_unit_test(auto_hardly_looks_when_traffic_is_sparse),
        cmocka_unit_test(a_turn_that_only_looks_round_is_no_look_in_vain),
        cmocka_unit_test(what_is_met_after_a_long_handing_over_is_met),
        cmocka_unit_test(what_auto_looks_in_vain_is_never_more_than_what_it_met),
        cmocka_unit_test(what_asks_for_a_large_transfer_is_no_chat),
        cmocka_unit_test(small_messages_in_bursts_make_it_chatty_all_along),
        cmocka_unit_test(streams_are_given_time),
        cmocka_unit_test(few_streams_among_other_traffic_are_not),
        cmocka_unit_test(a_fixed_time_of_looking_goes_before_streams),
        cmocka_unit_test(after_a_stream_waits_are_as_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
