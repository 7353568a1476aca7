/* test_closing: io/closing: sockets are closed when nothing else is to be done, or soon. */
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
        closing_add(&stage->closing, &stage->socks[i]);
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

static void at_once_when_nothing_else_is_to_be_done(void **state)
{
    struct stage stage;

    (void)state;
    open_stage(&stage, 2);
    closing_tell(&stage.closing, &stage.handles, false);
    all_must_be_closed(&stage, 2);
}

static void a_few_wait_for_what_else_there_is_but_not_for_ever(void **state)
{
    struct stage stage;
    int turns = 0;

    (void)state;
    for (int again = 0; again < 2; again++, turns = 0) {
        open_stage(&stage, 4);
        for (; told == 0; turns++) {
            assert_true(closing_any(&stage.closing));
            closing_tell(&stage.closing, &stage.handles, true);
        }
        assert_in_range(turns, 3, 10);
        all_must_be_closed(&stage, 4);
    }
}

static void a_few_are_closed_in_the_first_turn_with_time(void **state)
{
    struct stage stage;

    (void)state;
    open_stage(&stage, 1);
    closing_tell(&stage.closing, &stage.handles, true);
    assert_int_equal(told, 0);
    closing_tell(&stage.closing, &stage.handles, false);
    all_must_be_closed(&stage, 1);
}

static void many_do_not_wait(void **state)
{
    struct stage stage;

    (void)state;
    open_stage(&stage, 5);
    closing_tell(&stage.closing, &stage.handles, true);
    all_must_be_closed(&stage, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_once_when_nothing_else_is_to_be_done),
        cmocka_unit_test(a_few_wait_for_what_else_there_is_but_not_for_ever),
        cmocka_unit_test(a_few_are_closed_in_the_first_turn_with_time),
        cmocka_unit_test(many_do_not_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
