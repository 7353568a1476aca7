/* test_probe_grpc.c: gRPC probes over real loopback sockets, against a server that sends prepared HTTP/2 frames, or something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>

#include "probe_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define FRAMES(text) text, sizeof(text) - 1
#define LONG_MS 3000

/* Frames: length, type, flags, stream. Header fields are literals without indexing, except ":status: 200" (0x88) and ":status: 404" (0x8d). */
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define CONTENT_TYPE "\0\x0c" "content-type" "\x10" "application/grpc" /* 31 bytes */
#define HEADERS "\0\0\x20\1\4\0\0\0\1\x88" CONTENT_TYPE
#define STATUS(code) "\0\x0b" "grpc-status\1" code                      /* 15 bytes */
#define TRAILERS "\0\0\x0f\1\5\0\0\0\1" STATUS("0")
#define MESSAGE(value) "\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08" value
#define GOAWAY "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\x0b"
#define RST(code) "\0\0\4\3\0\0\0\0\1\0\0\0" code
#define GOOD SETTINGS HEADERS MESSAGE("\1") TRAILERS

static struct pool_settings by_grpc(void)
{
    struct pool_settings settings = usual;
    settings.check = CONFIG_CHECK_GRPC;
    settings.check_tls_verify = true;
    return settings;
}

static struct probe_result ask_grpc(enum part part, const char *answer, size_t bytes)
{
    struct pool_settings settings = by_grpc();
    struct server server = { .part = part, .answer = answer, .answer_bytes = bytes };
    struct probe_result result = ask_server(&server, &settings, LONG_MS);
    assert_int_equal(server.connections, 1);
    return result;
}

/* The server closes its end, or not at all. The probe must not wait for its time limit. */
static void a_good_answer_passes_however_the_connection_ends(void **state)
{
    (void)state;
    static const enum part ends[] = { HEAR, HANG };
    for (size_t i = 0; i < COUNT(ends); i++) {
        uint64_t began_ns = clock_now_ns();
        assert_passed(ask_grpc(ends[i], FRAMES(GOOD)));
        assert_true(clock_now_ns() - began_ns < LONG_MS / 2 * UINT64_C(1000000));
    }
    assert_passed(ask_grpc(HANG, FRAMES(SETTINGS HEADERS MESSAGE("\1")))); /* not even the trailers come */
    assert_passed(ask_grpc(HEAR, FRAMES(SETTINGS HEADERS MESSAGE("\1"))));
}

static void each_wrong_answer_has_its_reason(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        size_t bytes;
        const char *reason;
    } rows[] = {
        { FRAMES(SETTINGS HEADERS MESSAGE("\2")), "health status NOT_SERVING" },
        { FRAMES(SETTINGS HEADERS "\0\0\0\0\1\0\0\0\1"), "its answer has no grpc-status" },
        { FRAMES(SETTINGS "\0\0\x2f\1\5\0\0\0\1\x88" CONTENT_TYPE STATUS("9")), "gRPC status FAILED_PRECONDITION" },
        { FRAMES(SETTINGS "\0\0\1\1\5\0\0\0\1\x8d"), "HTTP status 404 instead of a gRPC answer" },
        { FRAMES(SETTINGS "\0\0\1\1\4\0\0\0\1\x88"), "does not speak gRPC: content-type missing" },
        { FRAMES(SETTINGS HEADERS "\0\0\7\0\0\0\0\0\1\1\0\0\0\2\x08\1"), "its message is compressed, which was not asked for" },
        { FRAMES(SETTINGS HEADERS MESSAGE("\1") MESSAGE("\1")), "sends more than one message" },
        { FRAMES(SETTINGS GOAWAY), "ended the HTTP/2 session" },
        { FRAMES(SETTINGS RST("\7")), "refused the call (REFUSED_STREAM)" },
        { FRAMES(SETTINGS HEADERS MESSAGE("\1") RST("\2")), "ended the HTTP/2 stream with INTERNAL_ERROR" },
        { FRAMES("\xff\xff\xff\1\4\0\0\0\1"), "does not answer in HTTP/2" },
        { FRAMES("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), "does not answer in HTTP/2" },
        { FRAMES("SSH-2.0-OpenSSH_9.2\r\n"), "does not answer in HTTP/2" },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_failed(ask_grpc(HANG, rows[i].answer, rows[i].bytes), rows[i].reason);
}

static void an_answer_that_is_cut_off_has_its_reason(void **state)
{
    (void)state;
    struct pool_settings settings = by_grpc();
    struct addr closed = loopback(AF_INET);
    close(listen_on(&closed, 1));
    assert_failed(run(&probe_grpc_ops, &settings, &closed, TIMEOUT_MS), "connection refused");
    assert_failed(ask_grpc(RESET, "", 0), "connection reset");
    assert_failed(ask_grpc(HEAR, "", 0), "closed the connection without an answer");
}

/* Each of these never ends by itself, or has no end that comes in time. */
static void an_endless_answer_ends_at_its_bound_or_its_time(void **state)
{
    (void)state;
    struct pool_settings settings = by_grpc();
    struct server server = { .part = HANG, .answer = SETTINGS HEADERS, .answer_bytes = sizeof(SETTINGS HEADERS) - 1 };
    assert_timed_out(ask_server(&server, &settings, SHORT_MS), "timed out after 1000 ms in the middle of its answer");
    server = (struct server){ .part = HANG, .answer = "" };
    assert_timed_out(ask_server(&server, &settings, SHORT_MS), "timed out after 1000 ms");
    server = (struct server){ .part = REPEAT, .answer = SETTINGS, .answer_bytes = sizeof(SETTINGS) - 1 };
    struct probe_result result = ask_server(&server, &settings, LONG_MS);
    assert_int_equal(result.outcome, PROBE_FAILED);
    assert_memory_equal(result.reason, "sends invalid HTTP/2: ", 22);
}

static void the_request_names_the_service_and_the_host(void **state)
{
    (void)state;
    struct pool_settings settings = by_grpc();
    struct server server = { .part = HANG, .answer = GOOD, .answer_bytes = sizeof(GOOD) - 1, .addr = unix_name("@penstock-test-grpc", 1) };
    settings.check_service = "llama";
    settings.check_host = "model.example";
    settings.check_grpc = CONFIG_GRPC_INFERENCE;
    assert_passed(ask_server(&server, &settings, LONG_MS));
    assert_memory_equal(server.request, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void no_descriptor_is_left_behind(void **state)
{
    (void)state;
    struct pool_settings settings = by_grpc();
    ask_grpc(HANG, FRAMES(GOOD));
    unsigned before = open_descriptors();
    for (int i = 0; i < 10; i++) {
        struct server server = { .part = HANG, .answer = "" };
        ask_grpc(HANG, FRAMES(GOOD));
        ask_grpc(ANSWER, FRAMES(SETTINGS RST("\7")));
        ask_grpc(RESET, FRAMES(SETTINGS HEADERS));
        ask_server(&server, &settings, 5);
    }
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_answer_passes_however_the_connection_ends),
        cmocka_unit_test(each_wrong_answer_has_its_reason),
        cmocka_unit_test(an_answer_that_is_cut_off_has_its_reason),
        cmocka_unit_test(an_endless_answer_ends_at_its_bound_or_its_time),
        cmocka_unit_test(the_request_names_the_service_and_the_host),
        cmocka_unit_test(no_descriptor_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
