/* test_grpc_answer: health/grpc_answer: which answers to a gRPC probe pass, when they are decided, and how the failures are explained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "health/grpc_answer.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define HEAD "HTTP/2 200 \r\n|content-type: application/grpc\r\n|"
#define SERVING "\0\0\0\0\2\x08\1"
#define OK "grpc-status: 0\r\n"

static const struct pool_settings health = {.check = CONFIG_CHECK_GRPC};
static const struct pool_settings service = {.check = CONFIG_CHECK_GRPC, .check_service = "llama"};
static const struct pool_settings server = {.check = CONFIG_CHECK_GRPC, .check_grpc = CONFIG_GRPC_INFERENCE};
static const struct pool_settings model = {.check = CONFIG_CHECK_GRPC, .check_grpc = CONFIG_GRPC_INFERENCE, .check_service = "llama"};

/* Adds lines, with a "|" after each, as libcurl would. */
static void add_lines(struct grpc_answer *answer, const char *lines)
{
    long status = answer->http_status;
    for (const char *end; (end = strchr(lines, '|')) != NULL; lines = end + 1) {
        if (strncmp(lines, "HTTP/", 5) == 0)
            status = strtol(strchr(lines, ' '), NULL, 10);
        assert_true(grpc_answer_add_header(answer, lines, (size_t)(end - lines), status));
    }
}

struct row {
    const struct pool_settings *settings;
    const char *headers, *data;
    size_t data_bytes;
    const char *trailers;
    const char *reason; /* empty: passes */
    bool early;         /* decided before the trailers */
};

#define DATA(text) text, sizeof(text) - 1

