/* test/unit/test_slab.c: objects whose addresses do not change, up to a maximum number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/slab.h"

enum { BYTES = 4000, MOST = 150 }; /* many chunks, the last one partial */

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
    assert_int_equal(slab.total, MOST);
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

/* Trims until nothing more can be freed; returns the number of trims. */
static int trim_all(struct slab *slab)
{
    int times = 0;

    for (uint32_t before = slab->total; slab_trimmable(slab); before = slab->total, times++) {
        slab_trim(slab);
        assert_true(slab->total < before);
    }
    return times;
}

static void test_empty_chunks_go_back_to_the_system_in_steps(void **state)
{
    static void *objects[MOST];
    struct slab slab;

    (void)state;
    slab_init(&slab, BYTES, MOST);
    for (int i = 0; i < MOST; i++)
        objects[i] = slab_take(&slab);
    assert_false(slab_trimmable(&slab));
    slab_trim(&slab);
    assert_int_equal(slab.total, MOST);
    for (int i = 0; i < MOST; i++)
        slab_give(&slab, objects[i]);
    assert_in_range(trim_all(&slab), 2, 5); /* each trim frees half of the empty chunks */
    assert_int_equal(slab.empty_chunks, 1);
    assert_true(slab.total <= slab.chunk_objects);
    for (int i = 0; i < MOST; i++) {
        objects[i] = slab_take(&slab);
        assert_non_null(objects[i]);
        memset(objects[i], i, BYTES);
    }
    assert_null(slab_take(&slab));
    for (int i = 0; i < MOST; i++)
        slab_give(&slab, objects[i]);
    slab_deinit(&slab);
}

/* A single object in use keeps its chunk, and new objects are taken from such chunks. */
static void test_what_is_in_use_stays_and_new_objects_join_it(void **state)
{
    static void *objects[MOST];
    struct slab slab;
    uint32_t total;

    (void)state;
    slab_init(&slab, BYTES, MOST);
    for (int i = 0; i < MOST; i++)
        objects[i] = memset(slab_take(&slab), i, BYTES);
    for (int i = 0; i < MOST; i++) {
        if (i % 50 != 0)
            slab_give(&slab, objects[i]);
    }
    assert_true(slab_scattered(&slab) || slab_trimmable(&slab));
    (void)trim_all(&slab);
    total = slab.total;
    assert_true(total <= 4 * slab.chunk_objects); /* three chunks with an object in use, and an empty one */
    for (int i = 0; i < MOST; i += 50) {
        for (int k = 0; k < BYTES; k++)
            assert_int_equal(((unsigned char *)objects[i])[k], i);
    }
    for (int i = 1; i < 50 && i < (int)slab.chunk_objects; i++) {
        objects[i] = slab_take(&slab);
        assert_int_equal(slab.total, total);
    }
    for (int i = 1; i < 50 && i < (int)slab.chunk_objects; i++)
        slab_give(&slab, objects[i]);
    for (int i = 0; i < MOST; i += 50)
        slab_give(&slab, objects[i]);
    slab_deinit(&slab);
}

static void test_tells_the_free_from_those_in_use(void **state)
{
    struct slab slab;
    unsigned char *first, *second;

    (void)state;
    slab_init(&slab, BYTES, MOST);
    first = slab_take(&slab);
    second = slab_take(&slab);
    assert_false(slab_is_free(&slab, first));
    slab_give(&slab, first);
    assert_true(slab_is_free(&slab, first + BYTES - 1));
    assert_false(slab_is_free(&slab, second));
    assert_false(slab_is_free(&slab, &slab)); /* not an object of this slab */
    slab_give(&slab, second);
    slab_deinit(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gives_exactly_max),
        cmocka_unit_test(test_objects_are_apart_and_aligned),
        cmocka_unit_test(test_what_was_given_back_is_used_again),
        cmocka_unit_test(test_max_of_one_and_of_none),
        cmocka_unit_test(test_empty_chunks_go_back_to_the_system_in_steps),
        cmocka_unit_test(test_what_is_in_use_stays_and_new_objects_join_it),
        cmocka_unit_test(test_tells_the_free_from_those_in_use),
    };

    return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
