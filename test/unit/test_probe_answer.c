/* test_probe_answer.c: which answers to an HTTP probe pass, and how the failures are explained, however the connection
 * ends; over real loopback sockets, against a scripted server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "probe_fixture.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define NO "HTTP/1.1 503 No\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const enum part every_end[] = { ANSWER, RESET, HANG, DRIP, UNREAD, UNASKED, UNASKED_RESET };

/* Runs a probe and asserts that it ends long before its timeout. */
static struct probe_result ask_soon(enum part part, const char *answer, const struct pool_settings *settings)
{
    uint64_t began_ns = clock_now_ns();
    struct probe_result result = ask(part, answer, settings);

    assert_true(clock_now_ns() - began_ns <= TIMEOUT_MS / 4 * UINT64_C(1000000));
    return result;
}

static struct probe_result ask_until_time_is_up(const char *answer, const struct pool_settings *settings)
{
    struct server server = { .part = HANG, .answer = answer };
    return ask_server(&server, settings, SHORT_MS);
}

static struct pool_settings with_text(void)
{
    struct pool_settings settings = usual;
    settings.check_body = "ready";
    return settings;
}

static void a_good_status_passes_however_the_connection_ends(void **state)
{
    (void)state;
    static const char *const answers[] = {
        OK "\r\n",
        OK "\r\nsome text",
        "HTTP/1.0 200\n\nsome text",
        OK "Content-Length: 2\r\n\r\nok",
        OK CHUNKED "\r\n2\r\nok\r\n0\r\n\r\n",
        OK CHUNKED "\r\n2\r\nok\r\n",
        OK CHUNKED "\r\n2\r\no",
        OK CHUNKED "\r\n",
        OK "Content-Length: 50\r\n" CHUNKED "\r\n2\r\nok\r\n", /* chunked takes precedence over Content-Length */
        "HTTP/1.1 204 Empty\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK "\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" OK "Content-Length: 2\r\n\r\nok",
    };
    for (size_t i = 0; i < COUNT(answers); i++)
        for (size_t k = 0; k < COUNT(every_end); k++)
            assert_passed(ask_soon(every_end[k], answers[i], &usual));
}

static void a_bad_status_fails_however_the_connection_ends(void **state)
{
    (void)state;
    const struct pool_settings all[] = { usual, with_text() };
    static const char *const answers[] = {
        NO "\r\nready",
        NO "Content-Length: 5\r\n\r\nready",
        NO "Content-Length: 50\r\n\r\nready",
        NO CHUNKED "\r\n5\r\nready\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\n" NO "\r\nready",
    };
    for (size_t i = 0; i < COUNT(answers); i++)
        for (size_t k = 0; k < COUNT(every_end); k++)
            assert_failed(ask_soon(every_end[k], answers[i], &all[k % 2]), "HTTP status 503, wanted 200-399");
    assert_failed(ask_until_time_is_up(NO "X-Mor", &usual), "HTTP status 503, wanted 200-399");
}

static void a_head_request_needs_no_body(void **state)
{
    (void)state;
    struct pool_settings settings = usual;
    settings.check_method = "HEAD";
    for (size_t k = 0; k < COUNT(every_end); k++) {
        assert_passed(ask_soon(every_end[k], OK "Content-Length: 50\r\n\r\n", &settings));
        assert_passed(ask_soon(every_end[k], OK CHUNKED "\r\n", &settings));
        assert_failed(ask_soon(every_end[k], NO "\r\n", &settings), "HTTP status 503, wanted 200-399");
    }
}

/* What would follow the text in the body does not matter. */
static void the_text_passes_however_the_connection_ends(void **state)
{
    (void)state;
    const struct pool_settings settings = with_text();
    static const char *const answers[] = {
        OK "\r\nmodel ready now",
        OK "Content-Length: 15\r\n\r\nmodel ready now",
        OK "Content-Length: 50\r\n\r\nmodel ready now",
        OK CHUNKED "\r\n9\r\nmodel rea\r\n6\r\ndy now\r\n0\r\n\r\n",
        OK CHUNKED "\r\n9\r\nmodel rea\r\n6\r\ndy now\r\n",
        OK CHUNKED "\r\n9\r\nmodel rea\r\n6\r\ndy",
        OK "Content-Type: text/event-stream\r\n\r\ndata: model ready now\n\n",
        "HTTP/1.1 103 Early Hints\r\n\r\n" OK "\r\nmodel ready now",
    };
    for (size_t i = 0; i < COUNT(answers); i++)
        for (size_t k = 0; k < COUNT(every_end); k++)
            assert_passed(ask_soon(every_end[k], answers[i], &settings));
}

/* The server may have closed the connection before the request is sent, or even before the probe sees it established. */
static void an_answer_that_is_there_before_the_request_is_read(void **state)
{
    (void)state;
    const struct pool_settings settings = with_text();
    static const enum part parts[] = { UNASKED, UNASKED_RESET };
    const struct addr addrs[] = { loopback(AF_INET), loopback(AF_INET6), unix_name("@penstock-test-answer", 1) };
    for (int i = 0; i < 6; i++) {
        struct server good = { .part = parts[i % 2], .addr = addrs[i / 2], .answer = OK CHUNKED "\r\n3\r\nrea\r\n2\r\ndy" };
        struct server bad = { .part = parts[i % 2], .addr = addrs[i / 2], .answer = NO "\r\nready" };
        server_start(&good);
        for (int k = 0; k < 100; k++)
            assert_passed(run(&probe_http_ops, &settings, &good.addr, TIMEOUT_MS));
        server_stop(&good);
        server_start(&bad);
        for (int k = 0; k < 100; k++)
            assert_failed(run(&probe_http_ops, &settings, &bad.addr, TIMEOUT_MS), "HTTP status 503, wanted 200-399");
        server_stop(&bad);
    }
}

