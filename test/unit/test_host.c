/* test_host: base/host: the host in texts with and without a port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/host.h"

#define X50 "1234567890123456789012345678901234567890123456789."
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void the_host_is_found_with_and_without_a_port(void **state)
{
    static const struct {
        const char *text, *host;
        bool is_v6, has_port;
    } rows[] = {
        {"example.com", "example.com", false, false},
        {"model-1.example_x.com.", "model-1.example_x.com.", false, false},
        {"example.com:8443", "example.com", false, true},
        {"10.0.0.1", "10.0.0.1", false, false},
        {"10.0.0.1:80", "10.0.0.1", false, true},
        {"[::1]", "::1", true, false},
        {"[fe80::1]:65535", "fe80::1", true, true},
        {"::1", "::1", true, false},
        {"2001:db8::10.0.0.1", "2001:db8::10.0.0.1", true, false},
        {X50 X50 X50 X50 X50 "123", X50 X50 X50 X50 X50 "123", false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct host host;
        if (!host_parse(&host, rows[i].text))
            fail_msg("%s is refused", rows[i].text);
        assert_int_equal(host.bytes, strlen(rows[i].host));
        assert_memory_equal(host.text, rows[i].host, host.bytes);
        assert_int_equal(host.is_v6, rows[i].is_v6);
        assert_int_equal(host.has_port, rows[i].has_port);
    }
}

static void whatever_is_no_host_is_refused(void **state)
{
    static const char *const rows[] = {
        "", ":80", "a b", "a;b", "a/b", "https://a", "a:", "a:b", "a:123456", "a:80:", "[::1", "[::1]80", "[::1]:", "[a]", "::g", "[10.0.0.1]", "a\\b",
        "\xc3\xa9.example", "[]", "fe80::1%eth0", X50 X50 X50 X50 X50 "1234",
    };
    struct host host;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        if (host_parse(&host, rows[i]))
            fail_msg("%s is accepted", rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_is_found_with_and_without_a_port),
        cmocka_unit_test(whatever_is_no_host_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
