/* What the tap of `replay` keeps of a client's bytes: all of them up to the limit, in their order, and nothing after that. The session is built by hand and
 * has no sockets; test/sim runs whole sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "pools.h"
#include "worker/context.h"
#include "worker/replay.h"
#include "worker/session.h"
#include "worker/tap.h"

enum { LIMIT_BYTES = 50000 };

static struct rig {
    struct pools pools;
    struct io io;
    struct worker worker;
    struct session session;
    struct direction *request;
} rig;

static int setup(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof(rig));
    pools_init(&rig.pools, CONFIG_BALANCE_ROUND_ROBIN, 1);
    rig.pools.pool.settings.replay_bytes = LIMIT_BYTES;
    pools_open(&rig.pools);
    buffer_pool_init(&rig.io.buffers);
    rig.worker.io = &rig.io;
    replay_slab_init(&rig.worker.replays_slab, 2);
    rig.session = (struct session){
        .worker = &rig.worker,
        .directions = {{.source = CLIENT, .pipe = {.fds = {-1, -1}}}, {.source = BACKEND, .pipe = {.fds = {-1, -1}}}},
        .ends = {{.side = CLIENT}, {.side = BACKEND}},
        .lease.pool = table_pool(rig.pools.table, 0),
    };
    rig.request = &rig.session.directions[CLIENT];
    return 0;
}

/* Everything must have been given back. */
static int teardown(void **state)
{
    (void)state;
    tap_free(rig.request);
    buffer_queue_clear(&rig.request->held, &rig.io.buffers);
    assert_int_equal(rig.io.buffers.slab.used, 0);
    assert_int_equal(rig.worker.replays_slab.used, 0);
    buffer_pool_deinit(&rig.io.buffers);
    slab_deinit(&rig.worker.replays_slab);
    pools_close(&rig.pools);
    return 0;
}

static uint8_t byte_at(uint32_t place)
{
    return (uint8_t)(place * 7 + place / 256);
}

/* Returns a received buffer with the client's bytes from `place` on. */
static struct buffer *received(uint32_t place, uint32_t bytes)
{
    struct buffer *buffer = buffer_new(&rig.io.buffers);

    assert_non_null(buffer);
    for (uint32_t i = 0; i < bytes; i++)
        buffer->data[i] = byte_at(place + i);
    buffer->end = bytes;
    return buffer;
}

/* The tap receives these bytes, as from tap_received(). They must be passed on at once. */
static void receive(uint32_t place, uint32_t bytes)
{
    struct tap *tap = rig.request->tap;
    struct buffer *buffer = received(place, bytes);

    if (!buffer_queue_put(&tap->held, buffer))
        buffer_free(&rig.io.buffers, buffer);
    tap->held_bytes += bytes;
    assert_int_equal(tap->ops->received(tap, rig.request), 0);
    assert_true(!rig.request->tap || !rig.request->tap->held.first);
}

/* The queue must have the client's first bytes, this number of them. */
static void expect_bytes(const struct buffer_queue *queue, uint32_t bytes)
{
    uint32_t place = 0;

    for (const struct buffer *buffer = queue->first; buffer; buffer = buffer->next) {
        for (uint32_t i = buffer->start; i < buffer->end; i++)
            assert_int_equal(buffer->data[i], byte_at(place++));
    }
    assert_int_equal(place, bytes);
}

static void expect_copy(uint32_t bytes)
{
    struct buffer_queue copy = {0};

    assert_int_equal(replay_copy(rig.request, &copy), 0);
    expect_bytes(&copy, bytes);
    buffer_queue_clear(&copy, &rig.io.buffers);
}

static void all_bytes_are_kept_and_passed_on(void **state)
{
    static const uint32_t pieces[] = {1, 10, 16384, 16384, 3000, 1, 14220}; /* 50,000 in all */
    uint32_t place = 0;

    (void)state;
    replay_begin(&rig.session);
    assert_true(replay_is_kept(rig.request));
    assert_int_equal(rig.request->phase, DIRECTION_TAPPED);
    expect_copy(0);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        receive(place, pieces[i]);
        place += pieces[i];
        expect_copy(place);
    }
    assert_int_equal(place, LIMIT_BYTES);
    expect_copy(place); /* it may be sent more than once */
    expect_bytes(&rig.request->held, place);
}

static void nothing_is_kept_above_the_limit(void **state)
{
    (void)state;
    replay_begin(&rig.session);
    for (uint32_t place = 0; place < LIMIT_BYTES; place += 10000)
        receive(place, 10000);
    assert_true(replay_is_kept(rig.request));
    receive(LIMIT_BYTES, 1);
    assert_false(replay_is_kept(rig.request));
    assert_int_equal(rig.request->phase, DIRECTION_COPY);
    assert_int_equal(rig.worker.replays_slab.used, 0);
    expect_bytes(&rig.request->held, LIMIT_BYTES + 1);
}

static void bytes_that_come_without_a_backend_are_kept_too(void **state)
{
    struct buffer *buffer;

    (void)state;
    replay_begin(&rig.session);
    receive(0, 1000);
    buffer = received(1000, 16384);
    replay_keep(rig.request, buffer);
    buffer_free(&rig.io.buffers, buffer);
    expect_copy(17384);
    for (int i = 0; i < 2; i++) {
        buffer = received(0, 16384);
        replay_keep(rig.request, buffer);
        buffer_free(&rig.io.buffers, buffer);
    }
    assert_false(replay_is_kept(rig.request)); /* that was above the limit */
}

static void an_answer_ends_it(void **state)
{
    (void)state;
    replay_begin(&rig.session);
    receive(0, 1000);
    replay_end(rig.request);
    assert_null(rig.request->tap);
    assert_int_equal(rig.request->phase, DIRECTION_COPY);
    expect_bytes(&rig.request->held, 1000);
    replay_end(rig.request); /* once more does nothing */
}

static void a_limit_of_zero_keeps_nothing(void **state)
{
    struct config_pool *pool = &rig.pools.pool;

    (void)state;
    replay_begin(&rig.session);
    receive(0, 1000);
    pool->settings.replay_bytes = 0;
    pools_apply(&rig.pools);
    receive(1000, 1);
    assert_false(replay_is_kept(rig.request)); /* the setting has changed */
    replay_begin(&rig.session);
    assert_null(rig.request->tap);
}

static void without_memory_the_session_goes_on(void **state)
{
    struct session other = rig.session, third = rig.session;

    (void)state;
    replay_begin(&rig.session);
    replay_begin(&other);
    replay_begin(&third); /* the slab has two */
    assert_true(replay_is_kept(&other.directions[CLIENT]));
    assert_false(replay_is_kept(&third.directions[CLIENT]));
    tap_free(&other.directions[CLIENT]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_bytes_are_kept_and_passed_on),
        CASE(nothing_is_kept_above_the_limit),
        CASE(bytes_that_come_without_a_backend_are_kept_too),
        CASE(an_answer_ends_it),
        CASE(a_limit_of_zero_keeps_nothing),
        CASE(without_memory_the_session_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
