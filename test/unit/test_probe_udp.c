/* test_probe_udp.c: UDP probes over real loopback sockets. The test itself is the server, so that it decides the order of events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "health/probe.h"

enum { DEADLINE_MS = 10000 };

static const int families[] = {AF_INET, AF_INET6};

/* One probe from start to end, and the socket that it probes. */
struct trial {
    struct pool_settings settings;
    struct addr addr;   /* of the server */
    struct addr client; /* of the probe; set by hear() */
    int server;         /* -1: the port is closed */
    struct prober *prober;
    struct probe *probe;
    struct probe_result result;
    bool expired;       /* the result is that of expire() */
};

static void on_done(void *cookie, const struct probe_result *result)
{
    struct trial *trial = cookie;

    assert_int_equal(trial->result.outcome, PROBE_PENDING); /* once */
    trial->result = *result;
}

static int bind_any(int family, struct addr *addr)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *addr = (struct addr){.length = family == AF_INET ? sizeof(addr->in) : sizeof(addr->in6)};
    addr->sa.sa_family = (sa_family_t)family;
    if (family == AF_INET)
        addr->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        addr->in6.sin6_addr = in6addr_loopback;
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &addr->sa, addr->length), 0);
    assert_int_equal(getsockname(fd, &addr->sa, &addr->length), 0);
    return fd;
}

static void open_trial(struct trial *trial, int family, const char *to_send, const char *expect)
{
    int error;

    *trial = (struct trial){.settings = {.check = CONFIG_CHECK_UDP, .check_timeout_ms = 1500, .check_send = to_send, .check_expect = expect}};
    trial->server = bind_any(family, &trial->addr);
    trial->prober = probe_udp_ops.open(on_done, &error);
    assert_non_null(trial->prober);
}

static void shut_server(struct trial *trial)
{
    close(trial->server);
    trial->server = -1;
}

static void begin_probe(struct trial *trial)
{
    const struct probe_request request = {.settings = &trial->settings, .addr = &trial->addr, .cookie = trial};
    struct probe_result at_once;

    trial->result.outcome = PROBE_PENDING;
    trial->expired = false;
    if (probe_udp_ops.start(trial->prober, &request, &trial->probe, &at_once) != PROBE_PENDING)
        trial->result = at_once;
}

/* Waits for the probe's datagram, which must be this, and learns its address. */
static void hear(struct trial *trial, const char *wanted, size_t wanted_bytes)
{
    struct pollfd poller = {.fd = trial->server, .events = POLLIN};
    char data[2048];
    ssize_t bytes;

    assert_int_equal(poll(&poller, 1, DEADLINE_MS), 1);
    trial->client.length = sizeof(trial->client.un);
    bytes = recvfrom(trial->server, data, sizeof(data), 0, &trial->client.sa, &trial->client.length);
    assert_int_equal(bytes, wanted_bytes);
    assert_memory_equal(data, wanted, wanted_bytes);
}

static void say(int fd, const struct addr *to, const char *data, size_t bytes)
{
    assert_int_equal(sendto(fd, data, bytes, 0, &to->sa, to->length), bytes);
}

/* Waits until the probe has ended. */
static void await_end(struct trial *trial)
{
    uint64_t deadline_ns = clock_now_ns() + DEADLINE_MS * UINT64_C(1000000);

    while (trial->result.outcome == PROBE_PENDING) {
        struct pollfd poller = {.fd = trial->prober->fd, .events = POLLIN};
        assert_true(clock_now_ns() < deadline_ns);
        poll(&poller, 1, DEADLINE_MS);
        probe_udp_ops.process(trial->prober);
    }
}

static void expire_probe(struct trial *trial)
{
    probe_udp_ops.process(trial->prober);
    assert_int_equal(trial->result.outcome, PROBE_PENDING);
    probe_udp_ops.expire(trial->prober, trial->probe, &trial->result);
    trial->expired = true;
}

/* `reason` is empty if the probe must have passed. */
static void close_trial(struct trial *trial, const char *reason)
{
    assert_string_equal(trial->result.reason, reason);
    assert_int_equal(trial->result.outcome, *reason == '\0' ? PROBE_PASSED : trial->expired ? PROBE_TIMED_OUT : PROBE_FAILED);
    assert_int_equal(trial->prober->probes, 0);
    probe_udp_ops.close(trial->prober);
    if (trial->server >= 0)
        close(trial->server);
}

