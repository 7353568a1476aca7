/* test_io_trim: buffers that are no longer needed are freed while connections continue, and no byte is lost; on both engines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "io/uring.h"
#include "io_fixture.h"

enum { PEERS = 120, ROUNDS = 400, CREDIT = 4 * BUFFER_BYTES, FEW = 64 };

struct talker {
    struct peer_sock ours; /* the fixture checks the received bytes */
    int theirs;
    uint64_t said;
};

static struct talker talkers[PEERS];

static void turn(struct fixture *fixture)
{
    assert_int_equal(io_wait(fixture->io, 10), 0);
    io_dispatch(fixture->io);
    for (int i = 0; i < PEERS; i++) {
        assert_true(!talkers[i].ours.rest || talkers[i].ours.why == IO_REST_CREDIT);
        if (talkers[i].ours.rest) {
            talkers[i].ours.rest = false;
            io_receive(fixture->io, &talkers[i].ours.sock, CREDIT);
        }
    }
}

static bool all_arrived(void)
{
    for (int i = 0; i < PEERS; i++) {
        if (talkers[i].ours.received != talkers[i].said)
            return false;
    }
    return true;
}

static void until_arrived(struct fixture *fixture)
{
    uint64_t deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000;

    while (!all_arrived()) {
        turn(fixture);
        assert_true(clock_now_ns() < deadline);
    }
}

static void start(struct fixture *fixture)
{
    memset(talkers, 0, sizeof(talkers));
    for (int i = 0; i < PEERS; i++) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        talkers[i].theirs = fds[1];
        assert_int_equal(io_open(fixture->io, &talkers[i].ours.sock, fds[0], &events), 0);
        io_receive(fixture->io, &talkers[i].ours.sock, CREDIT);
    }
}

static void stop(struct fixture *fixture)
{
    for (int i = 0; i < PEERS; i++) {
        for (int k = 0; k < talkers[i].ours.kept_count; k++)
            buffer_free(&fixture->io->buffers, talkers[i].ours.kept[k]);
        io_close(fixture->io, &talkers[i].ours.sock, true);
    }
    for (int i = 0; i < PEERS; i++) {
        until(fixture, &talkers[i].ours.closed);
        (void)close(talkers[i].theirs);
    }
}

static void no_byte_is_lost_by_trimming(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t random = 7;

    start(fixture);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t one_in = round % 40 < 10 ? 1 : 30; /* bursts in which all peers send, and periods between them in which few do */

        for (int i = 0; i < PEERS; i++) {
            if (random_below(&random, one_in) == 0)
                (void)feed(talkers[i].theirs, &talkers[i].said, 1 + random_below(&random, 20000));
        }
        if (random_below(&random, 3) > 0)
            io_trim(fixture->io);
        turn(fixture);
    }
    until_arrived(fixture);
    stop(fixture);
}

static void what_a_crowd_needed_comes_back(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct slab *slab = &fixture->io->buffers.slab;
    uint32_t most;

    start(fixture);
    for (int i = 0; i < PEERS; i++)
        talkers[i].ours.keep = true;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PEERS; i++)
            (void)feed(talkers[i].theirs, &talkers[i].said, BUFFER_BYTES);
        until_arrived(fixture);
    }
    most = slab->total;
    assert_true(slab->used >= 3 * PEERS);
    for (int i = 0; i < PEERS; i++) {
        while (talkers[i].ours.kept_count > 0)
            buffer_free(&fixture->io->buffers, talkers[i].ours.kept[--talkers[i].ours.kept_count]);
        talkers[i].ours.keep = false;
    }
    for (int i = 0; i < 100 && io_trimmable(fixture->io); i++) {
        io_trim(fixture->io);
        turn(fixture);
    }
    assert_false(io_trimmable(fixture->io));
    assert_true(slab->used <= FEW);
    assert_true(slab->total <= FEW + 3 * slab->chunk_objects && slab->total < most / 2);
    for (int i = 0; i < PEERS; i++)
        (void)feed(talkers[i].theirs, &talkers[i].said, 100);
    until_arrived(fixture);
    stop(fixture);
}

/* Sends to random peers, as many bytes as fit, until `stopping` is set. */
static void *speak(void *argument)
{
    const atomic_bool *stopping = argument;
    uint64_t random = 3;

    while (!atomic_load(stopping)) {
        struct talker *talker = &talkers[random_below(&random, PEERS)];

        (void)feed(talker->theirs, &talker->said, 1 + random_below(&random, 30000));
    }
    return NULL;
}

/* Without deferred task work the kernel may fill buffers at any moment, even while the buffer ring is being rebuilt. */
static void no_byte_is_lost_when_the_kernel_fills_at_any_moment(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct io_choice plain = fixture->choice;
    struct io_options options = {.sockets_max = SOCKETS_MAX};
    atomic_bool stopping = false;
    pthread_t speaker;
    int error;

    plain.setup &= ~(unsigned)(IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER);
    io_free(fixture->io);
    fixture->io = io_new(&plain, &options, &error);
    assert_non_null(fixture->io);
    start(fixture);
    assert_int_equal(pthread_create(&speaker, NULL, speak, &stopping), 0);
    for (int round = 0; round < ROUNDS; round++) {
        uring_of(fixture->io)->renews = true; /* as io_trim() does when trimming pays off */
        turn(fixture);
    }
    atomic_store(&stopping, true);
    pthread_join(speaker, NULL);
    until_arrived(fixture);
    stop(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(no_byte_is_lost_by_trimming),
        BOTH(what_a_crowd_needed_comes_back),
        cmocka_unit_test_setup_teardown(no_byte_is_lost_when_the_kernel_fills_at_any_moment, setup_uring, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
