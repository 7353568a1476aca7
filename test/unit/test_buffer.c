/* test/unit/test_buffer.c: the pool of receive buffers counts what it lends and keeps no more than it may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/buffer.h"

static void test_the_last_one_back_is_the_next_one_out(void **state)
{
    struct buffer_pool pool = {0};
    struct buffer *first = buffer_new(&pool), *second = buffer_new(&pool);

    (void)state;
    assert_int_equal(pool.total, 2);
    assert_int_equal(pool.free_count, 0);
    buffer_free(&pool, first);
    buffer_free(&pool, second);
    assert_int_equal(pool.free_count, 2);
    assert_ptr_equal(buffer_new(&pool), second);
    assert_ptr_equal(buffer_new(&pool), first);
    assert_int_equal(pool.total, 2);
    buffer_free(&pool, first);
    buffer_free(&pool, second);
    buffer_pool_deinit(&pool);
    assert_int_equal(pool.total, 0);
}

static void test_comes_empty_however_it_went(void **state)
{
    struct buffer_pool pool = {0};
    struct buffer *buffer = buffer_new(&pool);

    (void)state;
    assert_int_equal(buffer_length(buffer), 0);
    buffer->start = 5;
    buffer->end = BUFFER_BYTES;
    buffer->next = buffer;
    assert_int_equal(buffer_length(buffer), BUFFER_BYTES - 5);
    buffer_free(&pool, buffer);
    assert_ptr_equal(buffer_new(&pool), buffer);
    assert_int_equal(buffer->start, 0);
    assert_int_equal(buffer->end, 0);
    assert_null(buffer->next);
    buffer_free(&pool, buffer);
    buffer_pool_deinit(&pool);
}

static void test_keeps_exactly_its_share(void **state)
{
    static struct buffer *buffers[BUFFER_POOL_KEEP + 1];
    struct buffer_pool pool = {0};

    (void)state;
    for (int i = 0; i <= BUFFER_POOL_KEEP; i++)
        buffers[i] = buffer_new(&pool);
    for (int i = 0; i < BUFFER_POOL_KEEP; i++)
        buffer_free(&pool, buffers[i]);
    assert_int_equal(pool.free_count, BUFFER_POOL_KEEP);
    assert_int_equal(pool.total, BUFFER_POOL_KEEP + 1);
    buffer_free(&pool, buffers[BUFFER_POOL_KEEP]);
    assert_int_equal(pool.free_count, BUFFER_POOL_KEEP);
    assert_int_equal(pool.total, BUFFER_POOL_KEEP);
    buffer_pool_deinit(&pool);
    assert_int_equal(pool.free_count, 0);
    assert_int_equal(pool.total, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_one_back_is_the_next_one_out),
        cmocka_unit_test(test_comes_empty_however_it_went),
        cmocka_unit_test(test_keeps_exactly_its_share),
    };

    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
