/* test_io: the guarantees of io/io.h, on both real engines, with local sockets. The simulated engine gives the same guarantees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/eventfd.h>

#include "io_fixture.h"

/* ---- test cases ---- */

static void receive_rests_at_its_credit_and_not_before(void **state)
{
    struct fixture *fixture = fixture_of(state);
    const uint32_t credit = 2 * BUFFER_BYTES;
    uint64_t offset = 0;

    connect_pair(fixture);
    fixture->ours.keep = true;
    assert_true(feed(fixture->theirs, &offset, 20 * BUFFER_BYTES) == 20 * BUFFER_BYTES);
    io_receive(fixture->io, &fixture->ours.sock, credit);
    until(fixture, &fixture->ours.rest);
    assert_int_equal(fixture->ours.why, IO_REST_CREDIT);
    assert_true(fixture->ours.received >= credit);
    assert_true(fixture->ours.received <= credit + BUFFER_BYTES);
    idle_turns(fixture);
    assert_true(fixture->ours.received <= credit + BUFFER_BYTES); /* nothing is received while at rest */
}

/* In one turn more receives have data than there are buffers (io_uring has 64 at first, 256 at most): the others get their data later. */
static void receives_that_find_no_buffer_have_their_turn(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct peer_sock many[SOCKETS_MAX] = {0};
    const uint8_t bytes[] = {0, 1, 2, 3};
    int pairs[SOCKETS_MAX][2];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < SOCKETS_MAX; i++) {
            if (round == 0) {
                assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
                assert_int_equal(io_open(fixture->io, &many[i].sock, pairs[i][0], &events), 0);
            }
            many[i].rest = false;
            assert_int_equal(write(pairs[i][1], &bytes[2 * round], 2), 2);
            io_receive(fixture->io, &many[i].sock, 2);
        }
        for (int i = 0; i < SOCKETS_MAX; i++) {
            until(fixture, &many[i].rest);
            assert_int_equal(many[i].why, IO_REST_CREDIT);
            assert_int_equal(many[i].received, 2 * (round + 1));
        }
    }
    for (int i = 0; i < SOCKETS_MAX; i++) {
        io_close(fixture->io, &many[i].sock, false);
        until(fixture, &many[i].closed);
        close(pairs[i][1]);
    }
}

static void everything_comes_before_the_end_of_the_stream(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t offset = 0;

    connect_pair(fixture);
    feed(fixture->theirs, &offset, 100001);
    shutdown(fixture->theirs, SHUT_WR);
    do {
        fixture->ours.rest = false;
        io_receive(fixture->io, &fixture->ours.sock, 20000);
        until(fixture, &fixture->ours.rest);
    } while (fixture->ours.why == IO_REST_CREDIT);
    assert_int_equal(fixture->ours.why, IO_REST_EOF);
    assert_int_equal(fixture->ours.received, offset);
}

static void a_reset_ends_a_waiting_receive_with_its_errno(void **state)
{
    struct fixture *fixture = fixture_of(state);

    connect_pair(fixture);
    io_receive(fixture->io, &fixture->ours.sock, 1000);
    idle_turns(fixture);
    assert_false(fixture->ours.rest);
    reset_theirs(fixture);
    until(fixture, &fixture->ours.rest);
    assert_int_equal(fixture->ours.why, IO_REST_ERROR);
    assert_int_equal(fixture->ours.error, ECONNRESET);
}