static const struct row rows[] = {
    {&health, HEAD "\r\n|", DATA(SERVING), OK "|", "", true},
    {&health, "HTTP/2 103 \r\n|link: a\r\n|\r\n|" HEAD "\r\n|", DATA(SERVING), OK "|", "", true},
    {&health, "HTTP/2 200 \r\n|Content-Type:application/grpc+proto \r\n|\r\n|", DATA(SERVING), "Grpc-Status:  0 \r\n|\r\n|", "", true},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\2\x08\2"), OK "|", "health status NOT_SERVING", true},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\2\x08\3"), OK "|", "health status SERVICE_UNKNOWN", true},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\0"), OK "|", "health status UNKNOWN", true},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\3\x08\xac\2"), OK "|", "health status 300", true},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\2\x08\2"), "", "health status NOT_SERVING", true},
    {&server, HEAD "\r\n|", DATA(SERVING), OK "|", "", true},
    {&server, HEAD "\r\n|", DATA("\0\0\0\0\0"), OK "|", "server is not ready", true},
    {&model, HEAD "\r\n|", DATA("\0\0\0\0\2\x08\0"), OK "|", "model llama is not ready", true},
    /* other fields are skipped, and the last of several counts */
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\x1a\x12\3abc\x19" "12345678\x1d" "1234\x20\xff\1\x08\2\x08\1"), OK "|", "", true},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\1\x08"), OK "|", "its message is malformed", true},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\3\x12\5a"), OK "|", "its message is malformed", true},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), OK "|", "its message is malformed", true},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\2\x0b\1"), OK "|", "its message is malformed", true},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\1\0"), OK "|", "its message is malformed", true},
    {&health, HEAD "\r\n|", DATA("\1\0\0\0\2\x08\1"), OK "|", "its message is compressed, which was not asked for", true},
    {&health, HEAD "\r\n|", DATA("\0\0\0\x10\1"), OK "|", "its message is too long", true},
    {&health, HEAD "\r\n|", DATA("\0\xff\xff\xff\xff"), OK "|", "its message is too long", true},
    {&health, HEAD "\r\n|", DATA(SERVING "\0"), OK "|", "sends more than one message", true},
    /* trailers only */
    {&health, HEAD "grpc-status: 12\r\n|grpc-message: Method not found!\r\n|\r\n|", DATA(""), "",
     "has no gRPC service for health checks (status UNIMPLEMENTED: Method not found!)", true},
    {&server, HEAD "grpc-status: 12\r\n|\r\n|", DATA(""), "", "has no gRPC service for the Open Inference Protocol (status UNIMPLEMENTED)", true},
    {&service, HEAD "grpc-status: 5\r\n|grpc-message: unknown%20%25%0A\r\n|\r\n|", DATA(""), "",
     "does not know service llama (status NOT_FOUND: unknown %\n)", true},
    {&model, HEAD "grpc-status: 5\r\n|\r\n|", DATA(""), "", "does not know model llama (status NOT_FOUND)", true},
    {&health, HEAD "grpc-status: 5\r\n|\r\n|", DATA(""), "", "gRPC status NOT_FOUND", true},
    {&health, HEAD "grpc-status: 14\r\n|grpc-message: 100%\r\n|\r\n|", DATA(""), "", "gRPC status UNAVAILABLE: 100%", true},
    {&health, HEAD "grpc-status: 17\r\n|\r\n|", DATA(""), "", "gRPC status 17", true},
    {&health, HEAD "grpc-status: -1\r\n|\r\n|", DATA(""), "", "gRPC status UNKNOWN", true},
    {&health, HEAD "grpc-status: 99999999999\r\n|\r\n|", DATA(""), "", "gRPC status UNKNOWN", true},
    {&health, "HTTP/2 503 \r\n|content-type: application/grpc\r\n|grpc-status: 14\r\n|\r\n|", DATA(""), "", "gRPC status UNAVAILABLE", true},
    {&health, HEAD OK "|\r\n|", DATA(""), "", "its answer has no message", true},
    {&health, HEAD "\r\n|", DATA(SERVING), "", "", true},
    /* no gRPC */
    {&health, HEAD "\r\n|", DATA(""), "", "its answer has no grpc-status", false},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\2\x08"), "", "its answer has no grpc-status", false},
    {&health, HEAD "\r\n|", DATA("\0\0\0\0\2\x08"), OK "|", "its answer has no message", false},
    {&health, "HTTP/2 200 \r\n|content-type: text/html\r\n|\r\n|", DATA(""), "", "does not speak gRPC: content-type text/html", true},
    {&health, "HTTP/2 200 \r\n|\r\n|", DATA(""), "", "does not speak gRPC: content-type missing", true},
    {&health, "HTTP/2 404 \r\n|content-type: text/html\r\n|\r\n|", DATA("<html>"), "", "HTTP status 404 instead of a gRPC answer", true},
    {&health, "HTTP/1.1 200 OK\r\n|content-type: application/grpc\r\n|\r\n|", DATA(""), "", "does not answer in HTTP/2", true},
};

static void answers_are_judged_by_what_has_arrived(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct grpc_answer answer;
        struct probe_result result;
        grpc_answer_init(&answer, rows[i].settings);
        add_lines(&answer, rows[i].headers);
        for (size_t k = 0; k < rows[i].data_bytes; k++)
            (void)grpc_answer_add_body(&answer, rows[i].data + k, 1);
        if (grpc_answer_is_decided(&answer) != rows[i].early)
            fail_msg("row %zu is %sdecided early", i, rows[i].early ? "not " : "");
        add_lines(&answer, rows[i].trailers);
        assert_true(!rows[i].early || grpc_answer_is_decided(&answer));
        grpc_answer_judge(&answer, NULL, &result);
        if (strcmp(result.reason, rows[i].reason) != 0)
            fail_msg("row %zu: %s instead of %s", i, result.reason, rows[i].reason);
        assert_int_equal(result.outcome, rows[i].reason[0] ? PROBE_FAILED : PROBE_PASSED);
        grpc_answer_judge(&answer, "connection reset", &result); /* how the connection ends does not matter once the answer is decided */
        if (grpc_answer_is_decided(&answer))
            assert_string_equal(result.reason, rows[i].reason);
    }
}

