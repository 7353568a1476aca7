/* test_io_options: which socket gets the options that a connection requests, and what is read from a connection; on both engines. */
#include <linux/filter.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io_fixture.h"

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t length = sizeof(value);

    assert_int_equal(getsockopt(fd, level, option, &value, &length), 0);
    return value;
}

static void options_are_set_on_the_socket_that_connects(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct io_socket_options options = {.receive_buffer_bytes = 100000, .tcp_user_timeout_ms = 12345, .keepalive_ms = 7000};
    int fd = io_socket(fixture->io, AF_INET);

    assert_int_equal(io_open(fixture->io, &fixture->ours.sock, fd, &events), 0);
    io_connect(fixture->io, &fixture->ours.sock, &fixture->addr, &options);
    until(fixture, &fixture->ours.connected);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_RCVBUF), 200000); /* the kernel doubles the value, see socket(7) */
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 12345);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 7);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
}

/* A socket for which io_open() fails is closed at once, and the next socket gets the same file descriptor number. */
static void options_do_not_reach_a_socket_with_a_reused_number(void **state)
{
    struct fixture *fixture = fixture_of(state);
    static struct peer_sock others[SOCKETS_MAX];
    int refused, reused;

    memset(others, 0, sizeof(others));
    for (int i = 0; i < SOCKETS_MAX; i++)
        assert_int_equal(io_open(fixture->io, &others[i].sock, io_socket(fixture->io, AF_INET), &events), 0);
    idle_turns(fixture);
    refused = io_socket(fixture->io, AF_INET);
    assert_int_equal(io_open(fixture->io, &fixture->ours.sock, refused, &events), -ENFILE);
    reused = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(reused, refused);
    idle_turns(fixture);
    assert_int_equal(option_of(reused, IPPROTO_TCP, TCP_NODELAY), 0);
    (void)close(reused);
    for (int i = 0; i < SOCKETS_MAX; i++)
        io_close(fixture->io, &others[i].sock, true);
    for (int i = 0; i < SOCKETS_MAX; i++)
        until(fixture, &others[i].closed);
}

/* ---- what the kernel knows about a connection ---- */

/* Drops everything that arrives at the socket from now on, so that the other end has to send it again. */
static void drop_what_arrives(int fd)
{
    struct sock_filter drop = {.code = BPF_RET | BPF_K, .k = 0};
    struct sock_fprog program = {.len = 1, .filter = &drop};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
}

static void retransmits_and_round_trip_time_are_those_of_the_connection(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000;
    struct io_tcp_info info = {0};

    connect_pair(fixture);
    assert_true(io_tcp_info(fixture->io, &fixture->ours.sock, &info));
    assert_true(info.rtt_us > 0 && info.rtt_us < 10000000);
    assert_int_equal(info.retransmits, 0);
    drop_what_arrives(fixture->theirs);
    (void)io_send(fixture->io, &fixture->ours.sock, (const uint8_t *)"lost", 4);
    while (info.retransmits == 0) {
        assert_true(clock_now_ns() < deadline);
        assert_int_equal(io_wait(fixture->io, 10), 0);
        io_dispatch(fixture->io);
        assert_true(io_tcp_info(fixture->io, &fixture->ours.sock, &info));
    }
}

static void a_unix_socket_and_a_closed_one_have_no_tcp_info(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct io_tcp_info info;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    fixture->theirs = pair[1];
    assert_int_equal(io_open(fixture->io, &fixture->ours.sock, pair[0], &events), 0);
    assert_false(io_tcp_info(fixture->io, &fixture->ours.sock, &info));
    io_close(fixture->io, &fixture->ours.sock, false);
    until(fixture, &fixture->ours.closed);
    assert_false(io_tcp_info(fixture->io, &fixture->ours.sock, &info));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(options_are_set_on_the_socket_that_connects),
        BOTH(options_do_not_reach_a_socket_with_a_reused_number),
        BOTH(retransmits_and_round_trip_time_are_those_of_the_connection),
        BOTH(a_unix_socket_and_a_closed_one_have_no_tcp_info),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
