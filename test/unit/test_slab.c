/* test/unit/test_slab.c: objects that stay where they are, up to a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/slab.h"

enum { BYTES = 100, MOST = 150 }; /* more than two chunks, and no multiple of one */

static void test_gives_exactly_max(void **state)
{
    static void *objects[MOST];
    struct slab slab;

    (void)state;
    slab_init(&slab, BYTES, MOST);
    assert_int_equal(slab.total, 0);
    for (int i = 0; i < MOST; i++) {
        objects[i] = slab_take(&slab);
        assert_non_null(objects[i]);
    }
    assert_int_equal(slab.used, MOST);
    assert_int_equal(slab.total, MOST);
    assert_null(slab_take(&slab));
    assert_int_equal(slab.used, MOST);
    slab_give(&slab, objects[7]);
    assert_ptr_equal(slab_take(&slab), objects[7]);
    assert_null(slab_take(&slab));
    for (int i = 0; i < MOST; i++)
        slab_give(&slab, objects[i]);
    assert_int_equal(slab.used, 0);
    slab_deinit(&slab);
    assert_int_equal(slab.total, 0);
}

static void test_objects_are_apart_and_aligned(void **state)
{
    static unsigned char *objects[MOST];
    struct slab slab;

    (void)state;
    slab_init(&slab, BYTES, MOST);
    for (int i = 0; i < MOST; i++) {
        objects[i] = slab_take(&slab);
        assert_int_equal((uintptr_t)objects[i] % 64, 0);
        memset(objects[i], i, BYTES);
    }
    for (int i = 0; i < MOST; i++) {
        for (int k = 0; k < BYTES; k++)
            assert_int_equal(objects[i][k], i);
        slab_give(&slab, objects[i]);
    }
    slab_deinit(&slab);
}

static void test_what_was_given_back_is_used_again(void **state)
{
    struct slab slab;
    uint32_t total;

    (void)state;
    slab_init(&slab, BYTES, MOST);
    slab_give(&slab, slab_take(&slab));
    total = slab.total;
    for (int i = 0; i < 10000; i++) {
        void *first = slab_take(&slab), *second = slab_take(&slab);

        assert_ptr_not_equal(first, second);
        slab_give(&slab, first);
        slab_give(&slab, second);
    }
    assert_int_equal(slab.total, total);
    slab_deinit(&slab);
}

static void test_max_of_one_and_of_none(void **state)
{
    struct slab slab;
    void *object;

    (void)state;
    slab_init(&slab, sizeof(void *), 1);
    object = slab_take(&slab);
    assert_non_null(object);
    assert_null(slab_take(&slab));
    slab_give(&slab, object);
    slab_deinit(&slab);
    slab_init(&slab, sizeof(void *), 0);
    assert_null(slab_take(&slab));
    slab_deinit(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives_exactly_max),
        cmocka_unit_test(test_objects_are_apart_and_aligned),
        cmocka_unit_test(test_what_was_given_back_is_used_again),
        cmocka_unit_test(test_max_of_one_and_of_none),
    };

    return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
