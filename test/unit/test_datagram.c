/* test_datagram: io/datagram.h on both engines, with real sockets on the loopback: boundaries, trains, local addresses, polls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "datagram_fixture.h"

static const size_t sizes[] = {1, 0, 7, 1452, 1453, 0, 9000, 65507, 3, 20000};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void receive_mixed(void **state, const char *ours, const char *theirs)
{
    struct fixture *fixture = fixture_of(state);

    open_pair(fixture, ours, theirs);
    for (int i = 0; i < SIZES; i++)
        their_send(fixture, record_new(sizes[i]), sizes[i], 0);
    (void)our_receive(fixture, sent.count, 5, 3); /* fewer at once than there are */
    expect_same();
}

static void test_receives_datagrams_of_all_sizes(void **state)
{
    receive_mixed(state, "127.0.0.1", "127.0.0.1");
}

static void test_receives_datagrams_of_all_sizes_over_ipv6(void **state)
{
    receive_mixed(state, "[::1]", "[::1]");
}

static void test_receives_trains(void **state)
{
    struct fixture *fixture = fixture_of(state);
    const uint8_t *data;

    open_pair(fixture, "127.0.0.1", "127.0.0.1");
    for (int train = 0; train < 3; train++) {
        data = record_new(1000);
        for (int i = 1; i < 20; i++)
            (void)record_new(1000);
        (void)record_new(1 + (size_t)train * 400);
        their_send(fixture, data, 20000 + 1 + (size_t)train * 400, 1000);
    }
    assert_true(our_receive(fixture, sent.count, 0, IO_DATAGRAMS_MAX) > 0);
    their_send(fixture, record_new(3000), 3000, 0); /* a datagram at a place where a train was */
    assert_int_equal(our_receive(fixture, sent.count, 0, 1), 0);
    expect_same();
}

static void send_mixed(void **state, const char *ours, const char *theirs)
{
    struct fixture *fixture = fixture_of(state);
    struct io_outgoing messages[SIZES + 1];
    struct iovec parts[SIZES + 1];

    open_pair(fixture, ours, theirs);
    for (int i = 0; i < SIZES; i++)
        messages[i] = outgoing(fixture, &parts[i], record_new(sizes[i]), sizes[i], 0);
    parts[SIZES].iov_base = record_new(1400);
    for (int i = 1; i < 40; i++)
        (void)record_new(1400);
    (void)record_new(9);
    messages[SIZES] = outgoing(fixture, &parts[SIZES], parts[SIZES].iov_base, 40 * 1400 + 9, 1400);
    io_send_datagrams(fixture->io, &fixture->sock, messages, SIZES + 1);
    for (int i = 0; i <= SIZES; i++)
        assert_int_equal(messages[i].error, 0);
    their_receive(fixture, sent.count);
    expect_same();
}

static void test_sends_datagrams_and_trains(void **state)
{
    send_mixed(state, "127.0.0.1", "127.0.0.1");
}

static void test_sends_datagrams_and_trains_over_ipv6(void **state)
{
    send_mixed(state, "[::1]", "[::1]");
}

static void test_sends_more_messages_than_one_call_takes(void **state)
{
    struct fixture *fixture = fixture_of(state);
    struct io_outgoing messages[150];
    struct iovec parts[150];

    open_pair(fixture, "127.0.0.1", "127.0.0.1");
    for (size_t i = 0; i < 150; i++)
        messages[i] = outgoing(fixture, &parts[i], record_new(i), i, 0);
    io_send_datagrams(fixture->io, &fixture->sock, messages, 150);
    their_receive(fixture, 150);
    expect_same();
}

/* A wildcard socket reports the address to which a datagram was sent, and sends from an address that it is told. */
static void use_local_address(void **state, const char *ours, const char *theirs, const char *local_text)
{
    struct fixture *fixture = fixture_of(state);
    struct addr local = addr_of(local_text), from = {.length = sizeof(from.in6)};
    const struct io_datagram *datagram;
    struct io_outgoing message;
    struct iovec part;
    char data[8];

    open_pair(fixture, ours, theirs);
    if (addr_family(&local) == AF_INET)
        fixture->ours_addr.in.sin_addr = local.in.sin_addr;
    else
        fixture->ours_addr.in6.sin6_addr = local.in6.sin6_addr;
    their_send(fixture, record_new(5), 5, 0);
    (void)our_receive(fixture, 1, 0, 1);
    datagram = io_batch_at(fixture->batch, 0);
    assert_int_equal(datagram->local.family, addr_family(&local));
    assert_int_equal(datagram->local.interface, 0);
    assert_false(datagram->to_group);
    if (addr_family(&local) == AF_INET)
        assert_int_equal(datagram->local.in.s_addr, local.in.sin_addr.s_addr);
    else
        assert_memory_equal(&datagram->local.in6, &local.in6.sin6_addr, 16);
    message = outgoing(fixture, &part, record_new(6), 6, 0);
    message.local = &datagram->local;
    io_send_datagrams(fixture->io, &fixture->sock, &message, 1);
    assert_int_equal(message.error, 0);
    assert_int_equal(recvfrom(fixture->theirs, data, sizeof(data), MSG_DONTWAIT, &from.sa, &from.length), 6);
    assert_true(addr_equal(&from, &fixture->ours_addr));
}

static void test_wildcard_of_ipv4_keeps_the_local_address(void **state)
{
    use_local_address(state, "0.0.0.0", "127.0.0.1", "127.0.0.5");
}

static void test_wildcard_of_ipv6_keeps_the_local_address(void **state)
{
    use_local_address(state, "[::]", "[::1]", "[::1]");
}

static void test_other_sockets_report_no_local_address(void **state)
{
    struct fixture *fixture = fixture_of(state);

    open_pair(fixture, "127.0.0.1", "127.0.0.1");
    their_send(fixture, record_new(5), 5, 0);
    (void)our_receive(fixture, 1, 0, 1);
    assert_int_equal(io_batch_at(fixture->batch, 0)->local.family, AF_UNSPEC);
}

static void test_events_come_for_every_datagram(void **state)
{
    struct fixture *fixture = fixture_of(state);

    open_pair(fixture, "127.0.0.1", "127.0.0.1");
    for (int i = 0; i < 20; i++) {
        fixture->readable = false;
        io_poll(fixture->io, &fixture->sock, IO_IN);
        their_send(fixture, record_new(5), 5, 0);
        until(fixture, &fixture->readable);
        assert_int_equal(io_receive_datagrams(fixture->io, &fixture->sock, fixture->batch, 0, 10), 1); /* fewer than asked for: there are no more */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_receives_datagrams_of_all_sizes),
        EACH(test_receives_datagrams_of_all_sizes_over_ipv6),
        EACH(test_receives_trains),
        EACH(test_sends_datagrams_and_trains),
        EACH(test_sends_datagrams_and_trains_over_ipv6),
        EACH(test_sends_more_messages_than_one_call_takes),
        EACH(test_wildcard_of_ipv4_keeps_the_local_address),
        EACH(test_wildcard_of_ipv6_keeps_the_local_address),
        EACH(test_other_sockets_report_no_local_address),
        EACH(test_events_come_for_every_datagram),
    };

    return cmocka_run_group_tests_name("datagram", tests, NULL, NULL);
}
