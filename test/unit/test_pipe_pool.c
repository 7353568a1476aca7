/* test/unit/test_pipe_pool.c: empty pipes are reused, the limit is never exceeded, and after a failure the pool waits before it asks the kernel again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/pipe_pool.h"

enum { MOST = 10, LARGE = 2 }; /* a fifth of the pipes are large */
#define SECOND_NS ((uint64_t)1000000000)

/* A fake engine that implements only the pipe operations. */
struct kernel {
    struct io io;
    int next_fd;
    int open;
    unsigned asked;
    int error;          /* what pipe_open() returns; 0: it succeeds */
    uint32_t capacity;  /* of the pipes that are opened; 0: as requested */
};

static int pipe_open(struct io *io, struct io_pipe *pipe, uint32_t bytes)
{
    struct kernel *kernel = container_of(io, struct kernel, io);

    kernel->asked++;
    if (kernel->error)
        return kernel->error;
    kernel->open++;
    *pipe = (struct io_pipe){.fds = {kernel->next_fd, kernel->next_fd + 1}, .capacity = kernel->capacity ? kernel->capacity : bytes};
    kernel->next_fd += 2;
    return 0;
}

static void pipe_close(struct io *io, struct io_pipe *pipe)
{
    if (pipe->fds[0] < 0)
        return;
    container_of(io, struct kernel, io)->open--;
    *pipe = PIPE_NONE;
}

static const struct io_ops ops = {.pipe_open = pipe_open, .pipe_close = pipe_close};

static uint32_t idle(const struct pipe_pool *pool)
{
    return pool->shelves[PIPE_LARGE].idle_count + pool->shelves[PIPE_USUAL].idle_count;
}

static uint32_t opened(const struct pipe_pool *pool)
{
    return pool->shelves[PIPE_LARGE].open + pool->shelves[PIPE_USUAL].open;
}

static void start(struct kernel *kernel, struct pipe_pool *pool)
{
    *kernel = (struct kernel){.io = {.ops = &ops, .now_ns = SECOND_NS}, .next_fd = 10};
    assert_int_equal(pipe_pool_init(pool, &kernel->io, MOST), 0);
}

static void test_an_empty_pipe_is_used_again(void **state)
{
    struct kernel kernel;
    struct pipe_pool pool;
    struct io_pipe pipe = PIPE_NONE;
    int fd;

    (void)state;
    start(&kernel, &pool);
    assert_true(pipe_pool_take(&pool, &pipe));
    fd = pipe.fds[0];
    pipe_pool_give(&pool, &pipe);
    assert_int_equal(pipe.fds[0], -1);
    pipe_pool_give(&pool, &pipe); /* giving back PIPE_NONE has no effect */
    assert_int_equal(idle(&pool), 1);
    assert_true(pipe_pool_take(&pool, &pipe));
    assert_int_equal(pipe.fds[0], fd);
    assert_int_equal(kernel.asked, 1);
    pipe_pool_give(&pool, &pipe);
    pipe_pool_deinit(&pool);
    assert_int_equal(kernel.open, 0);
}

static void test_a_pipe_with_bytes_in_it_is_closed(void **state)
{
    struct kernel kernel;
    struct pipe_pool pool;
    struct io_pipe pipe = PIPE_NONE;

    (void)state;
    start(&kernel, &pool);
    assert_true(pipe_pool_take(&pool, &pipe));
    pipe.bytes = 1;
    pipe_pool_give(&pool, &pipe);
    assert_int_equal(pipe.fds[0], -1);
    assert_int_equal(idle(&pool), 0);
    assert_int_equal(opened(&pool), 0);
    assert_int_equal(kernel.open, 0);
    pipe_pool_deinit(&pool);
}

