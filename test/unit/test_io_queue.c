/* test_io_queue: what an engine reports about a listener's accept queue and about the clients that were in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io_fixture.h"

enum { QUEUED_MS = 120, TALK_MS = 60 };
#define TICK_NS UINT64_C(12000000) /* the kernel counts in ticks of up to 10 ms */

static void open_listener(struct fixture *fixture)
{
    assert_int_equal(fcntl(fixture->listener, F_SETFL, fcntl(fixture->listener, F_GETFL) | O_NONBLOCK), 0);
    assert_int_equal(io_open(fixture->io, &fixture->ours.sock, dup(fixture->listener), &events), 0);
}

static int join(const struct fixture *fixture)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, &fixture->addr.sa, fixture->addr.length), 0);
    return fd;
}

static void wait_for_client(struct fixture *fixture)
{
    fixture->ours.readable = false;
    io_poll(fixture->io, &fixture->ours.sock, IO_IN);
    until(fixture, &fixture->ours.readable);
}

/* With epoll the edge that reported the first client must be consumed, or the poll would end again and again. */
static void a_queue_that_was_seen_empty_tells_of_the_next_client(void **state)
{
    struct fixture *fixture = fixture_of(state);
    int first, second, taken;

    open_listener(fixture);
    assert_false(io_has_clients(fixture->io, &fixture->ours.sock));
    first = join(fixture);
    wait_for_client(fixture);
    assert_true(io_has_clients(fixture->io, &fixture->ours.sock));
    taken = accept4(fixture->listener, NULL, NULL, SOCK_CLOEXEC); /* as another worker that shares the UNIX socket would do */
    assert_true(taken >= 0);
    assert_false(io_has_clients(fixture->io, &fixture->ours.sock));
    fixture->ours.readable = false;
    io_poll(fixture->io, &fixture->ours.sock, IO_IN);
    idle_turns(fixture);
    assert_false(fixture->ours.readable);
    second = join(fixture);
    until(fixture, &fixture->ours.readable);
    assert_true(io_has_clients(fixture->io, &fixture->ours.sock));
    close(first);
    close(second);
    close(taken);
}

static void wait_ms(unsigned ms)
{
    (void)usleep(ms * 1000);
}

/* It is the time at which the handshake ended: for a client that sends nothing, one that sends while it is queued, and one that has closed. */
static void tells_when_a_tcp_client_has_come(void **state)
{
    enum { CLIENTS = 3, TALKS = 1, GOES = 2 };
    struct fixture *fixture = fixture_of(state);
    uint64_t began_ns = clock_now_ns(), joined_ns;
    int clients[CLIENTS];

    open_listener(fixture);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = join(fixture);
    joined_ns = clock_now_ns();
    wait_for_client(fixture);
    wait_ms(TALK_MS);
    assert_int_equal(send(clients[TALKS], "hello", 5, 0), 5);
    close(clients[GOES]);
    wait_ms(QUEUED_MS - TALK_MS);
    for (int i = 0; i < CLIENTS; i++) {
        struct addr peer;
        int fd = io_accept(fixture->io, &fixture->ours.sock, &peer);
        uint64_t arrived_ns = io_arrived_ns(fixture->io, fd); /* the engine's own time is that of the last wait, before the client spoke */

        assert_true(fd >= 0);
        assert_true(arrived_ns + TICK_NS >= began_ns);
        assert_true(arrived_ns <= joined_ns + TICK_NS);
        io_discard(fixture->io, fd);
    }
    close(clients[0]);
    close(clients[TALKS]);
}

static void does_not_tell_when_a_unix_client_has_come(void **state)
{
    struct fixture *fixture = fixture_of(state);
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(io_arrived_ns(fixture->io, pair[0]), 0);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_queue_that_was_seen_empty_tells_of_the_next_client),
        BOTH(tells_when_a_tcp_client_has_come),
        BOTH(does_not_tell_when_a_unix_client_has_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
