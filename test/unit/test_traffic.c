/* test_traffic: worker/traffic: when a worker's traffic counts as chatty, and when as streams. The test sets the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/io.h"
#include "worker/traffic.h"

struct stage {
    struct traffic traffic;
    struct io io;
};

/* Simulates a turn of `us` microseconds with the given numbers of events, small messages and stream moves. */
static void turn(struct stage *stage, uint64_t us, uint32_t events, uint32_t small, uint32_t moves)
{
    stage->traffic.small_messages += small;
    stage->traffic.stream_turns += moves;
    stage->io.events = events;
    stage->io.now_ns += us * 1000;
    traffic_learn(&stage->traffic, &stage->io);
}

static void what_asks_for_a_large_transfer_is_no_chat(void **state)
{
    struct traffic traffic = {0};
    bool first = false, second = false;

    (void)state;
    for (int i = 0; i < 10; i++) {
        traffic_received(&traffic, true, &first); /* the request */
        for (int piece = 0; piece < 5; piece++)
            traffic_received(&traffic, false, &first);
    }
    assert_int_equal(traffic.small_messages, 0);
    for (int i = 0; i < 10; i++) { /* `second` gets only small messages; the large ones of `first` in between do not matter */
        traffic_received(&traffic, true, &second);
        traffic_received(&traffic, false, &first);
    }
    assert_int_equal(traffic.small_messages, 9);
}

static void small_messages_in_bursts_make_it_chatty_all_along(void **state)
{
    struct stage stage = {.io.now_ns = 1000000000};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        turn(&stage, 1000, 8, i % 15 == 0 ? 64 : 0, 0);
        assert_true(stage.traffic.chatty || i < 20);
    }
    for (int i = 0; i < 1000; i++) {
        turn(&stage, 1000, 8, i % 15 == 0 ? 4 : 0, 0);
        assert_true(!stage.traffic.chatty || i < 220);
    }
}

static void mostly_moves_of_streams_are_streams(void **state)
{
    struct stage stage = {.io.now_ns = 1000000000};

    (void)state;
    for (int i = 0; i < 100; i++)
        turn(&stage, 100, 1, 0, 1);
    assert_true(stage.traffic.streams);
    for (int i = 0; i < 1000; i++) { /* every third turn moves no stream */
        turn(&stage, 100, 1, 0, i % 3 != 0);
        assert_true(stage.traffic.streams);
    }
}

static void few_streams_among_other_traffic_are_not(void **state)
{
    struct stage stage = {.io.now_ns = 1000000000};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        turn(&stage, 100, 1, 0, i % 3 == 0);
        assert_false(stage.traffic.streams);
    }
}

static void a_pause_ends_streams(void **state)
{
    struct stage stage = {.io.now_ns = 1000000000};

    (void)state;
    for (int i = 0; i < 100; i++)
        turn(&stage, 100, 1, 0, 1);
    turn(&stage, 5000000, 1, 0, 1); /* the next move comes five seconds later */
    assert_false(stage.traffic.streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_asks_for_a_large_transfer_is_no_chat),
        cmocka_unit_test(small_messages_in_bursts_make_it_chatty_all_along),
        cmocka_unit_test(mostly_moves_of_streams_are_streams),
        cmocka_unit_test(few_streams_among_other_traffic_are_not),
        cmocka_unit_test(a_pause_ends_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
