/* test_addr: base/addr: an address that was parsed is formatted as it was written, and any other text is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"

#define LONGEST_PATH "/123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345"

static void good_addresses_come_back_as_written(void **state)
{
    static const struct {
        const char *text;
        int family;
        uint16_t port;
    } cases[] = {
        {"1.2.3.4:80", AF_INET, 80},
        {"0.0.0.0:1", AF_INET, 1},
        {"255.255.255.255:65535", AF_INET, 65535},
        {"[::]:80", AF_INET6, 80},
        {"[::1]:8001", AF_INET6, 8001},
        {"[2001:db8::ff:1]:65535", AF_INET6, 65535},
        {"[fe80::1%lo]:80", AF_INET6, 80},
        {"[febf::1%lo]:80", AF_INET6, 80},
        {"[fec0::1]:80", AF_INET6, 80},
        {"unix:/run/x.sock", AF_UNIX, 0},
        {"unix:/a:b 80", AF_UNIX, 0},
        {"unix:/\xc3\xa9", AF_UNIX, 0},
        {"unix:@hidden", AF_UNIX, 0},
        {"unix:" LONGEST_PATH "6", AF_UNIX, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr addr = {0};
        char text[ADDR_TEXT_BYTES];
        const char *problem = addr_parse(&addr, cases[i].text);
        if (problem)
            fail_msg("%s: %s", cases[i].text, problem);
        assert_int_equal(addr_family(&addr), cases[i].family);
        assert_int_equal(addr_port(&addr), cases[i].port);
        assert_string_equal(addr_format(&addr, text, sizeof(text)), cases[i].text);
    }
}

static const struct {
    const char *text, *problem;
} bad[] = {
    {"", "no port; write ADDRESS:PORT"},
    {"1.2.3.4", "no port; write ADDRESS:PORT"},
    {"1.2.3.4:", "no port; write ADDRESS:PORT"},
    {"localhost", "no port; write ADDRESS:PORT"},
    {"[::1]", "no port; write ADDRESS:PORT"},
    {"[::1]:", "no port; write ADDRESS:PORT"},
    {"[::1", "no \"]\" after the IPv6 address"},
    {"[::1]80", "something other than :PORT after the \"]\""},
    {"1.2.3.4:0", "the port is not a number from 1 to 65535"},
    {"1.2.3.4:65536", "the port is not a number from 1 to 65535"},
    {"1.2.3.4:99999", "the port is not a number from 1 to 65535"},
    {"1.2.3.4:080", "the port is not a number from 1 to 65535"},
    {"1.2.3.4:+80", "the port is not a number from 1 to 65535"},
    {"1.2.3.4:http", "the port is not a number from 1 to 65535"},
    {"1.2.3.4:999999999999", "the port is not a number from 1 to 65535"},
    {"1.2.3.4:80;", "the port is not a number from 1 to 65535"},
    {"1.2.3.4:-", "the port is not a number from 1 to 65535"},
    {"1.2.3.4:80-", "the port is not a number from 1 to 65535"},
    {"[::1]:0", "the port is not a number from 1 to 65535"},
    {"1.2.3.4:80-90", "a range of ports, where one port is needed"},
    {"1.2.3:80", "not an IPv4 address: four numbers from 0 to 255, without leading zeros"},
    {"1.2.3.256:80", "not an IPv4 address: four numbers from 0 to 255, without leading zeros"},
    {"1.2.3.04:80", "not an IPv4 address: four numbers from 0 to 255, without leading zeros"},
    {"1.2.3.4.5:80", "not an IPv4 address: four numbers from 0 to 255, without leading zeros"},
    {".:80", "not an IPv4 address: four numbers from 0 to 255, without leading zeros"},
    {"localhost:80", "not a numeric address (names are not looked up)"},
    {"*:80", "not a numeric address (names are not looked up)"},
    {"host.example:80", "not a numeric address (names are not looked up)"},
    {"1.2.3.4x:80", "not a numeric address (names are not looked up)"},
    {":80", "no address before the port; write ADDRESS:PORT"},
    {"80", "no address before the port; write ADDRESS:PORT"},
    {"[]:80", "not an IPv6 address between the brackets"},
    {"[1.2.3.4]:80", "not an IPv6 address between the brackets"},
    {"[localhost]:80", "not an IPv6 address between the brackets"},
    {"::1:80", "an IPv6 address is written in brackets: [ADDRESS]:PORT"},
    {"::1", "an IPv6 address is written in brackets: [ADDRESS]:PORT"},
    {"2001:db8::1:80", "an IPv6 address is written in brackets: [ADDRESS]:PORT"},
    {"fe80::1%lo:80", "an IPv6 address is written in brackets: [ADDRESS]:PORT"},
    {"::ffff:1.2.3.4:80", "an IPv6 address is written in brackets: [ADDRESS]:PORT"},
    {":::80", "an IPv6 address is written in brackets: [ADDRESS]:PORT"},
    {"1.2.3.4:80:90", "more than one \":\"; write ADDRESS:PORT"},
    {"tcp:1.2.3.4:80", "more than one \":\"; write ADDRESS:PORT"},
    {"host:80:tcp", "more than one \":\"; write ADDRESS:PORT"},
    {"http://1.2.3.4:80", "no scheme and no path belong here: write ADDRESS:PORT"},
    {"tcp://1.2.3.4:80", "no scheme and no path belong here: write ADDRESS:PORT"},
    {"http://1.2.3.4:80/v1", "no scheme and no path belong here: write ADDRESS:PORT"},
    {"https://[::1]:80", "no scheme and no path belong here: write ADDRESS:PORT"},
    {"http://host", "no scheme and no path belong here: write ADDRESS:PORT"},
    {"unix+http:///run/x", "no scheme and no path belong here: write ADDRESS:PORT"},
    {"http://user@1.2.3.4:80", "no scheme and no path belong here: write ADDRESS:PORT"},
    {"1.2.3.4:80/v1", "no path belongs here: write ADDRESS:PORT"},
    {"1.2.3.4:80/", "no path belongs here: write ADDRESS:PORT"},
    {"[::1]:80/v1", "no path belongs here: write ADDRESS:PORT"},
    {"host/v1", "no path belongs here: write ADDRESS:PORT"},
    {"1.2.3.4:80/24", "no path belongs here: write ADDRESS:PORT"},
    {"1.2.3.4/24:80", "a network; write one address, without \"/\" and the number of bits"},
    {"1.2.3.4/24", "a network; write one address, without \"/\" and the number of bits"},
    {"[2001:db8::]/32", "a network; write one address, without \"/\" and the number of bits"},
    {"[2001:db8::/32]:80", "a network; write one address, without \"/\" and the number of bits"},
    {"2001:db8::/32", "a network; write one address, without \"/\" and the number of bits"},
    {"0.0.0.0:80 ssl", "contains a blank; write a single ADDRESS:PORT"},
    {"1.2.3.4:80 ", "contains a blank; write a single ADDRESS:PORT"},
    {"1.2.3.4 80", "contains a blank; write a single ADDRESS:PORT"},
    {"1.2.3.4:80,", "contains a comma; write a single ADDRESS:PORT"},
    {"1.2.3.4:80,1.2.3.5:80", "contains a comma; write a single ADDRESS:PORT"},
    {"user@host", "contains an \"@\"; write a single ADDRESS:PORT"},
    {"user@1.2.3.4:80", "contains an \"@\"; write a single ADDRESS:PORT"},
    {"\"1.2.3.4:80\"", "no quotes belong here: write ADDRESS:PORT"},
    {"'1.2.3.4:80'", "no quotes belong here: write ADDRESS:PORT"},
    {"[::ffff:1.2.3.4]:80", "an IPv4 address inside IPv6; write the IPv4 address itself"},
    {"[fe80::1%nosuchif0]:80", "no such network interface after the %"},
    {"[fe80::1%]:80", "no such network interface after the %"},
    {"[::1%lo]:80", "only a link-local address (fe80::) has an interface after a \"%\"; leave it out"},
    {"[fd00::2%lo]:80", "only a link-local address (fe80::) has an interface after a \"%\"; leave it out"},
    {"[::%lo]:80", "only a link-local address (fe80::) has an interface after a \"%\"; leave it out"},
    {"1.2.3.4:80\xc2\xa0", "contains a character that is not ASCII, such as a no-break space"},
    {"\xe2\x80\x9c[::1]:80\xe2\x80\x9d", "contains a character that is not ASCII, such as a no-break space"},
    {"/run/x.sock", "a UNIX socket is unix:/PATH or unix:@NAME"},
    {"@hidden", "a UNIX socket is unix:/PATH or unix:@NAME"},
    {"UNIX:/run/x.sock", "a UNIX socket is unix:/PATH or unix:@NAME"},
    {"unix@/run/x.sock", "a UNIX socket is unix:/PATH or unix:@NAME"},
    {"unix/run/x", "a UNIX socket is unix:/PATH or unix:@NAME"},
    {"unix:", "a UNIX socket is unix:/PATH or unix:@NAME"},
    {"unix:@", "a UNIX socket is unix:/PATH or unix:@NAME"},
    {"unix:relative", "a UNIX socket is unix:/PATH or unix:@NAME"},
    {"unix:" LONGEST_PATH "67", "the path of a UNIX socket is at most 107 bytes long"},
};

static void bad_addresses_are_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct addr addr, before;
        memset(&addr, 0x5a, sizeof(addr));
        before = addr;
        const char *problem = addr_parse(&addr, bad[i].text);
        if (!problem || strcmp(problem, bad[i].problem) != 0)
            fail_msg("\"%s\": %s", bad[i].text, problem ? problem : "accepted");
        assert_memory_equal(&addr, &before, sizeof(addr));
    }
}

static struct addr parsed(const char *text)
{
    struct addr addr = {0};
    assert_null(addr_parse(&addr, text));
    return addr;
}

static void equal_means_family_address_scope_and_port(void **state)
{
    static const char *const different[] = {"1.2.3.4:80", "1.2.3.4:81", "1.2.3.5:80", "[::1]:80", "[::1]:81", "[::2]:80", "[fe80::1%lo]:80", "[fe80::1%999]:80",
                                            "unix:/a", "unix:/ab", "unix:@a", "unix:@ab"};
    size_t count = sizeof(different) / sizeof(different[0]);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct addr a = parsed(different[i]), b = parsed(different[j]);
            assert_int_equal(addr_equal(&a, &b), i == j);
        }
    }
}

static void a_path_counted_without_its_zero_is_the_same_path(void **state)
{
    struct addr a = parsed("unix:/run/x"), b = a;
    char text[ADDR_TEXT_BYTES];
    (void)state;
    b.length--; /* some system calls report the length without the terminating zero */
    assert_true(addr_equal(&a, &b));
    assert_string_equal(addr_format(&b, text, sizeof(text)), "unix:/run/x");
}