static void a_send_that_does_not_fit_stays_pending_until_all_is_out(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint32_t bytes = 16 * 1024 * 1024;
    uint8_t *data = malloc(bytes), *back = malloc(bytes);
    size_t got = 0;

    connect_pair(fixture);
    for (uint32_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(i * 7 + i / 1000);
    assert_int_equal(io_send(fixture->io, &fixture->ours.sock, data, bytes), IO_PENDING);
    idle_turns(fixture);
    assert_false(fixture->ours.sent);
    while (got < bytes) {
        ssize_t n = recv(fixture->theirs, back + got, bytes - got, MSG_DONTWAIT);

        if (n > 0)
            got += (size_t)n;
        assert_int_equal(io_wait(fixture->io, n > 0 ? 0 : 10), 0);
        io_dispatch(fixture->io);
    }
    until(fixture, &fixture->ours.sent);
    assert_int_equal(fixture->ours.error, 0);
    assert_memory_equal(data, back, bytes);
    free(data);
    free(back);
}

static void a_pending_send_fails_when_the_peer_resets(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint32_t bytes = 16 * 1024 * 1024;
    uint8_t *data = calloc(1, bytes);

    connect_pair(fixture);
    assert_int_equal(io_send(fixture->io, &fixture->ours.sock, data, bytes), IO_PENDING);
    idle_turns(fixture);
    reset_theirs(fixture);
    until(fixture, &fixture->ours.sent);
    assert_true(fixture->ours.error == ECONNRESET || fixture->ours.error == EPIPE);
    free(data);
}

static void connecting_to_a_closed_port_is_refused(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct io_socket_options options = {0};

    close(fixture->listener);
    assert_int_equal(io_open(fixture->io, &fixture->ours.sock, io_socket(fixture->io, AF_INET), &events), 0);
    io_connect(fixture->io, &fixture->ours.sock, &fixture->addr, &options);
    until(fixture, &fixture->ours.connected);
    assert_int_equal(fixture->ours.error, ECONNREFUSED);
    fixture->listener = dup(0);
}

/* The socket is bound to its own destination before it connects: by chance the kernel would pick that port only about once in 28,000 times. */
static void a_connection_to_itself_is_known_by_both_names_of_the_goal(void **state)
{
    static const in_addr_t goals[] = {INADDR_LOOPBACK, INADDR_ANY};
    struct fixture *fixture = fixture_of(state);
    struct io_socket_options options = {0};
    struct addr goal = fixture->addr;
    bool by_itself;

    connect_pair(fixture);
    assert_false(io_met_itself(fixture->io, &fixture->ours.sock, &fixture->addr));
    close(fixture->listener);
    fixture->listener = dup(0);
    for (size_t i = 0; i < 2; i++) {
        struct peer_sock own = {0};
        int fd = io_socket(fixture->io, AF_INET);
        struct addr loopback = {.length = sizeof(loopback.in)};

        loopback.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        assert_int_equal(bind(fd, &loopback.sa, loopback.length), 0);
        assert_int_equal(getsockname(fd, &goal.sa, &goal.length), 0);
        goal.in.sin_addr.s_addr = htonl(goals[i]);
        assert_int_equal(io_open(fixture->io, &own.sock, fd, &events), 0);
        io_connect(fixture->io, &own.sock, &goal, &options);
        until(fixture, &own.connected);
        assert_int_equal(own.error, 0);
        by_itself = io_met_itself(fixture->io, &own.sock, &goal);
        io_close(fixture->io, &own.sock, true);
        until(fixture, &own.closed);
        assert_true(by_itself);
    }
}

static void close_with_everything_in_flight_says_closed_once_and_nothing_else(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint32_t bytes = 16 * 1024 * 1024;
    uint8_t *data = calloc(1, bytes);
    char byte;

    connect_pair(fixture);
    io_receive(fixture->io, &fixture->ours.sock, 1000);
    assert_int_equal(io_send(fixture->io, &fixture->ours.sock, data, bytes), IO_PENDING);
    idle_turns(fixture);
    io_close(fixture->io, &fixture->ours.sock, true);
    assert_false(fixture->ours.closed); /* never from within the call */
    until(fixture, &fixture->ours.closed);
    assert_int_equal(fixture->ours.after_close, 0);
    free(data); /* the kernel no longer uses it; otherwise the sanitizer would report an error */
    while (recv(fixture->theirs, &byte, 1, MSG_TRUNC) > 0)
        ;
    assert_int_equal(errno, ECONNRESET);
}

static void close_without_reset_sends_the_end_of_the_stream(void **state)
{
    struct fixture *fixture = fixture_of(state);
    char byte;

    connect_pair(fixture);
    io_close(fixture->io, &fixture->ours.sock, false);
    until(fixture, &fixture->ours.closed);
    assert_int_equal(recv(fixture->theirs, &byte, 1, 0), 0);
}

static void bytes_that_were_there_before_the_poll_make_it_end(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t offset = 0;

    connect_pair(fixture);
    feed(fixture->theirs, &offset, 10);
    io_poll(fixture->io, &fixture->ours.sock, IO_IN);
    until(fixture, &fixture->ours.readable);
    fixture->ours.readable = false;
    io_poll(fixture->io, &fixture->ours.sock, IO_IN); /* nothing was read, so the socket is still readable */
    until(fixture, &fixture->ours.readable);
    io_poll(fixture->io, &fixture->ours.sock, IO_OUT);
    until(fixture, &fixture->ours.writable);
}

static void splice_moves_in_and_out_and_tells_empty_full_and_end(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct io_pipe pipe = {.fds = {-1, -1}};
    uint64_t offset = 0;
    char back[100];

    connect_pair(fixture);
    assert_int_equal(io_pipe_open(fixture->io, &pipe, 65536), 0);
    assert_true(pipe.capacity >= 65536);
    assert_int_equal(io_splice_in(fixture->io, &fixture->ours.sock, &pipe, pipe.capacity), -EAGAIN);
    io_poll(fixture->io, &fixture->ours.sock, IO_IN);
    feed(fixture->theirs, &offset, sizeof(back));
    until(fixture, &fixture->ours.readable);
    assert_int_equal(io_splice_in(fixture->io, &fixture->ours.sock, &pipe, pipe.capacity), sizeof(back));
    assert_int_equal(pipe.bytes, sizeof(back));
    assert_int_equal(io_splice_out(fixture->io, &fixture->ours.sock, &pipe), sizeof(back));
    assert_int_equal(pipe.bytes, 0);
    assert_int_equal(recv(fixture->theirs, back, sizeof(back), MSG_WAITALL), sizeof(back));
    shutdown(fixture->theirs, SHUT_WR);
    fixture->ours.readable = false;
    io_poll(fixture->io, &fixture->ours.sock, IO_IN);
    until(fixture, &fixture->ours.readable);
    assert_int_equal(io_splice_in(fixture->io, &fixture->ours.sock, &pipe, pipe.capacity), 0);
    io_pipe_close(fixture->io, &pipe);
    io_pipe_close(fixture->io, &pipe); /* a second close is allowed */
}

static void a_spliced_unix_socket_that_is_empty_is_not_readable(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct io_pipe pipe;
    uint64_t offset = 0;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    fixture->theirs = pair[1];
    assert_int_equal(io_open(fixture->io, &fixture->ours.sock, pair[0], &events), 0);
    assert_int_equal(io_pipe_open(fixture->io, &pipe, 65536), 0);
    feed(fixture->theirs, &offset, 100);
    io_receive(fixture->io, &fixture->ours.sock, 100);
    until(fixture, &fixture->ours.rest);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(io_splice_in(fixture->io, &fixture->ours.sock, &pipe, 65536), -EAGAIN);
        fixture->ours.readable = false;
        io_poll(fixture->io, &fixture->ours.sock, IO_IN);
        idle_turns(fixture);
        assert_false(fixture->ours.readable);
        feed(fixture->theirs, &offset, 1000);
        until(fixture, &fixture->ours.readable);
        assert_int_equal(io_splice_in(fixture->io, &fixture->ours.sock, &pipe, 65536), 1000);
        io_pipe_close(fixture->io, &pipe);
        assert_int_equal(io_pipe_open(fixture->io, &pipe, 65536), 0);
    }
    io_pipe_close(fixture->io, &pipe);
}

