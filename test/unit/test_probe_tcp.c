/* test_probe_tcp.c: TCP probes over real loopback sockets: connections that end at once, and answers that are expected or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/expect.h"
#include "health/probe_stream.h"
#include "probe_fixture.h"

static struct probe_result tcp(enum part part, const char *answer, const char *to_send, const char *expect, int timeout_ms)
{
    struct pool_settings settings = usual;
    struct server server = {.part = part, .answer = answer};

    settings.check = CONFIG_CHECK_TCP;
    settings.check_send = to_send;
    settings.check_expect = expect;
    server_start(&server);
    struct probe_result result = run(&probe_tcp_ops, &settings, &server.addr, timeout_ms);
    server_stop(&server);
    return result;
}

/* ---- no request, no expectation ---- */

static void a_connection_that_ends_at_once_fails(void **state)
{
    (void)state;
    assert_failed(tcp(UNASKED, "", NULL, NULL, TIMEOUT_MS), "closed the connection at once");
    assert_failed(tcp(UNASKED_RESET, "", NULL, NULL, TIMEOUT_MS), "reset the connection at once");
}

static void a_unix_connection_that_ends_at_once_fails(void **state)
{
    struct server server = {.part = UNASKED, .answer = "", .addr = unix_name("@penstock-test-probe-tcp", 1)};

    (void)state;
    server_start(&server);
    assert_failed(run(&probe_tcp_ops, &usual, &server.addr, TIMEOUT_MS), "closed the connection at once");
    server_stop(&server);
}

static void bytes_pass_even_if_the_end_follows(void **state)
{
    (void)state;
    assert_passed(tcp(UNASKED, "220 hello\r\n", NULL, NULL, TIMEOUT_MS));
    assert_passed(tcp(UNASKED, "x", NULL, NULL, TIMEOUT_MS));
}

static void silence_passes_after_a_moment(void **state)
{
    struct addr addr = loopback(AF_INET);
    int listener = listen_on(&addr, 4);
    uint64_t begin_ns = clock_now_ns(), took_ms;

    (void)state;
    assert_passed(run(&probe_tcp_ops, &usual, &addr, TIMEOUT_MS));
    took_ms = (clock_now_ns() - begin_ns) / 1000000;
    assert_true(took_ms >= 100 && took_ms < 1000);
    close(listener);
}

static void silence_passes_at_the_time_limit_if_that_is_earlier(void **state)
{
    struct addr addr = loopback(AF_INET);
    int listener = listen_on(&addr, 4);

    (void)state;
    assert_passed(run(&probe_tcp_ops, &usual, &addr, 20));
    close(listener);
}

/* Also when the server has sent something: unread bytes would turn the end into a reset. */
static void the_server_sees_an_end_and_no_reset(void **state)
{
    static char much[20000];
    struct addr addr = loopback(AF_INET);
    struct pool_settings settings = usual;
    struct probe_result result = {.outcome = PROBE_PENDING};
    const struct probe_request request = {.settings = &settings, .addr = &addr, .cookie = &result};
    int listener = listen_on(&addr, 4), error;
    struct probe *probe;
    char byte;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct prober *prober = probe_tcp_ops.open(on_done, &error);
        result.outcome = PROBE_PENDING;
        assert_non_null(prober);
        assert_int_equal(probe_tcp_ops.start(prober, &request, &probe, &result), PROBE_PENDING);
        int fd = accept(listener, NULL, NULL);
        assert_true(fd >= 0);
        assert_int_equal(send(fd, much, sizeof(much), 0), sizeof(much));
        while (result.outcome == PROBE_PENDING)
            probe_tcp_ops.process(prober);
        assert_passed(result);
        assert_int_equal(recv(fd, &byte, 1, 0), 0);
        close(fd);
        probe_tcp_ops.close(prober);
        settings.check_expect = "hex:0000";
    }
    close(listener);
}

/* Counts in the cookie. */
static void count_done(void *cookie, const struct probe_result *result)
{
    assert_int_equal(result->outcome, PROBE_PASSED);
    (*(int *)cookie)++;
}

static void process_until(struct prober *prober, const int *done, int wanted, int limit_ms)
{
    uint64_t end_ns = clock_now_ns() + (uint64_t)limit_ms * 1000000;

    while (*done < wanted && clock_now_ns() < end_ns) {
        struct pollfd poller = {.fd = prober->fd, .events = POLLIN};
        poll(&poller, 1, 1);
        prober->ops->process(prober);
    }
}