static void what_stays_on_this_machine_is_known(void **state)
{
    static const struct {
        const char *text;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:80", true}, {"127.255.0.9:80", true}, {"[::1]:80", true}, {"126.0.0.1:80", false}, {"128.0.0.1:80", false},
        {"1.0.0.127:80", false}, {"0.0.0.0:80", false}, {"[::]:80", false}, {"[::2]:80", false}, {"[1::1]:80", false}, {"unix:/a", false},
    };
    struct addr mapped = parsed("[::1]:80"), none = {0};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr addr = parsed(cases[i].text);
        if (addr_is_loopback(&addr) != cases[i].loopback)
            fail_msg("%s", cases[i].text);
    }
    assert_false(addr_is_loopback(&none));
    assert_int_equal(inet_pton(AF_INET6, "::ffff:127.9.9.9", &mapped.in6.sin6_addr), 1);
    assert_true(addr_is_loopback(&mapped));
    assert_int_equal(inet_pton(AF_INET6, "::ffff:9.127.127.127", &mapped.in6.sin6_addr), 1);
    assert_false(addr_is_loopback(&mapped));
}

static void wildcards_are_known(void **state)
{
    struct addr none = {0}, any = parsed("0.0.0.0:80"), any6 = parsed("[::]:80"), one = parsed("0.0.0.1:80"), one6 = parsed("[::1]:80"), local = parsed("unix:/a");
    (void)state;
    assert_true(addr_is_wildcard(&any) && addr_is_wildcard(&any6));
    assert_false(addr_is_wildcard(&one) || addr_is_wildcard(&one6) || addr_is_wildcard(&local) || addr_is_wildcard(&none));
}

