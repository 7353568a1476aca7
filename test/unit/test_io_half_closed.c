/* test_io_half_closed: waiting until a socket is writable after its peer has sent FIN but still reads, slowly. io_uring reports the FIN with every poll,
 * requested or not: it must not end a wait for writability, or the worker would spin until the peer has read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "io_fixture.h"

enum { LARGE = 8 * 1024 * 1024, TURNS = 40, EVENTS_FEW = 4 };

/* Waits until all bytes sent on the wire are acknowledged; the rest stays in the send buffer until the peer reads. */
static void settle(int fd)
{
    uint64_t deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000;
    int unacked, unsent;

    for (;;) {
        assert_int_equal(ioctl(fd, SIOCOUTQNSD, &unsent), 0);
        assert_int_equal(ioctl(fd, SIOCOUTQ, &unacked), 0);
        if (unacked == unsent)
            return;
        assert_true(clock_now_ns() < deadline);
        poll(NULL, 0, 1);
    }
}

/* The engine must see EAGAIN from a socket before it waits for it to become writable. */
static void find_full(struct fixture *fixture)
{
    struct io_pipe pipe = {.fds = {-1, -1}};

    assert_int_equal(io_pipe_open(fixture->io, &pipe, 65536), 0);
    assert_int_equal(write(pipe.fds[1], "x", 1), 1);
    pipe.bytes = 1;
    assert_int_equal(io_splice_out(fixture->io, &fixture->ours.sock, &pipe), -EAGAIN);
    io_pipe_close(fixture->io, &pipe);
}