/* Returns whether the waits above the maximum have ended early; false may mean that this machine was too slow to tell. */
static bool excess_waits_end_early(int listener, const struct addr *addr)
{
    enum { PROBES = STREAM_WAITS_MAX + 40 };
    int done = 0, error;
    struct prober *prober = probe_tcp_ops.open(count_done, &error);
    const struct probe_request request = {.settings = &usual, .addr = addr, .cookie = &done};
    struct probe_result result;
    struct probe *probe;
    uint64_t begin_ns = clock_now_ns();
    bool are_early;

    assert_non_null(prober);
    for (int i = 0; i < PROBES; i++)
        assert_int_equal(probe_tcp_ops.start(prober, &request, &probe, &result), PROBE_PENDING);
    process_until(prober, &done, PROBES - STREAM_WAITS_MAX, TIMEOUT_MS);
    are_early = done == PROBES - STREAM_WAITS_MAX && clock_now_ns() - begin_ns < 150 * UINT64_C(1000000);
    process_until(prober, &done, PROBES, TIMEOUT_MS);
    assert_int_equal(done, PROBES);
    probe_tcp_ops.close(prober);
    for (int i = 0; i < PROBES; i++)
        close(accept(listener, NULL, NULL));
    return are_early;
}

static void many_silent_connections_do_not_keep_others_waiting(void **state)
{
    struct addr addr = loopback(AF_INET);
    int listener = listen_on(&addr, 4096), attempts = 0;

    (void)state;
    while (!excess_waits_end_early(listener, &addr))
        assert_true(++attempts < 20);
    close(listener);
}

/* The reset arrives before the probe learns that the connection was established. */
static void a_reset_that_is_faster_than_the_probe_is_told_from_a_refusal(void **state)
{
    const struct linger reset = {.l_onoff = 1};
    struct addr addr = loopback(AF_INET);
    int listener = listen_on(&addr, 4), error;

    (void)state;
    for (int bytes = 0; bytes < 2; bytes++) {
        struct probe_result result = {.outcome = PROBE_PENDING}, at_once;
        const struct probe_request request = {.settings = &usual, .addr = &addr, .cookie = &result};
        struct prober *prober = probe_tcp_ops.open(on_done, &error);
        struct probe *probe;
        assert_non_null(prober);
        assert_int_equal(probe_tcp_ops.start(prober, &request, &probe, &at_once), PROBE_PENDING);
        int fd = accept(listener, NULL, NULL);
        assert_int_equal(send(fd, "x", (size_t)bytes, 0), bytes);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        close(fd);
        while (result.outcome == PROBE_PENDING)
            probe_tcp_ops.process(prober);
        if (bytes > 0)
            assert_passed(result);
        else
            assert_failed(result, "reset the connection at once");
        probe_tcp_ops.close(prober);
    }
    close(listener);
}

/* ---- request and expectation ---- */

#define PING "PING\\r\\n\\r\\n"

static void an_expected_answer_passes(void **state)
{
    (void)state;
    assert_passed(tcp(UNASKED, "220 mail ESMTP\r\n", NULL, "220 ", TIMEOUT_MS)); /* the server speaks first */
    assert_passed(tcp(ANSWER, "+PONG\r\n", PING, "+PONG", TIMEOUT_MS));
    assert_passed(tcp(HANG, "+PONG\r\n", PING, "+PONG", TIMEOUT_MS));
    assert_passed(tcp(HANG, "+PONG\r\n", PING, "hex:2b 5? 4f", TIMEOUT_MS));
    assert_passed(tcp(HANG, "# Replication\r\nrole:master\r\n", PING, "regex:role:(master|primary)\\r\\n", TIMEOUT_MS));
    assert_passed(tcp(HANG, "anything", PING, NULL, TIMEOUT_MS));
    assert_passed(tcp(FLOOD, "+PONG", PING, "+PONG", TIMEOUT_MS));
}

static void an_answer_may_come_in_pieces(void **state)
{
    (void)state;
    assert_passed(tcp(DRIP, "+PONG\r\n", PING, "+PONG", TIMEOUT_MS));
    assert_passed(tcp(DRIP, "one two three", PING, "regex:o t.*ee$", TIMEOUT_MS));
    assert_failed(tcp(DRIP, "one two three", PING, "regex:four", TIMEOUT_MS), "expected regex:four, got \"one two three\" and the end");
}