static void groups_are_known(void **state)
{
    static const char *const groups[] = {"224.0.0.1:80", "239.255.255.255:80", "255.255.255.255:80", "[ff02::1]:80", "[ff0e::1]:80"};
    static const char *const others[] = {"223.255.255.255:80", "240.0.0.1:80", "255.255.255.254:80", "0.0.0.0:80", "[fe80::1%lo]:80", "[::]:80", "unix:/a"};
    (void)state;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        struct addr addr = parsed(groups[i]);
        assert_true(addr_is_group(&addr));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct addr addr = parsed(others[i]);
        assert_false(addr_is_group(&addr));
    }
}

static void link_local_addresses_lack_an_interface_that_is_not_given(void **state)
{
    static const char *const given[] = {"[fe80::1%lo]:80", "[fec0::1]:80", "[::1]:80", "[::]:80", "1.2.3.4:80", "unix:/a"};
    struct addr first = parsed("[fe80::1]:80"), last = parsed("[febf:ffff::1]:80"), none = {0};
    (void)state;
    assert_true(addr_lacks_interface(&first) && addr_lacks_interface(&last));
    assert_false(addr_lacks_interface(&none));
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        struct addr addr = parsed(given[i]);
        assert_false(addr_lacks_interface(&addr));
    }
}

