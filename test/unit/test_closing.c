/* test_closing: io/closing: sockets are closed when the turn has no events, or a short time later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/eventfd.h>

#include "io/closing.h"
#include "io/handles.h"
#include "io/io.h"

enum { SOCKS_MAX = 16 };

static int told;

static void on_closed(struct io_sock *sock)
{
    (void)sock;
    told++;
}

static const struct io_events events = {.closed = on_closed};

struct stage {
    struct handles handles;
    struct closing closing;
    struct io_sock socks[SOCKS_MAX];
    int fds[SOCKS_MAX];
};

static void open_stage(struct stage *stage, int count)
{
    told = 0;
    handles_init(&stage->handles, SOCKS_MAX);
    closing_init(&stage->closing);
    for (int i = 0; i < count; i++) {
        stage->fds[i] = eventfd(0, 0);
        stage->socks[i] = (struct io_sock){.events = &events, .fd = stage->fds[i], .closing = true};
        assert_int_equal(handles_add(&stage->handles, &stage->socks[i]), 0);
        closing_add(&stage->closing, &stage->socks[i], 0);
    }
}

static void all_must_be_closed(struct stage *stage, int count)
{
    assert_int_equal(told, count);
    assert_false(closing_any(&stage->closing));
    assert_int_equal(stage->handles.used, 0);
    for (int i = 0; i < count; i++)
        assert_int_equal(fcntl(stage->fds[i], F_GETFD), -1);
    handles_deinit(&stage->handles);
}

/* Runs a turn that begins at `now_us` and has `count` events. */
static void turn(struct stage *stage, uint32_t count, uint64_t now_us)
{
    struct io io = {.events = count, .now_ns = now_us * 1000};

    closing_before(&stage->closing, &stage->handles, &io);
    closing_after(&stage->closing, &stage->handles, &io);
}

static void at_once_when_nothing_else_is_to_be_done(void **state)
{
    struct stage stage;

    (void)state;
    open_stage(&stage, 2);
    turn(&stage, 0, 0);
    all_must_be_closed(&stage, 2);
}

static void a_few_wait_for_what_else_there_is_but_not_for_long(void **state)
{
    struct stage stage;
    uint64_t now_us = 0;

    (void)state;
    open_stage(&stage, 4);
    for (; told == 0; now_us += 50) {
        assert_true(closing_any(&stage.closing));
        turn(&stage, 2, now_us);
    }
    assert_in_range(now_us, 200, 350);
    all_must_be_closed(&stage, 4);
}

static void a_few_are_closed_in_the_first_turn_with_time(void **state)
{
    struct stage stage;

    (void)state;
    open_stage(&stage, 1);
    turn(&stage, 1, 0);
    assert_int_equal(told, 0);
    turn(&stage, 0, 10);
    all_must_be_closed(&stage, 1);
}

static void many_do_not_wait(void **state)
{
    struct stage stage;

    (void)state;
    open_stage(&stage, 5);
    turn(&stage, 1, 0);
    all_must_be_closed(&stage, 5);
}

static void many_events_are_not_waited_for(void **state)
{
    struct io io = {.events = 5, .now_ns = 10000};
    struct stage stage;

    (void)state;
    open_stage(&stage, 1);
    turn(&stage, 1, 0);
    assert_int_equal(told, 0);
    closing_before(&stage.closing, &stage.handles, &io); /* many events may take long, so the sockets are closed before them */
    all_must_be_closed(&stage, 1);
    open_stage(&stage, 1);
    closing_after(&stage.closing, &stage.handles, &io);
    all_must_be_closed(&stage, 1);
}

static void what_must_not_wait_does_not(void **state)
{
    struct stage stage;

    (void)state;
    open_stage(&stage, 1);
    stage.socks[1] = (struct io_sock){.events = &events, .fd = stage.fds[1] = eventfd(0, 0), .closing = true, .close_at_once = true};
    assert_int_equal(handles_add(&stage.handles, &stage.socks[1]), 0);
    closing_add(&stage.closing, &stage.socks[1], 0);
    turn(&stage, 1, 0);
    all_must_be_closed(&stage, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_once_when_nothing_else_is_to_be_done),
        cmocka_unit_test(a_few_wait_for_what_else_there_is_but_not_for_long),
        cmocka_unit_test(a_few_are_closed_in_the_first_turn_with_time),
        cmocka_unit_test(many_do_not_wait),
        cmocka_unit_test(many_events_are_not_waited_for),
        cmocka_unit_test(what_must_not_wait_does_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
