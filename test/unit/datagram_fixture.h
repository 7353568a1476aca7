/* datagram_fixture.h: an engine under test with a UDP socket, a peer's socket, and records of what was sent and received. For the test_datagram programs. Each of
 * them includes the cmocka headers first. */
#ifndef TEST_UNIT_DATAGRAM_FIXTURE_H
#define TEST_UNIT_DATAGRAM_FIXTURE_H

#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/datagram.h"
#include "io/io.h"

enum { DEADLINE_S = 10, DATAGRAMS_MAX = 200, ALL_BYTES = 1 << 20 };

struct fixture {
    struct io *io;
    struct io_sock sock;      /* ours; owned by the engine */
    bool readable, closed;
    int theirs;               /* the peer's socket; not connected */
    struct addr ours_addr, theirs_addr;
    struct io_batch *batch;
};

/* Datagrams in the order in which they were sent or received. */
struct record {
    size_t count;
    size_t bytes[DATAGRAMS_MAX];
    uint8_t data[ALL_BYTES];
    size_t used;
};

static struct record sent, received;

static inline void on_readable(struct io_sock *sock)
{
    container_of(sock, struct fixture, sock)->readable = true;
}

static inline void on_closed(struct io_sock *sock)
{
    container_of(sock, struct fixture, sock)->closed = true;
}

static const struct io_events events = {.readable = on_readable, .closed = on_closed};

/* An address of the machine, with port 0. */
static inline struct addr addr_of(const char *host)
{
    struct addr addr;
    char text[64];

    snprintf(text, sizeof(text), "%s:1", host);
    assert_null(addr_parse(&addr, text));
    addr.in.sin_port = 0; /* in the same place in both families */
    return addr;
}

static inline int socket_at(struct addr *addr)
{
    static const int large = 8 << 20;
    int fd = socket(addr_family(addr), SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
    assert_int_equal(bind(fd, &addr->sa, addr->length), 0);
    assert_int_equal(getsockname(fd, &addr->sa, &addr->length), 0);
    return fd;
}

static inline int setup_engine(void **state, enum io_kind kind)
{
    static struct io_choice choice;
    struct io_options options = {.sockets_max = 10};
    struct fixture *fixture;
    int error;

    *state = NULL;
    if (io_choose((int)kind, &choice) < 0) /* the tests then skip */
        return 0;
    fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    fixture->theirs = -1;
    fixture->closed = true;
    fixture->io = io_new(&choice, &options, &error);
    fixture->batch = io_batch_new();
    sent = received = (struct record){0};
    *state = fixture;
    return fixture->io && fixture->batch ? 0 : -1;
}

static inline int setup_uring(void **state)
{
    return setup_engine(state, IO_URING);
}

static inline int setup_epoll(void **state)
{
    return setup_engine(state, IO_EPOLL);
}

static inline struct fixture *fixture_of(void **state)
{
    if (!*state)
        skip();
    return *state;
}

static inline void until(struct fixture *fixture, const bool *flag)
{
    uint64_t deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000;

    while (!*flag) {
        assert_int_equal(io_wait(fixture->io, 100), 0);
        io_dispatch(fixture->io);
        assert_true(clock_now_ns() < deadline);
    }
}

static inline void close_ours(struct fixture *fixture)
{
    if (!fixture->closed)
        io_close(fixture->io, &fixture->sock, false);
    until(fixture, &fixture->closed);
}

static inline int teardown(void **state)
{
    struct fixture *fixture = *state;

    if (!fixture)
        return 0;
    close_ours(fixture);
    io_free(fixture->io);
    io_batch_free(fixture->batch);
    if (fixture->theirs >= 0)
        (void)close(fixture->theirs);
    free(fixture);
    return 0;
}

static inline void open_ours(struct fixture *fixture, int fd)
{
    assert_int_equal(io_open(fixture->io, &fixture->sock, fd, &events), 0);
    fixture->closed = false;
}

/* Makes both sockets. Ours is bound like that of a listener. */
static inline void open_pair(struct fixture *fixture, const char *ours, const char *theirs)
{
    static const int on = 1;
    int fd;

    fixture->ours_addr = addr_of(ours);
    fixture->theirs_addr = addr_of(theirs);
    fixture->theirs = socket_at(&fixture->theirs_addr);
    fd = socket_at(&fixture->ours_addr);
    assert_int_equal(setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on)), 0);
    if (addr_is_wildcard(&fixture->ours_addr) && addr_family(&fixture->ours_addr) == AF_INET)
        assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)), 0);
    else if (addr_is_wildcard(&fixture->ours_addr))
        assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)), 0);
    open_ours(fixture, fd);
}

/* ---- records ---- */

