/* test_probe_tls.c: HTTPS probes over real loopback sockets, against servers that do not speak TLS. test/integration has those that do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "health/tls.h"
#include "probe_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct pool_settings over_tls(void)
{
    struct pool_settings settings = usual;
    settings.check = CONFIG_CHECK_HTTPS;
    settings.check_tls_verify = true;
    return settings;
}

static struct probe_result ask_tls(enum part part, const char *answer, size_t bytes)
{
    struct pool_settings settings = over_tls();
    struct server server = { .part = part, .answer = answer, .answer_bytes = bytes };
    return ask_server(&server, &settings, part == HANG ? SHORT_MS : TIMEOUT_MS);
}

static void a_server_that_speaks_another_protocol_fails(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
    } rows[] = {
        { "SSH-2.0-OpenSSH_9.2\r\n", 21 },
        { "HTTP/1.1 400 Bad Request\r\n\r\n", 28 },
        { "-ERR unknown command\r\n", 22 },
        { "\0\0\0\4\0\0\0\0\0", 9 }, /* HTTP/2: an empty SETTINGS frame */
        { "\x4a\0\0\0\x0a" "8.0.36\0", 12 }, /* MySQL */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_failed(ask_tls(UNASKED, rows[i].text, rows[i].bytes), "does not speak TLS");
        assert_failed(ask_tls(UNREAD, rows[i].text, rows[i].bytes), "does not speak TLS");
    }
}

static void a_handshake_that_is_cut_off_fails(void **state)
{
    (void)state;
    assert_failed(ask_tls(HEAR, "", 0), "closed the connection in the TLS handshake");
    assert_failed(ask_tls(UNREAD, "", 0), "connection reset in the TLS handshake");
    assert_failed(ask_tls(UNREAD, "\x15\x03\x01\0\2\2\x28", 7), "TLS handshake failed: sslv3 alert handshake failure");
}

static void a_server_that_says_nothing_times_out(void **state)
{
    (void)state;
    assert_timed_out(ask_tls(HANG, "", 0), "timed out after 1000 ms");
}

static void certificates_that_cannot_be_read_are_not_the_servers_fault(void **state)
{
    (void)state;
    struct pool_settings settings = over_tls();
    struct server server = { .part = UNREAD, .answer = "" };
    settings.check_tls_ca = "/nonexistent/ca.pem";
    struct probe_result result = ask_server(&server, &settings, TIMEOUT_MS);
    assert_int_equal(result.outcome, PROBE_NO_MEANS);
    assert_string_equal(result.reason, "cannot read the certificates in /nonexistent/ca.pem");
}

static void nobody_listens(void **state)
{
    (void)state;
    struct pool_settings settings = over_tls();
    struct addr closed = loopback(AF_INET);
    close(listen_on(&closed, 1));
    assert_failed(run(&probe_http_ops, &settings, &closed, TIMEOUT_MS), "connection refused");
}

static void the_expected_name_is_the_most_specific_one(void **state)
{
    (void)state;
    struct pool_settings settings = over_tls();
    struct addr v4, v6, zone;
    char name[300];
    assert_null(addr_parse(&v4, "10.0.0.1:443"));
    assert_null(addr_parse(&v6, "[2001:db8::1]:443"));
    zone = v6;
    zone.in6.sin6_scope_id = 1;
    struct addr local = unix_name("@penstock-test-tls", 1);
    assert_string_equal(tls_format_name(name, sizeof name, &settings, &v4), "10.0.0.1");
    assert_string_equal(tls_format_name(name, sizeof name, &settings, &v6), "[2001:db8::1]");
    assert_string_equal(tls_format_name(name, sizeof name, &settings, &zone), "[2001:db8::1]");
    assert_string_equal(tls_format_name(name, sizeof name, &settings, &local), "localhost");
    settings.check_host = "model.example:8443";
    assert_string_equal(tls_format_name(name, sizeof name, &settings, &v4), "model.example");
    settings.check_tls_name = "other.example";
    assert_string_equal(tls_format_name(name, sizeof name, &settings, &v4), "other.example");
    settings.check_tls_name = "::1";
    assert_string_equal(tls_format_name(name, sizeof name, &settings, &v4), "[::1]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_speaks_another_protocol_fails),
        cmocka_unit_test(a_handshake_that_is_cut_off_fails),
        cmocka_unit_test(a_server_that_says_nothing_times_out),
        cmocka_unit_test(certificates_that_cannot_be_read_are_not_the_servers_fault),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(the_expected_name_is_the_most_specific_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