static void a_broken_connection_shows_without_reading(void **state)
{
    struct fixture *fixture = fixture_of(state);

    connect_pair(fixture);
    assert_int_equal(io_broken(fixture->io, &fixture->ours.sock), 0);
    shutdown(fixture->theirs, SHUT_WR);
    assert_int_equal(io_broken(fixture->io, &fixture->ours.sock), 0); /* a FIN does not count as broken */
    reset_theirs(fixture);
    assert_int_equal(io_broken(fixture->io, &fixture->ours.sock), EPIPE); /* the kernel's error for a reset that follows a FIN */
}

static void a_reset_shows_without_reading_though_bytes_are_waiting(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t offset = 0;

    connect_pair(fixture);
    feed(fixture->theirs, &offset, 100);
    reset_theirs(fixture);
    assert_int_equal(io_broken(fixture->io, &fixture->ours.sock), ECONNRESET);
    io_receive(fixture->io, &fixture->ours.sock, 1000);
    until(fixture, &fixture->ours.rest);
    assert_int_equal(fixture->ours.received, 100); /* the waiting bytes are not lost */
}

static void after_a_reset_nothing_is_on_its_way_any_more(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t offset = 0;

    connect_pair(fixture);
    feed(fixture->ours.sock.fd, &offset, 64 * 1024 * 1024); /* as much as the socket accepts */
    assert_true(io_undelivered(fixture->io, &fixture->ours.sock) > 0);
    reset_theirs(fixture);
    assert_int_equal(io_undelivered(fixture->io, &fixture->ours.sock), 0);
}

