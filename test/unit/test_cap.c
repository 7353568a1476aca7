/* test/unit/test_cap.c: the cap on probes in flight, on a fake clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "health/cap.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)

enum { TURNS = 40 };

static struct cap cap;
static struct cap_turn turns[TURNS];

static void open_cap(uint32_t max)
{
    cap_init(&cap, max);
    for (int i = 0; i < TURNS; i++) {
        turns[i] = (struct cap_turn){.interval_ms = 2000};
        list_init(&turns[i].in_line);
    }
}

static void let_wait(int turn, bool preferred, uint64_t due_ns)
{
    turns[turn].preferred = preferred;
    cap_wait(&cap, &turns[turn], due_ns);
}

static void assert_next(int turn, uint64_t now_ns)
{
    assert_ptr_equal(cap_next(&cap, now_ns), &turns[turn]);
}

static void whoever_was_due_first_begins_first(void **state)
{
    (void)state;
    open_cap(8);
    let_wait(0, false, 1 * S);
    let_wait(1, true, 2 * S);
    let_wait(2, false, 3 * S);
    cap_leave(&turns[2]);
    let_wait(3, true, 4 * S);
    assert_next(0, 4 * S);
    assert_next(1, 4 * S);
    assert_next(3, 4 * S);
    assert_null(cap_next(&cap, 4 * S));
}

static void others_leave_a_quarter_free(void **state)
{
    (void)state;
    open_cap(8);
    for (int i = 0; i < 10; i++)
        let_wait(i, false, 1 * S);
    for (int i = 0; i < 6; i++)
        assert_next(i, 1 * S);
    assert_null(cap_next(&cap, 1 * S));
    let_wait(10, true, 2 * S);
    let_wait(11, true, 2 * S);
    let_wait(12, true, 2 * S);
    assert_next(10, 2 * S);
    assert_next(11, 2 * S);
    assert_null(cap_next(&cap, 2 * S)); /* now the cap itself is reached */
    cap_end(&cap, &turns[10]);
    assert_next(12, 2 * S);
    cap_end(&cap, &turns[0]);
    assert_next(6, 2 * S);
}

static void preferred_ones_may_take_all_but_not_for_ever(void **state)
{
    (void)state;
    open_cap(4);
    let_wait(0, false, 2 * S);
    for (int i = 1; i < 10; i++)
        let_wait(i, true, i < 6 ? 1 * S : 3 * S);
    for (int i = 1; i < 5; i++)
        assert_next(i, 3 * S);
    assert_null(cap_next(&cap, 3 * S));
    cap_end(&cap, &turns[1]);
    assert_next(5, 3 * S);
    cap_end(&cap, &turns[2]);
    assert_next(0, 3 * S); /* it has waited longer than the rest */
}

static void small_caps_starve_nobody(void **state)
{
    (void)state;
    for (uint32_t max = 1; max <= 3; max++) {
        open_cap(max);
        for (int i = 0; i < 4; i++)
            let_wait(i, i % 2 == 1, 1 * S);
        for (int count = 0; count < 4; count++) {
            struct cap_turn *turn = cap_next(&cap, 1 * S);
            assert_non_null(turn);
            cap_end(&cap, turn);
        }
    }
}

static void lateness_is_told_once_a_minute_and_when_it_is_over(void **state)
{
    (void)state;
    uint32_t count = 0;
    uint64_t late_ns = 0;

    open_cap(8);
    for (int i = 0; i < 4; i++)
        let_wait(i, true, 10 * S);
    assert_next(0, 12 * S); /* an interval late: no more than that */
    assert_int_equal(cap_news(&cap, 1000 * S, &count, &late_ns), CAP_NO_NEWS);
    assert_int_equal(cap.news_at_ns, UINT64_MAX);
    assert_next(1, 12 * S + 1);
    assert_int_equal(cap.news_at_ns, 13 * S + 1);
    assert_next(2, 13 * S);
    assert_int_equal(cap_news(&cap, 13 * S, &count, &late_ns), CAP_NO_NEWS);
    assert_int_equal(cap_news(&cap, 13 * S + 1, &count, &late_ns), CAP_LATE);
    assert_int_equal(count, 2);
    assert_int_equal(late_ns, 3 * S);
    assert_next(3, 20 * S);
    assert_int_equal(cap_news(&cap, 73 * S, &count, &late_ns), CAP_NO_NEWS);
    assert_int_equal(cap_news(&cap, 73 * S + 1, &count, &late_ns), CAP_LATE);
    assert_int_equal(count, 1);
    assert_int_equal(late_ns, 10 * S);
    assert_int_equal(cap_news(&cap, 134 * S, &count, &late_ns), CAP_ON_TIME);
    assert_int_equal(cap_news(&cap, 1000 * S, &count, &late_ns), CAP_NO_NEWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_was_due_first_begins_first),
        cmocka_unit_test(others_leave_a_quarter_free),
        cmocka_unit_test(preferred_ones_may_take_all_but_not_for_ever),
        cmocka_unit_test(small_caps_starve_nobody),
        cmocka_unit_test(lateness_is_told_once_a_minute_and_when_it_is_over),
    };
    return cmocka_run_group_tests_name("cap", tests, NULL, NULL);
}
