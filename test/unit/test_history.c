/* test_history: table/history: the last lines stay, the oldest first. */
#include "table/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static struct history history;

static int teardown(void **state)
{
    (void)state;
    history_clear(&history);
    return 0;
}

static void lines_are_kept_in_order(void **state)
{
    (void)state;
    assert_int_equal(history_count(&history), 0);
    history_add(&history, "main", "b0", "is DOWN");
    history_add(&history, "main", "", "no backend is usable");
    assert_int_equal(history_count(&history), 2);
    assert_int_equal(history_line(&history, 0)->id, 1);
    assert_string_equal(history_line(&history, 0)->pool, "main");
    assert_string_equal(history_line(&history, 0)->backend, "b0");
    assert_string_equal(history_line(&history, 0)->text, "is DOWN");
    assert_string_equal(history_line(&history, 1)->backend, "");
    assert_string_equal(history_line(&history, 1)->text, "no backend is usable");
    assert_true(history_line(&history, 1)->time.tv_sec > 1000000000);
}

static void the_oldest_lines_go(void **state)
{
    char text[16];

    (void)state;
    for (int i = 1; i <= HISTORY_LINES + 3; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        history_add(&history, "p", "b", text);
    }
    assert_int_equal(history_count(&history), HISTORY_LINES);
    for (size_t i = 0; i < HISTORY_LINES; i++) {
        (void)snprintf(text, sizeof(text), "%zu", i + 4);
        assert_int_equal(history_line(&history, i)->id, i + 4);
        assert_string_equal(history_line(&history, i)->text, text);
    }
}

static void it_can_be_cleared_twice(void **state)
{
    (void)state;
    history_add(&history, "p", "b", "text");
    history_clear(&history);
    history_clear(&history);
    assert_int_equal(history_count(&history), 0);
    history_add(&history, "p", "b", "again");
    assert_int_equal(history_line(&history, 0)->id, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(lines_are_kept_in_order, teardown),
        cmocka_unit_test_teardown(the_oldest_lines_go, teardown),
        cmocka_unit_test_teardown(it_can_be_cleared_twice, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