static void with_both_ends_shut_bytes_are_still_on_their_way(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t offset = 0;

    connect_pair(fixture);
    feed(fixture->ours.sock.fd, &offset, 64 * 1024 * 1024);
    shutdown(fixture->theirs, SHUT_WR);
    assert_int_equal(io_shutdown(fixture->io, &fixture->ours.sock), 0);
    assert_true(io_undelivered(fixture->io, &fixture->ours.sock) > 0);
}

static void a_client_that_cannot_be_opened_is_reset(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct peer_sock fillers[SOCKETS_MAX] = {0}, refused = {0};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted;
    char byte;

    for (int i = 0; i < SOCKETS_MAX; i++)
        assert_int_equal(io_open(fixture->io, &fillers[i].sock, eventfd(0, EFD_NONBLOCK), &events), 0);
    assert_int_equal(connect(client, &fixture->addr.sa, fixture->addr.length), 0);
    accepted = accept4(fixture->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_int_equal(io_open(fixture->io, &refused.sock, accepted, &events), -ENFILE);
    assert_int_equal(recv(client, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    close(client);
    for (int i = 0; i < SOCKETS_MAX; i++) {
        io_close(fixture->io, &fillers[i].sock, false);
        until(fixture, &fillers[i].closed);
    }
}

static void an_eventfd_wakes_once_for_each_time_it_is_written(void **state)
{
    struct fixture *fixture = fixture_of(state);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), writer = dup(fd);
    uint64_t one = 1;

    assert_int_equal(io_open(fixture->io, &fixture->ours.sock, fd, &events), 0);
    io_poll(fixture->io, &fixture->ours.sock, IO_IN);
    for (int i = 0; i < 3; i++) {
        idle_turns(fixture);
        assert_false(fixture->ours.readable);
        assert_int_equal(write(writer, &one, sizeof(one)), sizeof(one));
        until(fixture, &fixture->ours.readable);
        fixture->ours.readable = false;
        io_clear_event(fixture->io, &fixture->ours.sock);
        io_poll(fixture->io, &fixture->ours.sock, IO_IN);
    }
    close(writer);
}

static void a_listener_gives_every_waiting_client_then_says_again(void **state)
{
    struct fixture *fixture = fixture_of(state);
    int clients[3], flags = fcntl(fixture->listener, F_GETFL);
    struct addr peer, name = {.length = sizeof(name.un)};

    fcntl(fixture->listener, F_SETFL, flags | O_NONBLOCK);
    assert_int_equal(io_open(fixture->io, &fixture->ours.sock, dup(fixture->listener), &events), 0);
    io_poll(fixture->io, &fixture->ours.sock, IO_IN);
    for (int i = 0; i < 3; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(clients[i], &fixture->addr.sa, fixture->addr.length), 0);
    }
    until(fixture, &fixture->ours.readable);
    for (int i = 0; i < 3; i++) {
        int fd = io_accept(fixture->io, &fixture->ours.sock, &peer);

        while (fd == -EAGAIN) { /* connect(2) may return a moment before the client is in the accept queue */
            fixture->ours.readable = false;
            io_poll(fixture->io, &fixture->ours.sock, IO_IN);
            until(fixture, &fixture->ours.readable);
            fd = io_accept(fixture->io, &fixture->ours.sock, &peer);
        }
        assert_true(fd >= 0);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        name.length = sizeof(name.un);
        assert_int_equal(getsockname(clients[i], &name.sa, &name.length), 0);
        assert_true(addr_equal(&peer, &name));
        io_discard(fixture->io, fd);
    }
    assert_int_equal(io_accept(fixture->io, &fixture->ours.sock, &peer), -EAGAIN);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
}

static void more_sockets_than_allowed_are_refused_and_closed(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct peer_sock many[SOCKETS_MAX + 1] = {0};
    int fds[SOCKETS_MAX + 1];

    for (int i = 0; i <= SOCKETS_MAX; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK);
        assert_int_equal(io_open(fixture->io, &many[i].sock, fds[i], &events), i < SOCKETS_MAX ? 0 : -ENFILE);
    }
    assert_int_equal(fcntl(fds[SOCKETS_MAX], F_GETFD), -1);
    for (int i = 0; i < SOCKETS_MAX; i++) {
        io_close(fixture->io, &many[i].sock, false);
        until(fixture, &many[i].closed);
        assert_int_equal(fcntl(fds[i], F_GETFD), -1);
    }
}