static inline uint8_t *record_add(struct record *record, size_t bytes)
{
    uint8_t *data = record->data + record->used;

    assert_true(record->count < DATAGRAMS_MAX && record->used + bytes <= ALL_BYTES);
    record->bytes[record->count++] = bytes;
    record->used += bytes;
    return data;
}

/* Adds a datagram whose bytes depend on its number. */
static inline uint8_t *record_new(size_t bytes)
{
    uint8_t *data = record_add(&sent, bytes);

    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(sent.count * 31 + i);
    return data;
}

static inline void expect_same(void)
{
    assert_int_equal(received.count, sent.count);
    assert_memory_equal(received.bytes, sent.bytes, sent.count * sizeof(sent.bytes[0]));
    assert_memory_equal(received.data, sent.data, sent.used);
}

/* Takes a datagram or train apart. Returns whether it was a train. */
static inline bool record_received(const uint8_t *data, size_t bytes, size_t segment_bytes)
{
    size_t done = 0;

    do {
        size_t n = segment_bytes && segment_bytes < bytes - done ? segment_bytes : bytes - done;

        memcpy(record_add(&received, n), data + done, n);
        done += n;
    } while (done < bytes);
    return segment_bytes;
}

/* ---- the peer ---- */

static inline void their_send(struct fixture *fixture, const void *data, size_t bytes, size_t segment_bytes)
{
    _Alignas(8) uint8_t control[CMSG_SPACE(sizeof(uint16_t))] = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = bytes};
    struct msghdr header = {.msg_name = &fixture->ours_addr.sa, .msg_namelen = fixture->ours_addr.length, .msg_iov = &part, .msg_iovlen = 1};
    uint16_t segment = (uint16_t)segment_bytes;

    if (segment) {
        struct cmsghdr *cmsg;

        header.msg_control = control;
        header.msg_controllen = sizeof(control);
        cmsg = CMSG_FIRSTHDR(&header);
        cmsg->cmsg_level = SOL_UDP;
        cmsg->cmsg_type = UDP_SEGMENT;
        cmsg->cmsg_len = CMSG_LEN(sizeof(segment));
        memcpy(CMSG_DATA(cmsg), &segment, sizeof(segment));
    }
    assert_int_equal(sendmsg(fixture->theirs, &header, 0), (ssize_t)bytes);
}

/* Receives what is there. */
static inline void their_receive(struct fixture *fixture, size_t count)
{
    static uint8_t data[70000];

    for (size_t i = 0; i < count; i++) {
        ssize_t bytes = recv(fixture->theirs, data, sizeof(data), MSG_DONTWAIT);

        assert_true(bytes >= 0);
        memcpy(record_add(&received, (size_t)bytes), data, (size_t)bytes);
    }
    assert_int_equal(recv(fixture->theirs, data, sizeof(data), MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

/* ---- ours ---- */

/* Receives `count` datagrams from place `first` of the batch on. Returns how many trains there were. */
static inline unsigned our_receive(struct fixture *fixture, size_t count, unsigned first, unsigned at_once)
{
    unsigned trains = 0;

    while (received.count < count) {
        int n = io_receive_datagrams(fixture->io, &fixture->sock, fixture->batch, first, at_once);

        if (n == -EAGAIN) {
            fixture->readable = false;
            io_poll(fixture->io, &fixture->sock, IO_IN);
            until(fixture, &fixture->readable);
            continue;
        }
        assert_true(n > 0 && (unsigned)n <= at_once);
        for (unsigned i = first; i < first + (unsigned)n; i++) {
            const struct io_datagram *datagram = io_batch_at(fixture->batch, i);

            assert_false(datagram->cut);
            assert_int_equal(datagram->peer->sa.sa_family, addr_family(&fixture->theirs_addr));
            assert_int_equal(datagram->peer->in.sin_port, fixture->theirs_addr.in.sin_port);
            trains += record_received(datagram->data, datagram->bytes, datagram->segment_bytes);
        }
    }
    assert_int_equal(io_receive_datagrams(fixture->io, &fixture->sock, fixture->batch, first, at_once), -EAGAIN);
    return trains;
}

static inline struct io_outgoing outgoing(const struct fixture *fixture, struct iovec *part, void *data, size_t bytes, size_t segment_bytes)
{
    *part = (struct iovec){.iov_base = data, .iov_len = bytes};
    return (struct io_outgoing){.peer = (const union io_endpoint *)(const void *)&fixture->theirs_addr.sa, .parts = part, .part_count = 1,
                                .bytes = (uint32_t)bytes, .segment_bytes = (uint16_t)segment_bytes, .error = -1};
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup_uring, teardown), cmocka_unit_test_setup_teardown(test, setup_epoll, teardown)

#endif
