/* test/unit/test_buffer.c: the pool of receive buffers counts what it lends and lends it empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/buffer.h"

static void test_the_last_one_back_is_the_next_one_out(void **state)
{
    struct buffer_pool pool;
    struct buffer *first, *second;

    (void)state;
    buffer_pool_init(&pool);
    first = buffer_new(&pool);
    second = buffer_new(&pool);
    assert_int_equal(pool.slab.used, 2);
    buffer_free(&pool, first);
    buffer_free(&pool, second);
    assert_int_equal(pool.slab.used, 0);
    assert_ptr_equal(buffer_new(&pool), second);
    assert_ptr_equal(buffer_new(&pool), first);
    buffer_free(&pool, first);
    buffer_free(&pool, second);
    buffer_pool_deinit(&pool);
}

static void test_comes_empty_however_it_went(void **state)
{
    struct buffer_pool pool;
    struct buffer *buffer;

    (void)state;
    buffer_pool_init(&pool);
    buffer = buffer_new(&pool);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_one_back_is_the_next_one_out),
        cmocka_unit_test(test_comes_empty_however_it_went),
    };

    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