struct failure {
    const char *answer;
    const char *closed, *reset, *late; /* the expected reasons, by how the connection ends */
};

static void assert_explained(const struct failure *row, const struct pool_settings *settings)
{
    assert_failed(ask(ANSWER, row->answer, settings), row->closed);
    assert_failed(ask(RESET, row->answer, settings), row->reset);
    assert_failed(ask(UNREAD, row->answer, settings), row->reset);
    assert_timed_out(ask_until_time_is_up(row->answer, settings), row->late);
}

static void an_answer_that_has_not_arrived_fails_and_the_reason_says_what_is_missing(void **state)
{
    (void)state;
    static const struct failure rows[] = {
        { "", "closed the connection without an answer", "connection reset", "timed out after 1000 ms" },
        { "HTTP/1.1 20", "closed the connection without an answer", "connection reset", "timed out after 1000 ms" },
        { "HTTP/1.1 103 Early Hints\r\n\r\n", "interim HTTP status 103, then closed the connection without an answer",
          "interim HTTP status 103, then connection reset", "interim HTTP status 103, then timed out after 1000 ms" },
        { OK "Content-Length: 5\r\n\r\nok", "closed the connection in the middle of its answer",
          "connection reset in the middle of its answer", "timed out after 1000 ms in the middle of its answer" },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_explained(&rows[i], &usual);
}

/* The status line decides, unless more headers may still arrive. */
static void headers_may_end_with_the_connection(void **state)
{
    (void)state;
    static const char *const rows[] = { OK, OK "Content-Type: text/plain\r\nX-Mor" };
    static const char late[] = "timed out after 1000 ms in the middle of its headers";
    const struct pool_settings settings = with_text();

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_passed(ask(ANSWER, rows[i], &usual));
        assert_passed(ask(RESET, rows[i], &usual));
        assert_timed_out(ask_until_time_is_up(rows[i], &usual), late);
        assert_failed(ask(RESET, rows[i], &settings), "connection reset, and the body so far lacks \"ready\"");
    }
    assert_failed(ask(ANSWER, OK "Content-Length: 5\r\n", &usual), "closed the connection in the middle of its answer");
    assert_failed(ask(ANSWER, NO, &usual), "HTTP status 503, wanted 200-399");
}

static void a_body_without_the_text_fails_and_the_reason_says_how_it_ended(void **state)
{
    (void)state;
    const struct pool_settings settings = with_text();
    static const struct failure rows[] = {
        { OK "\r\nstarting", "body lacks \"ready\"", "connection reset, and the body so far lacks \"ready\"",
          "timed out after 1000 ms, and the body so far lacks \"ready\"" },
        { OK CHUNKED "\r\n8\r\nstarting\r\n", "closed the connection, and the body so far lacks \"ready\"",
          "connection reset, and the body so far lacks \"ready\"",
          "timed out after 1000 ms, and the body so far lacks \"ready\"" },
        { OK "Content-Length: 50\r\n\r\nstarting", "closed the connection, and the body so far lacks \"ready\"",
          "connection reset, and the body so far lacks \"ready\"",
          "timed out after 1000 ms, and the body so far lacks \"ready\"" },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_explained(&rows[i], &settings);
    for (size_t k = 0; k < COUNT(every_end); k++)
        assert_failed(ask(every_end[k], OK "Content-Length: 8\r\n\r\nstarting", &settings), "body lacks \"ready\"");
}

static void an_answer_without_end_is_ended(void **state)
{
    (void)state;
    const struct pool_settings settings = with_text();
    static const char too_long[] = "HTTP headers of more than 65536 bytes";
    assert_passed(ask(FLOOD, OK "\r\n", &usual));
    assert_passed(ask(FLOOD, OK "Content-Length: 99999999999\r\n\r\n", &usual));
    assert_passed(ask(FLOOD, OK "\r\nready", &settings));
    assert_failed(ask(FLOOD, OK "\r\n", &settings), "body lacks \"ready\"");
    assert_failed(ask(FLOOD, NO "\r\n", &usual), "HTTP status 503, wanted 200-399");
    assert_failed(ask(FLOOD, OK CHUNKED "\r\n", &settings), "sent a malformed chunk, and the body so far lacks \"ready\"");
    assert_failed(ask(FLOOD_HEADERS, OK, &usual), too_long);
    assert_failed(ask(REPEAT, "HTTP/1.1 102 Processing\r\n\r\n", &usual), too_long);
    assert_failed(ask(FLOOD, OK "X-More: ", &usual), too_long);
    assert_failed(ask(FLOOD, "HTTP/1.1 200 ", &usual), too_long);
    assert_failed(ask(FLOOD_HEADERS, OK CHUNKED "\r\n0\r\n", &settings), "body lacks \"ready\""); /* trailers */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_status_passes_however_the_connection_ends),
        cmocka_unit_test(a_bad_status_fails_however_the_connection_ends),
        cmocka_unit_test(a_head_request_needs_no_body),
        cmocka_unit_test(the_text_passes_however_the_connection_ends),
        cmocka_unit_test(an_answer_that_is_there_before_the_request_is_read),
        cmocka_unit_test(an_answer_that_has_not_arrived_fails_and_the_reason_says_what_is_missing),
        cmocka_unit_test(headers_may_end_with_the_connection),
        cmocka_unit_test(a_body_without_the_text_fails_and_the_reason_says_how_it_ended),
        cmocka_unit_test(an_answer_without_end_is_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