/* Writes until nothing more fits, and nothing will fit before the peer reads. */
static void fill(struct fixture *fixture)
{
    static const uint8_t zeros[65536];
    int fd = fixture->ours.sock.fd;
    bool more;

    do {
        more = false;
        while (send(fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            more = true;
        assert_int_equal(errno, EAGAIN);
        settle(fd);
    } while (more);
    find_full(fixture);
}

/* Reads all available bytes, and again after each turn, until `*flag` is set. */
static void drain_until(struct fixture *fixture, const bool *flag)
{
    static uint8_t bytes[65536];
    uint64_t deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000;

    while (!*flag) {
        while (recv(fixture->theirs, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            ;
        assert_int_equal(io_wait(fixture->io, 5), 0);
        io_dispatch(fixture->io);
        assert_true(clock_now_ns() < deadline);
    }
}

static void their_end(struct fixture *fixture)
{
    struct pollfd poller = {.fd = fixture->ours.sock.fd, .events = POLLRDHUP};

    assert_int_equal(shutdown(fixture->theirs, SHUT_WR), 0);
    assert_int_equal(poll(&poller, 1, DEADLINE_S * 1000), 1);
}

/* Runs turns with few events: only the FIN itself and what was in flight when the wait began may cause one or two. */
static void quiet_turns(struct fixture *fixture)
{
    uint32_t count = 0;

    for (int i = 0; i < TURNS; i++) {
        assert_int_equal(io_wait(fixture->io, 2), 0);
        count += fixture->io->events;
        io_dispatch(fixture->io);
        if (fixture->ours.writable) {
            fixture->ours.writable = false;
            find_full(fixture);
            io_poll(fixture->io, &fixture->ours.sock, IO_OUT);
        }
    }
    assert_in_range(count, 0, EVENTS_FEW);
}

/* Counts this process's threads. They include io_uring's kernel workers, which run requests that could not be completed inline. */
static unsigned threads(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/task");

    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void room_comes_when_the_peer_reads(struct fixture *fixture)
{
    fixture->ours.writable = false;
    fill(fixture);
    io_poll(fixture->io, &fixture->ours.sock, IO_OUT);
    quiet_turns(fixture);
    drain_until(fixture, &fixture->ours.writable);
}

static void waiting_for_room_sleeps_after_the_peers_end(void **state)
{
    struct fixture *fixture = fixture_of(state);

    connect_pair(fixture);
    their_end(fixture);
    for (int i = 0; i < 3; i++)
        room_comes_when_the_peer_reads(fixture);
}

static void waiting_for_room_sleeps_when_the_end_comes_meanwhile(void **state)
{
    struct fixture *fixture = fixture_of(state);

    connect_pair(fixture);
    fill(fixture);
    io_poll(fixture->io, &fixture->ours.sock, IO_OUT);
    idle_turns(fixture);
    their_end(fixture);
    quiet_turns(fixture);
    drain_until(fixture, &fixture->ours.writable);
    room_comes_when_the_peer_reads(fixture);
}

/* Each time the socket becomes writable is reported once, and only to a wait. */
static void nobody_who_does_not_wait_hears_of_room(void **state)
{
    struct fixture *fixture = fixture_of(state);
    uint8_t bytes[65536];

    connect_pair(fixture);
    their_end(fixture);
    room_comes_when_the_peer_reads(fixture);
    fixture->ours.writable = false;
    fill(fixture);
    while (recv(fixture->theirs, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    idle_turns(fixture);
    assert_false(fixture->ours.writable);
    io_poll(fixture->io, &fixture->ours.sock, IO_OUT); /* the earlier event was not for this wait, but the socket is writable */
    until(fixture, &fixture->ours.writable);
}

static void a_wait_for_room_ends_when_the_peer_resets(void **state)
{
    struct fixture *fixture = fixture_of(state);

    connect_pair(fixture);
    their_end(fixture);
    fill(fixture);
    io_poll(fixture->io, &fixture->ours.sock, IO_OUT);
    quiet_turns(fixture);
    reset_theirs(fixture);
    until(fixture, &fixture->ours.writable);
}

static void pending_send(struct fixture *fixture, const uint8_t *bytes, bool end_first)
{
    unsigned before = threads();

    connect_pair(fixture);
    if (end_first)
        their_end(fixture);
    assert_int_equal(io_send(fixture->io, &fixture->ours.sock, bytes, LARGE), IO_PENDING);
    idle_turns(fixture);
    if (!end_first)
        their_end(fixture);
    quiet_turns(fixture);
    assert_false(fixture->ours.sent);
    assert_int_equal(threads(), before);
}

/* The bytes arrive in order, and `sent` is reported once all have been sent. */
static void pending_send_goes_on(struct fixture *fixture)
{
    static uint8_t bytes[65536];
    uint64_t deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000;
    size_t got = 0;

    while (got < LARGE) {
        ssize_t part = recv(fixture->theirs, bytes, sizeof(bytes), MSG_DONTWAIT);

        for (ssize_t i = 0; i < part; i++)
            assert_int_equal(bytes[i], (uint8_t)((got + (size_t)i) % 251));
        got += part > 0 ? (size_t)part : 0;
        assert_int_equal(io_wait(fixture->io, part > 0 ? 0 : 5), 0);
        io_dispatch(fixture->io);
        assert_true(clock_now_ns() < deadline);
    }
    until(fixture, &fixture->ours.sent);
    assert_int_equal(fixture->ours.error, 0);
}

static void with_pending_send(void **state, bool end_first, void (*then)(struct fixture *fixture))
{
    struct fixture *fixture = fixture_of(state);
    uint8_t *bytes = malloc(LARGE);

    assert_non_null(bytes);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (uint8_t)(i % 251);
    pending_send(fixture, bytes, end_first);
    then(fixture);
    free(bytes);
}

static void a_pending_send_sleeps_after_the_peers_end(void **state)
{
    with_pending_send(state, true, pending_send_goes_on);
}

static void a_pending_send_sleeps_when_the_end_comes_meanwhile(void **state)
{
    with_pending_send(state, false, pending_send_goes_on);
}

static void close_in_wait(struct fixture *fixture)
{
    io_close(fixture->io, &fixture->ours.sock, true);
    until(fixture, &fixture->ours.closed);
    assert_int_equal(fixture->ours.after_close, 0);
}

static void a_socket_with_a_pending_send_after_the_peers_end_closes(void **state)
{
    with_pending_send(state, true, close_in_wait);
}

static void reset_in_wait(struct fixture *fixture)
{
    reset_theirs(fixture);
    until(fixture, &fixture->ours.sent);
    assert_true(fixture->ours.error == ECONNRESET || fixture->ours.error == EPIPE);
}

static void a_pending_send_after_the_peers_end_fails_when_it_resets(void **state)
{
    with_pending_send(state, true, reset_in_wait);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(waiting_for_room_sleeps_after_the_peers_end),
        BOTH(waiting_for_room_sleeps_when_the_end_comes_meanwhile),
        BOTH(nobody_who_does_not_wait_hears_of_room),
        BOTH(a_wait_for_room_ends_when_the_peer_resets),
        BOTH(a_pending_send_sleeps_after_the_peers_end),
        BOTH(a_pending_send_sleeps_when_the_end_comes_meanwhile),
        BOTH(a_socket_with_a_pending_send_after_the_peers_end_closes),
        BOTH(a_pending_send_after_the_peers_end_fails_when_it_resets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
