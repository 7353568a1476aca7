/* test/unit/test_buffer.c: the pool of receive buffers counts the buffers in use and hands them out empty; queues of buffers keep the order of their bytes. */
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

/* Returns a buffer with `bytes` bytes whose values count up from `first`. */
static struct buffer *filled(struct buffer_pool *pool, uint32_t bytes, uint8_t first)
{
    struct buffer *buffer = buffer_new(pool);

    for (uint32_t i = 0; i < bytes; i++)
        buffer->data[i] = (uint8_t)(first + i);
    buffer->end = bytes;
    return buffer;
}

static void test_a_queue_keeps_order_and_fills_the_last(void **state)
{
    struct buffer_pool pool;
    struct buffer_queue queue = {0}, other = {0};
    struct buffer *large, *small, *taken;

    (void)state;
    buffer_pool_init(&pool);
    large = filled(&pool, BUFFER_BYTES - 3, 0);
    small = filled(&pool, 5, 100);
    assert_true(buffer_queue_put(&queue, large));
    assert_true(buffer_queue_put(&queue, small)); /* does not fit into the rest of the first buffer */
    small = filled(&pool, 4, 105);
    small->start = 1;
    assert_false(buffer_queue_put(&queue, small));
    assert_true(buffer_queue_put(&other, small));
    buffer_queue_append(&queue, &other);
    assert_null(other.first);
    buffer_queue_append(&queue, &other); /* appends an empty queue */

    assert_ptr_equal(buffer_queue_take(&queue), large);
    taken = buffer_queue_take(&queue);
    assert_int_equal(buffer_length(taken), 8);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(taken->data[taken->start + i], i < 5 ? 100 + i : 101 + i);
    assert_ptr_equal(buffer_queue_take(&queue), small);
    assert_null(buffer_queue_take(&queue));
    assert_null(queue.last);

    buffer_queue_append(&other, &queue); /* appends an empty queue to an empty one */
    assert_true(buffer_queue_put(&queue, large));
    buffer_queue_append(&other, &queue);
    assert_ptr_equal(other.first, large);
    buffer_free(&pool, taken);
    buffer_free(&pool, small);
    buffer_queue_clear(&other, &pool);
    assert_null(other.first);
    assert_int_equal(pool.slab.used, 0);
    buffer_pool_deinit(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_one_back_is_the_next_one_out),
        cmocka_unit_test(test_comes_empty_however_it_went),
        cmocka_unit_test(test_a_queue_keeps_order_and_fills_the_last),
    };

    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