static void ports_are_set_where_there_are_ports(void **state)
{
    struct addr v4 = parsed("1.2.3.4:80"), v6 = parsed("[::1]:80"), local = parsed("unix:/a"), same = local, none = {0};
    char text[ADDR_TEXT_BYTES];
    (void)state;
    addr_set_port(&v4, 65535);
    addr_set_port(&v6, 1);
    addr_set_port(&local, 7);
    addr_set_port(&none, 7);
    assert_string_equal(addr_format(&v4, text, sizeof(text)), "1.2.3.4:65535");
    assert_string_equal(addr_format(&v6, text, sizeof(text)), "[::1]:1");
    assert_memory_equal(&local, &same, sizeof(same));
    assert_int_equal(addr_family(&none), AF_UNSPEC);
    assert_int_equal(addr_port(&none), 0);
}

static void odd_addresses_are_still_one_line_of_text(void **state)
{
    struct addr unnamed = {.length = sizeof(sa_family_t), .un.sun_family = AF_UNIX}, none = {0}, odd = parsed("unix:@a");
    char text[ADDR_TEXT_BYTES], small[6];
    (void)state;
    assert_string_equal(addr_format(&unnamed, text, sizeof(text)), "unix:");
    assert_string_equal(addr_format(&none, text, sizeof(text)), "-");
    odd.un.sun_path[1] = '\n';
    assert_string_equal(addr_format(&odd, text, sizeof(text)), "unix:@?");
    odd = parsed("1.2.3.4:80");
    assert_string_equal(addr_format(&odd, small, sizeof(small)), "1.2.3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses_come_back_as_written),
        cmocka_unit_test(bad_addresses_are_refused_with_a_reason),
        cmocka_unit_test(equal_means_family_address_scope_and_port),
        cmocka_unit_test(a_path_counted_without_its_zero_is_the_same_path),
        cmocka_unit_test(what_stays_on_this_machine_is_known),
        cmocka_unit_test(wildcards_are_known),
        cmocka_unit_test(groups_are_known),
        cmocka_unit_test(link_local_addresses_lack_an_interface_that_is_not_given),
        cmocka_unit_test(ports_are_set_where_there_are_ports),
        cmocka_unit_test(odd_addresses_are_still_one_line_of_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