/* Probes a server that sends one reply. */
static void expect_verdict(const char *expect, const char *reply, size_t bytes, const char *reason)
{
    for (int i = 0; i < 2; i++) {
        struct trial trial;

        open_trial(&trial, families[i], "PING\\r\\n", expect);
        begin_probe(&trial);
        hear(&trial, "PING\r\n", 6);
        say(trial.server, &trial.client, reply, bytes);
        await_end(&trial);
        close_trial(&trial, reason);
    }
}

#define EXPECT(expect, reply, reason) expect_verdict(expect, reply, sizeof(reply) - 1, reason)

static void any_reply_passes_without_check_expect(void **state)
{
    (void)state;
    EXPECT(NULL, "whatever", "");
    EXPECT(NULL, "\0", "");
    EXPECT(NULL, "", "");
}

static void reply_must_begin_as_check_expect_says(void **state)
{
    (void)state;
    EXPECT("PONG", "PONG\r\n", "");
    EXPECT("PONG\\r\\n", "PONG\r\n", "");
    EXPECT("hex:0102??04", "\x01\x02\x99\x04", "");
    EXPECT("hex:00", "\0\1", "");
}

static void wrong_reply_is_shown(void **state)
{
    (void)state;
    EXPECT("PONG", "NO\r\n", "reply does not match check_expect: got NO\\r\\n");
    EXPECT("PONG", "PON", "reply does not match check_expect: got PON");
    EXPECT("PONG", "", "reply does not match check_expect: got an empty datagram");
    EXPECT("PONG", "a\0b\x1b[2J", "reply does not match check_expect: got a\\x00b\\x1b[2J");
    EXPECT("hex:0102??04", "\x01\x02\xff\x05", "reply does not match check_expect: got hex:0102ff05");
    EXPECT("OK", "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
           "reply does not match check_expect: got 0123456789012345678901234567890123456789012345678901234567890123456789012345...");
}

static void long_reply_is_judged_by_its_beginning(void **state)
{
    char reply[9000] = "OK";

    (void)state;
    expect_verdict("OK", reply, sizeof(reply), "");
}

static void silence_fails_where_a_reply_is_due(void **state)
{
    static const char *const settings[][2] = {{"PING", NULL}, {NULL, "PONG"}, {"PING", "PONG"}};

    (void)state;
    for (int i = 0; i < 6; i++) {
        struct trial trial;

        open_trial(&trial, families[i % 2], settings[i / 2][0], settings[i / 2][1]);
        assert_int_equal(probe_limit_ms(&trial.settings), 1500);
        begin_probe(&trial);
        hear(&trial, settings[i / 2][0] ? "PING" : "\0", settings[i / 2][0] ? 4 : 1);
        expire_probe(&trial);
        close_trial(&trial, "no reply within 1500ms");
    }
}

static void silence_passes_where_none_is_due(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct trial trial;

        open_trial(&trial, families[i], NULL, NULL);
        begin_probe(&trial);
        hear(&trial, "\0", 1);
        expire_probe(&trial);
        close_trial(&trial, "");
    }
}

static void reply_passes_where_none_is_due(void **state)
{
    struct trial trial;

    (void)state;
    open_trial(&trial, AF_INET, NULL, NULL);
    begin_probe(&trial);
    hear(&trial, "\0", 1);
    say(trial.server, &trial.client, "what?", 5);
    await_end(&trial);
    close_trial(&trial, "");
}

static void silence_is_awaited_for_a_second_at_most(void **state)
{
    struct pool_settings settings = {.check = CONFIG_CHECK_UDP, .check_timeout_ms = 300};

    (void)state;
    assert_int_equal(probe_limit_ms(&settings), 300);
    settings.check_timeout_ms = 5000;
    assert_int_equal(probe_limit_ms(&settings), PROBE_SILENCE_MS);
    settings.check_expect = "x";
    assert_int_equal(probe_limit_ms(&settings), 5000);
    settings.check_expect = NULL;
    settings.check_send = "x";
    assert_int_equal(probe_limit_ms(&settings), 5000);
    settings.check_send = NULL;
    settings.check = CONFIG_CHECK_TCP;
    assert_int_equal(probe_limit_ms(&settings), 5000);
}

static void closed_port_fails_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct trial trial;

        open_trial(&trial, families[i % 2], i < 2 ? NULL : "PING", NULL);
        shut_server(&trial);
        begin_probe(&trial);
        await_end(&trial);
        close_trial(&trial, "connection refused (ICMP port unreachable)");
    }
}

