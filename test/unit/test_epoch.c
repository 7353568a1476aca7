/* test/unit/test_epoch.c: when the writer may free an object: every order of online, pass, offline and advance that matters, in one thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "table/epoch.h"

static void test_offline_readers_hold_nothing_back(void **state)
{
    (void)state;
    struct epoch *epoch = epoch_new(4);
    assert_non_null(epoch);
    assert_true(epoch_reached(epoch, epoch_advance(epoch)));
    epoch_free(epoch);
}

static void test_without_readers_everything_is_reached(void **state)
{
    (void)state;
    struct epoch *epoch = epoch_new(0);
    assert_true(epoch_reached(epoch, epoch_advance(epoch)));
    epoch_free(epoch);
    epoch_free(NULL);
}

static void test_an_online_reader_holds_back_until_it_passes(void **state)
{
    (void)state;
    struct epoch *epoch = epoch_new(1);
    epoch_online(epoch, 0);
    uint64_t ticket = epoch_advance(epoch);
    assert_false(epoch_reached(epoch, ticket));
    assert_false(epoch_reached(epoch, ticket));
    epoch_pass(epoch, 0);
    assert_true(epoch_reached(epoch, ticket));
    epoch_free(epoch);
}

static void test_going_offline_lets_go(void **state)
{
    (void)state;
    struct epoch *epoch = epoch_new(1);
    epoch_online(epoch, 0);
    uint64_t ticket = epoch_advance(epoch);
    epoch_offline(epoch, 0);
    assert_true(epoch_reached(epoch, ticket));
    epoch_offline(epoch, 0);
    assert_true(epoch_reached(epoch, ticket));
    epoch_free(epoch);
}

static void test_coming_online_after_the_swap_does_not_hold_back(void **state)
{
    (void)state;
    struct epoch *epoch = epoch_new(1);
    uint64_t ticket = epoch_advance(epoch);
    epoch_online(epoch, 0);
    assert_true(epoch_reached(epoch, ticket));
    uint64_t later = epoch_advance(epoch);
    assert_true(epoch_reached(epoch, ticket));
    assert_false(epoch_reached(epoch, later));
    epoch_free(epoch);
}

static void test_a_pass_before_the_swap_does_not_count(void **state)
{
    (void)state;
    struct epoch *epoch = epoch_new(1);
    epoch_online(epoch, 0);
    epoch_pass(epoch, 0);
    uint64_t ticket = epoch_advance(epoch);
    assert_false(epoch_reached(epoch, ticket));
    epoch_free(epoch);
}

static void test_the_slowest_of_many_readers_decides(void **state)
{
    (void)state;
    struct epoch *epoch = epoch_new(3);
    for (unsigned i = 0; i < 3; i++)
        epoch_online(epoch, i);
    uint64_t first = epoch_advance(epoch);
    epoch_pass(epoch, 0);
    epoch_pass(epoch, 1);
    uint64_t second = epoch_advance(epoch);
    assert_true(second > first);
    assert_false(epoch_reached(epoch, first));
    epoch_pass(epoch, 2); /* reader 2 has passed both epochs; 0 and 1 only the first */
    assert_true(epoch_reached(epoch, first));
    assert_false(epoch_reached(epoch, second));
    epoch_pass(epoch, 0);
    assert_false(epoch_reached(epoch, second));
    epoch_offline(epoch, 1);
    assert_true(epoch_reached(epoch, second));
    epoch_free(epoch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offline_readers_hold_nothing_back),
        cmocka_unit_test(test_without_readers_everything_is_reached),
        cmocka_unit_test(test_an_online_reader_holds_back_until_it_passes),
        cmocka_unit_test(test_going_offline_lets_go),
        cmocka_unit_test(test_coming_online_after_the_swap_does_not_hold_back),
        cmocka_unit_test(test_a_pass_before_the_swap_does_not_count),
        cmocka_unit_test(test_the_slowest_of_many_readers_decides),
    };
    return cmocka_run_group_tests_name("epoch", tests, NULL, NULL);
}