static void test_lends_exactly_max(void **state)
{
    struct kernel kernel;
    struct pipe_pool pool;
    struct io_pipe pipes[MOST + 1];

    (void)state;
    start(&kernel, &pool);
    for (int i = 0; i < MOST; i++)
        assert_true(pipe_pool_take(&pool, &pipes[i]));
    assert_false(pipe_pool_take(&pool, &pipes[MOST]));
    assert_int_equal(kernel.open, MOST);
    pipes[0].bytes = 7; /* it is closed when given back, so that another pipe may be opened */
    pipe_pool_give(&pool, &pipes[0]);
    assert_true(pipe_pool_take(&pool, &pipes[MOST]));
    assert_false(pipe_pool_take(&pool, &pipes[0]));
    for (int i = 1; i <= MOST; i++)
        pipe_pool_give(&pool, &pipes[i]);
    assert_int_equal(idle(&pool), MOST);
    pipe_pool_trim(&pool);
    assert_int_equal(kernel.open, 0);
    assert_int_equal(opened(&pool), 0);
    pipe_pool_deinit(&pool);
}

static void test_large_pipes_come_first_and_are_few(void **state)
{
    struct kernel kernel;
    struct pipe_pool pool;
    struct io_pipe pipes[MOST];

    (void)state;
    start(&kernel, &pool);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MOST; i++) {
            assert_true(pipe_pool_take(&pool, &pipes[i]));
            assert_int_equal(pipes[i].capacity, i < LARGE ? 1024 * 1024 : 256 * 1024);
        }
        for (int i = 0; i < MOST; i++)
            pipe_pool_give(&pool, &pipes[i]);
        assert_int_equal(kernel.open, MOST);
    }
    pipe_pool_deinit(&pool);
    assert_int_equal(kernel.open, 0);
}

static void test_a_maximum_of_none(void **state)
{
    struct kernel kernel = {.io = {.ops = &ops}};
    struct pipe_pool pool;
    struct io_pipe pipe = PIPE_NONE;

    (void)state;
    assert_int_equal(pipe_pool_init(&pool, &kernel.io, 0), 0);
    assert_false(pipe_pool_take(&pool, &pipe));
    assert_int_equal(kernel.asked, 0);
    pipe_pool_deinit(&pool);
}

static void test_no_descriptors_and_no_second_try_at_once(void **state)
{
    struct kernel kernel;
    struct pipe_pool pool;
    struct io_pipe pipe = PIPE_NONE;

    (void)state;
    start(&kernel, &pool);
    kernel.error = -EMFILE;
    assert_false(pipe_pool_take(&pool, &pipe));
    assert_int_equal(pipe.fds[0], -1);
    kernel.error = 0;
    kernel.io.now_ns += SECOND_NS - 1;
    assert_false(pipe_pool_take(&pool, &pipe));
    assert_int_equal(kernel.asked, 1);
    kernel.io.now_ns += 1;
    assert_true(pipe_pool_take(&pool, &pipe));
    pipe_pool_give(&pool, &pipe);
    pipe_pool_deinit(&pool);
}

static void test_too_small_a_pipe_is_no_pipe(void **state)
{
    struct kernel kernel;
    struct pipe_pool pool;
    struct io_pipe pipe = PIPE_NONE;

    (void)state;
    start(&kernel, &pool);
    kernel.capacity = 64 * 1024 - 1;
    assert_false(pipe_pool_take(&pool, &pipe));
    assert_int_equal(pipe.fds[0], -1);
    assert_int_equal(kernel.open, 0);
    assert_int_equal(opened(&pool), 0);
    kernel.capacity = 64 * 1024;
    kernel.io.now_ns += SECOND_NS;
    assert_true(pipe_pool_take(&pool, &pipe));
    pipe_pool_give(&pool, &pipe);
    pipe_pool_deinit(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_pipe_is_used_again),
        cmocka_unit_test(test_a_pipe_with_bytes_in_it_is_closed),
        cmocka_unit_test(test_lends_exactly_max),
        cmocka_unit_test(test_large_pipes_come_first_and_are_few),
        cmocka_unit_test(test_a_maximum_of_none),
        cmocka_unit_test(test_no_descriptors_and_no_second_try_at_once),
        cmocka_unit_test(test_too_small_a_pipe_is_no_pipe),
    };

    return cmocka_run_group_tests_name("pipe_pool", tests, NULL, NULL);
}