static void strangers_are_not_heard(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct trial trial;
        struct addr addr;
        int stranger = bind_any(families[i], &addr);

        open_trial(&trial, families[i], "PING", "PONG");
        begin_probe(&trial);
        hear(&trial, "PING", 4);
        (void)sendto(stranger, "PONG", 4, 0, &trial.client.sa, trial.client.length); /* may be refused: nobody listens to it */
        probe_udp_ops.process(trial.prober);
        assert_int_equal(trial.result.outcome, PROBE_PENDING);
        say(trial.server, &trial.client, "PONG", 4);
        await_end(&trial);
        close_trial(&trial, "");
        close(stranger);
    }
}

static void late_reply_does_not_reach_the_next_probe(void **state)
{
    struct trial trial;
    struct addr first;
    int held;

    (void)state;
    open_trial(&trial, AF_INET, "PING", NULL);
    begin_probe(&trial);
    hear(&trial, "PING", 4);
    expire_probe(&trial);
    assert_int_equal(trial.result.outcome, PROBE_TIMED_OUT);
    first = trial.client;
    held = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(held, &first.sa, first.length), 0); /* the first probe has freed its port; now no other probe can get it */

    begin_probe(&trial);
    hear(&trial, "PING", 4);
    assert_false(addr_equal(&first, &trial.client));
    say(trial.server, &first, "late", 4);
    expire_probe(&trial);
    close_trial(&trial, "no reply within 1500ms");
    close(held);
}

static void abandoned_probe_is_gone(void **state)
{
    struct trial trial;

    (void)state;
    open_trial(&trial, AF_INET, "PING", NULL);
    begin_probe(&trial);
    hear(&trial, "PING", 4);
    say(trial.server, &trial.client, "PONG", 4);
    probe_udp_ops.abandon(trial.prober, trial.probe);
    probe_udp_ops.process(trial.prober);
    assert_int_equal(trial.result.outcome, PROBE_PENDING); /* done was not called */
    trial.result = (struct probe_result){.outcome = PROBE_PASSED};
    close_trial(&trial, "");
}

/* A router says that it cannot reach the host of `from`. The packet quotes the datagram that `to` sent. Skips the test without the right to send it. */
static void send_host_unreachable(const struct addr *from, const struct addr *to)
{
    struct {
        struct icmphdr icmp;
        struct iphdr ip;
        struct udphdr udp;
    } packet = {
        .icmp = {.type = ICMP_DEST_UNREACH, .code = ICMP_HOST_UNREACH},
        .ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(28), .saddr = to->in.sin_addr.s_addr,
               .daddr = from->in.sin_addr.s_addr},
        .udp = {.source = to->in.sin_port, .dest = from->in.sin_port, .len = htons(8)},
    };
    uint16_t words[sizeof(packet) / 2];
    uint32_t sum = 0;
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

    if (fd < 0)
        skip();
    memcpy(words, &packet, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        sum += words[i];
    sum = (sum & 0xffff) + (sum >> 16);
    packet.icmp.checksum = (uint16_t)~(sum + (sum >> 16));
    assert_int_equal(sendto(fd, &packet, sizeof(packet), 0, &to->sa, sizeof(to->in)), sizeof(packet));
    close(fd);
}

static void unreachable_host_fails(void **state)
{
    struct trial trial;

    (void)state;
    open_trial(&trial, AF_INET, NULL, NULL);
    begin_probe(&trial);
    hear(&trial, "\0", 1);
    send_host_unreachable(&trial.addr, &trial.client);
    await_end(&trial);
    close_trial(&trial, "host unreachable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_reply_passes_without_check_expect),
        cmocka_unit_test(reply_must_begin_as_check_expect_says),
        cmocka_unit_test(wrong_reply_is_shown),
        cmocka_unit_test(long_reply_is_judged_by_its_beginning),
        cmocka_unit_test(silence_fails_where_a_reply_is_due),
        cmocka_unit_test(silence_passes_where_none_is_due),
        cmocka_unit_test(reply_passes_where_none_is_due),
        cmocka_unit_test(silence_is_awaited_for_a_second_at_most),
        cmocka_unit_test(closed_port_fails_at_once),
        cmocka_unit_test(strangers_are_not_heard),
        cmocka_unit_test(late_reply_does_not_reach_the_next_probe),
        cmocka_unit_test(abandoned_probe_is_gone),
        cmocka_unit_test(unreachable_host_fails),
    };
    return cmocka_run_group_tests_name("probe_udp", tests, NULL, NULL);
}