static void a_missing_part_is_explained_and_may_time_out(void **state)
{
    static const struct {
        const char *headers, *data;
        size_t data_bytes;
        const char *reason;
    } cut[] = {
        {"", DATA(""), "cut"},
        {HEAD, DATA(""), "cut in the middle of its answer"},
        {HEAD "\r\n|", DATA("\0\0\0\0\2\x08"), "cut in the middle of its answer"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cut); i++) {
        struct grpc_answer answer;
        struct probe_result result;
        grpc_answer_init(&answer, &health);
        add_lines(&answer, cut[i].headers);
        assert_true(grpc_answer_add_body(&answer, cut[i].data, cut[i].data_bytes));
        assert_false(grpc_answer_is_decided(&answer));
        assert_int_equal(grpc_answer_judge(&answer, "cut", &result), PROBE_FAILED);
        assert_string_equal(result.reason, cut[i].reason);
        answer.timed_out = true;
        assert_int_equal(grpc_answer_judge(&answer, "cut", &result), PROBE_TIMED_OUT);
        assert_string_equal(result.reason, cut[i].reason);
    }
}

static void a_server_without_capacity_counts_as_late(void **state)
{
    struct grpc_answer answer;
    struct probe_result result;
    (void)state;
    grpc_answer_init(&answer, &health);
    add_lines(&answer, HEAD "grpc-status: 8\r\n|grpc-message: busy\r\n|\r\n|");
    assert_true(grpc_answer_is_decided(&answer));
    assert_int_equal(grpc_answer_judge(&answer, NULL, &result), PROBE_TIMED_OUT);
    assert_string_equal(result.reason, "gRPC status RESOURCE_EXHAUSTED: busy");
}

static void what_is_read_has_bounds(void **state)
{
    struct grpc_answer answer;
    struct probe_result result;
    char line[1024], body[2 * GRPC_MESSAGE_BYTES_MAX] = {0};
    size_t lines = 0;
    (void)state;
    grpc_answer_init(&answer, &health);
    add_lines(&answer, HEAD);
    memset(line, 'x', sizeof(line));
    while (grpc_answer_add_header(&answer, line, sizeof(line), 200))
        assert_true(++lines < 64);
    grpc_answer_judge(&answer, NULL, &result);
    assert_string_equal(result.reason, "HTTP headers of more than 65536 bytes");

    grpc_answer_init(&answer, &health);
    add_lines(&answer, HEAD "\r\n|");
    body[3] = GRPC_MESSAGE_BYTES_MAX >> 8;
    body[5] = 0x12; /* a field that fills the message */
    body[6] = (char)((GRPC_MESSAGE_BYTES_MAX - 5) & 0x7f) | (char)0x80;
    body[7] = (char)((GRPC_MESSAGE_BYTES_MAX - 5) >> 7);
    body[GRPC_PREFIX_BYTES + GRPC_MESSAGE_BYTES_MAX - 2] = 0x08;
    body[GRPC_PREFIX_BYTES + GRPC_MESSAGE_BYTES_MAX - 1] = 1;
    assert_true(grpc_answer_add_body(&answer, body, GRPC_PREFIX_BYTES + GRPC_MESSAGE_BYTES_MAX));
    add_lines(&answer, OK "|");
    assert_int_equal(grpc_answer_judge(&answer, NULL, &result), PROBE_PASSED);
    assert_false(grpc_answer_add_body(&answer, body, sizeof(body)));

    grpc_answer_init(&answer, &health);
    memset(line, '%', sizeof(line));
    memcpy(line, "grpc-message: ", 14);
    assert_true(grpc_answer_add_header(&answer, line, sizeof(line), 200));
    assert_int_equal(strlen(answer.text), sizeof(answer.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_judged_by_what_has_arrived),
        cmocka_unit_test(a_missing_part_is_explained_and_may_time_out),
        cmocka_unit_test(a_server_without_capacity_counts_as_late),
        cmocka_unit_test(what_is_read_has_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
