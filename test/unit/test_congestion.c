/* test_congestion: io/congestion: which algorithm a connection gets. test/integration/cases_congestion.py tests that sockets really have it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "io/congestion.h"

static void check(const char *got, const char *due)
{
    if (due)
        assert_string_equal(got ? got : "(none)", due);
    else
        assert_null(got);
}

static void the_choice_depends_on_the_key_the_default_and_the_peer(void **state)
{
    static const struct {
        const char *configured, *on_loopback, *peer, *client, *backend;
    } cases[] = {
        {"auto", "reno", "127.0.0.1:1", "reno", "reno"},
        {"auto", "reno", "[::1]:1", "reno", "reno"},
        {"auto", "reno", "10.0.0.1:1", NULL, NULL},
        {"auto", "reno", "0.0.0.0:1", NULL, NULL},
        {"auto", "reno", "unix:/a", NULL, NULL},
        {"auto", NULL, "127.0.0.1:1", NULL, NULL}, /* the system's default does not pace */
        {NULL, "reno", "127.0.0.1:1", NULL, NULL},
        {"bbr", "reno", "127.0.0.1:1", "bbr", "reno"},
        {"bbr", NULL, "127.0.0.1:1", "bbr", NULL},
        {"bbr", "reno", "10.0.0.1:1", "bbr", NULL},
        {"bbr", "reno", "unix:/a", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr peer = {0};
        assert_null(addr_parse(&peer, cases[i].peer));
        check(congestion_for_client(cases[i].configured, cases[i].on_loopback, &peer), cases[i].client);
        check(congestion_for_backend(cases[i].configured, cases[i].on_loopback, &peer), cases[i].backend);
    }
}

static void loopback_has_its_own_only_while_the_default_paces(void **state)
{
    char name[64] = "";
    FILE *file = fopen("/proc/sys/net/ipv4/tcp_congestion_control", "r");
    (void)state;
    if (!file || fscanf(file, "%63s", name) != 1)
        skip();
    (void)fclose(file);
    check(congestion_on_loopback(), strncmp(name, "bbr", 3) == 0 ? "reno" : NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_choice_depends_on_the_key_the_default_and_the_peer),
        cmocka_unit_test(loopback_has_its_own_only_while_the_default_paces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
