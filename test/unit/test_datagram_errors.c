/* test_datagram_errors: io/datagram.h on both engines: what the kernel refuses, and errors of earlier datagrams on connected sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "datagram_fixture.h"

/* A socket without checksums makes the kernel refuse trains (EINVAL), as it does for datagrams larger than the path's MTU. */
static void test_sends_a_refused_train_one_by_one(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct iovec parts[6] = {{0}};
    struct io_outgoing messages[3];
    static const int on = 1;

    open_pair(fixture, "127.0.0.1", "127.0.0.1");
    assert_int_equal(setsockopt(fixture->sock.fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
    messages[0] = outgoing(fixture, &parts[0], record_new(10), 10, 0);
    parts[1].iov_base = record_new(500); /* 500, 500, 500, 77 in parts that do not end where datagrams do */
    (void)record_new(500);
    (void)record_new(500);
    (void)record_new(77);
    messages[1] = outgoing(fixture, &parts[1], parts[1].iov_base, 400, 500);
    parts[2] = (struct iovec){.iov_base = (uint8_t *)parts[1].iov_base + 400, .iov_len = 700};
    parts[3] = (struct iovec){.iov_base = (uint8_t *)parts[1].iov_base + 1100, .iov_len = 0};
    parts[4] = (struct iovec){.iov_base = (uint8_t *)parts[1].iov_base + 1100, .iov_len = 477};
    messages[1].part_count = 4;
    messages[1].bytes = 1577;
    messages[2] = outgoing(fixture, &parts[5], record_new(20), 20, 0);
    io_send_datagrams(fixture->io, &fixture->sock, messages, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(messages[i].error, 0);
    their_receive(fixture, sent.count);
    expect_same();
}

static void test_reports_what_the_kernel_refuses(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct io_outgoing messages[3];
    struct iovec parts[3];
    static uint8_t large[65508];

    open_pair(fixture, "127.0.0.1", "127.0.0.1");
    messages[0] = outgoing(fixture, &parts[0], record_new(10), 10, 0);
    messages[1] = outgoing(fixture, &parts[1], large, sizeof(large), 0);
    messages[2] = outgoing(fixture, &parts[2], record_new(20), 20, 0);
    io_send_datagrams(fixture->io, &fixture->sock, messages, 3);
    assert_int_equal(messages[0].error, 0);
    assert_int_equal(messages[1].error, EMSGSIZE);
    assert_int_equal(messages[2].error, 0);
    their_receive(fixture, 2);
    expect_same();
}

/* ---- connected sockets ---- */

/* Connects ours to an address at which nobody is. */
static void connect_to_nobody(struct fixture *fixture)
{
    int fd;

    fixture->theirs_addr = addr_of("127.0.0.1");
    (void)close(socket_at(&fixture->theirs_addr));
    fd = io_connect_datagram(fixture->io, &fixture->theirs_addr, 0);
    assert_true(fd >= 0);
    open_ours(fixture, fd);
}

static void send_three(struct fixture *fixture, struct io_outgoing *messages)
{
    static struct iovec parts[3];

    for (int i = 0; i < 3; i++) {
        messages[i] = outgoing(fixture, &parts[i], record_new(10), 10, 0);
        messages[i].peer = NULL;
    }
    io_send_datagrams(fixture->io, &fixture->sock, messages, 3);
}

static void test_refusal_of_an_earlier_datagram_stops_the_next_ones(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct io_outgoing messages[3];
    struct iovec part;

    connect_to_nobody(fixture);
    messages[0] = outgoing(fixture, &part, record_new(10), 10, 0);
    messages[0].peer = NULL;
    io_send_datagrams(fixture->io, &fixture->sock, messages, 1);
    assert_int_equal(messages[0].error, 0); /* the refusal comes afterwards */
    fixture->theirs = socket_at(&fixture->theirs_addr);
    send_three(fixture, messages);
    for (int i = 0; i < 3; i++)
        assert_int_equal(messages[i].error, ECONNREFUSED);
    their_receive(fixture, 0); /* they were not sent */
    sent = (struct record){0};
    send_three(fixture, messages);
    for (int i = 0; i < 3; i++)
        assert_int_equal(messages[i].error, 0);
    their_receive(fixture, 3);
    expect_same();
}

static void test_refusal_in_the_middle_stops_the_rest(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct io_outgoing messages[150];
    struct iovec parts[150];
    int refused = 0;

    connect_to_nobody(fixture);
    for (int i = 0; i < 150; i++) {
        messages[i] = outgoing(fixture, &parts[i], record_new(10), 10, 0);
        messages[i].peer = NULL;
    }
    io_send_datagrams(fixture->io, &fixture->sock, messages, 150);
    while (messages[refused].error == 0)
        assert_true(++refused < 150);
    assert_true(refused > 0);
    for (int i = refused; i < 150; i++)
        assert_int_equal(messages[i].error, ECONNREFUSED);
}

static void test_refusal_is_readable_and_reported_once(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct io_outgoing message;
    struct iovec part;

    connect_to_nobody(fixture);
    assert_int_equal(io_receive_datagrams(fixture->io, &fixture->sock, fixture->batch, 0, 1), -EAGAIN);
    io_poll(fixture->io, &fixture->sock, IO_IN);
    message = outgoing(fixture, &part, record_new(10), 10, 0);
    message.peer = NULL;
    io_send_datagrams(fixture->io, &fixture->sock, &message, 1);
    until(fixture, &fixture->readable);
    assert_int_equal(io_receive_datagrams(fixture->io, &fixture->sock, fixture->batch, 0, 1), -ECONNREFUSED);
    assert_int_equal(io_receive_datagrams(fixture->io, &fixture->sock, fixture->batch, 0, 1), -EAGAIN);
}

static void test_connected_socket_takes_nothing_from_strangers(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct addr stranger = addr_of("127.0.0.1");
    struct addr ours = {.length = sizeof(ours.in6)};
    int fd;

    connect_to_nobody(fixture);
    fixture->theirs = socket_at(&fixture->theirs_addr);
    assert_int_equal(getsockname(fixture->sock.fd, &ours.sa, &ours.length), 0);
    fixture->ours_addr = ours;
    fd = socket_at(&stranger);
    assert_int_equal(sendto(fd, "stranger", 8, 0, &ours.sa, ours.length), 8);
    (void)close(fd);
    their_send(fixture, record_new(5), 5, 0);
    (void)our_receive(fixture, 1, 0, 10);
    expect_same();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_sends_a_refused_train_one_by_one),
        EACH(test_reports_what_the_kernel_refuses),
        EACH(test_refusal_of_an_earlier_datagram_stops_the_next_ones),
        EACH(test_refusal_in_the_middle_stops_the_rest),
        EACH(test_refusal_is_readable_and_reported_once),
        EACH(test_connected_socket_takes_nothing_from_strangers),
    };

    return cmocka_run_group_tests_name("datagram_errors", tests, NULL, NULL);
}