static void a_wrong_answer_is_shown(void **state)
{
    (void)state;
    assert_failed(tcp(HANG, "-LOADING Redis is loading\r\n", PING, "+PONG", TIMEOUT_MS), "expected +PONG, got \"-LOADING Redis is loading\\r\\n\"");
    assert_failed(tcp(HANG, "\x01\x02", PING, "hex:01 03", TIMEOUT_MS), "expected hex:01 03, got hex:0102");
    assert_failed(tcp(HANG, "12345678901234567890123456789012345678901234567890123456789012345678901234567890", PING,
                      "abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz", TIMEOUT_MS),
                  "expected abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.ab..., got \"1234567890123456789012345678901234567890123456789012...\"");
}

static void an_answer_that_is_cut_off_is_shown(void **state)
{
    (void)state;
    assert_failed(tcp(ANSWER, "+PO", PING, "+PONG", TIMEOUT_MS), "expected +PONG, got \"+PO\" and the end");
    assert_failed(tcp(ANSWER, "", PING, "+PONG", TIMEOUT_MS), "closed the connection without an answer");
    assert_failed(tcp(RESET, "", PING, "+PONG", TIMEOUT_MS), "reset the connection without an answer");
    assert_failed(tcp(ANSWER, "", PING, NULL, TIMEOUT_MS), "closed the connection without an answer");
    assert_failed(tcp(UNASKED_RESET, "", PING, "+PONG", TIMEOUT_MS), "reset the connection without an answer");
}

static void an_answer_that_does_not_come_times_out(void **state)
{
    (void)state;
    assert_timed_out(tcp(HANG, "", PING, "+PONG", SHORT_MS), "no answer within 1s");
    assert_timed_out(tcp(HANG, "", PING, "regex:.", SHORT_MS), "no answer within 1s");
    assert_timed_out(tcp(HANG, "", PING, NULL, SHORT_MS), "no answer within 1s");
    assert_timed_out(tcp(HANG, "+PO", PING, "+PONG", SHORT_MS), "only the beginning of the expected answer within 1s");
    assert_failed(tcp(HANG, "+PO", PING, "regex:^\\+PONG", SHORT_MS), "expected regex:^\\+PONG, got \"+PO\"");
}

static void an_endless_answer_is_read_to_its_limit(void **state)
{
    struct probe_result result = tcp(FLOOD, "", PING, "regex:y", TIMEOUT_MS);

    (void)state;
    assert_int_equal(result.outcome, PROBE_FAILED);
    assert_memory_equal(result.reason, "expected regex:y, got \"xxxx", 27);
    assert_int_equal(tcp(REPEAT, "HTTP/1.1 400 Bad Request\r\n\r\n", PING, "+PONG", TIMEOUT_MS).outcome, PROBE_FAILED);
}

/* Bytes of another protocol, with zero bytes. */
static void an_answer_in_another_protocol_is_shown(void **state)
{
    struct server server = {.part = HANG, .answer = "\x15\x03\x00\x02\x46", .answer_bytes = 5};
    struct pool_settings settings = usual;

    (void)state;
    settings.check_send = PING;
    settings.check_expect = "+PONG";
    server_start(&server);
    assert_failed(run(&probe_tcp_ops, &settings, &server.addr, TIMEOUT_MS), "expected +PONG, got \"\\x15\\x03\\x00\\x02F\"");
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_that_ends_at_once_fails),
        cmocka_unit_test(a_unix_connection_that_ends_at_once_fails),
        cmocka_unit_test(bytes_pass_even_if_the_end_follows),
        cmocka_unit_test(silence_passes_after_a_moment),
        cmocka_unit_test(silence_passes_at_the_time_limit_if_that_is_earlier),
        cmocka_unit_test(the_server_sees_an_end_and_no_reset),
        cmocka_unit_test(many_silent_connections_do_not_keep_others_waiting),
        cmocka_unit_test(a_reset_that_is_faster_than_the_probe_is_told_from_a_refusal),
        cmocka_unit_test(an_expected_answer_passes),
        cmocka_unit_test(an_answer_may_come_in_pieces),
        cmocka_unit_test(a_wrong_answer_is_shown),
        cmocka_unit_test(an_answer_that_is_cut_off_is_shown),
        cmocka_unit_test(an_answer_that_does_not_come_times_out),
        cmocka_unit_test(an_endless_answer_is_read_to_its_limit),
        cmocka_unit_test(an_answer_in_another_protocol_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