static void wait_ends_when_its_time_is_over(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint64_t before = clock_now_ns();
    int waits = 0;

    /* A ring that was closed just before may interrupt a wait, but waits must not keep returning at once. */
    while (clock_now_ns() - before < 30000000) {
        assert_int_equal(io_wait(fixture->io, 30), 0);
        assert_true(++waits <= 20);
    }
    assert_true(fixture->io->now_ns >= before + 30000000);
}


int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(receive_rests_at_its_credit_and_not_before),
        BOTH(receives_that_find_no_buffer_have_their_turn),
        BOTH(everything_comes_before_the_end_of_the_stream),
        BOTH(a_reset_ends_a_waiting_receive_with_its_errno),
        BOTH(a_send_that_does_not_fit_stays_pending_until_all_is_out),
        BOTH(a_pending_send_fails_when_the_peer_resets),
        BOTH(connecting_to_a_closed_port_is_refused),
        BOTH(a_connection_to_itself_is_known_by_both_names_of_the_goal),
        BOTH(close_with_everything_in_flight_says_closed_once_and_nothing_else),
        BOTH(close_without_reset_sends_the_end_of_the_stream),
        BOTH(bytes_that_were_there_before_the_poll_make_it_end),
        BOTH(splice_moves_in_and_out_and_tells_empty_full_and_end),
        BOTH(a_spliced_unix_socket_that_is_empty_is_not_readable),
        BOTH(a_broken_connection_shows_without_reading),
        BOTH(a_reset_shows_without_reading_though_bytes_are_waiting),
        BOTH(after_a_reset_nothing_is_on_its_way_any_more),
        BOTH(with_both_ends_shut_bytes_are_still_on_their_way),
        BOTH(a_client_that_cannot_be_opened_is_reset),
        BOTH(an_eventfd_wakes_once_for_each_time_it_is_written),
        BOTH(a_listener_gives_every_waiting_client_then_says_again),
        BOTH(more_sockets_than_allowed_are_refused_and_closed),
        BOTH(wait_ends_when_its_time_is_over),
    };

    return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
