/* test_config_loops: every backend through which connections would loop back is refused, with its file and line and with the path of the loop. A configuration
 * that only looks like a loop is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"
#include "config/load.h"

enum { DEADLINE_S = 30 };

/* A listener and a pool, each short enough that a case fits on a line. */
#define L(name, bind, pool) "[listener " name "]\nbind=" bind "\npool=" pool "\n"
#define U(name, bind, pool) L(name, bind, pool) "protocol=udp\n"
#define BOTH "protocol=tcp+udp\n"
#define P(name, address) "[pool " name "]\nbackend=to 203.0.113.1:9\nbackend=b" name " " address "\n"

struct test_case {
    const char *situation, *text;
    const char *ways[2]; /* the names along each loop, without line numbers; "backend listener" for a loop of one step; NULL: no loop */
};

static const struct test_case cases[] = {
    {"itself", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:1"), {"bx a"}},
    {"two", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") L("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:1"), {"a x bx b y by a"}},
    {"three", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") L("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:3") L("c", "127.0.0.1:3", "z")
     P("z", "127.0.0.1:1"), {"a x bx b y by c z bz a"}},
    {"a_chain_that_ends", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") L("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:3") L("c", "127.0.0.1:3", "z")
     P("z", "127.0.0.1:4"), {NULL}},
    {"two_ways_that_meet", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") "backend=b2 127.0.0.1:3\n" L("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:4")
     L("c", "127.0.0.1:3", "y"), {NULL}},
    {"a_circle_that_a_chain_leads_into", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") L("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:2"), {"by b"}},
    {"two_circles", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:1") L("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:2"), {"bx a", "by b"}},
    {"two_listeners_of_one_pool", L("a", "127.0.0.1:1", "x") L("b", "127.0.0.1:2", "x") P("x", "127.0.0.1:1") "backend=b2 127.0.0.1:2\n",
     {"bx a", "b2 b"}},
    {"each_backend", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:1") "backend=b2 127.0.0.1:1\n", {"bx a", "b2 a"}},
    {"each_backend_of_a_longer_way", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") L("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:1") "backend=b2 127.0.0.1:1\n",
     {"a x bx b y by a", "a x bx b y b2 a"}},
    {"a_backup", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:1 backup"), {"bx a"}},
    {"a_pool_without_a_listener", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") P("y", "127.0.0.1:1"), {NULL}},
    {"another_port", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2"), {NULL}},
    {"ranges", L("a", "127.0.0.1:100-200", "x") P("x", "127.0.0.1:350") L("b", "[::1]:300-400", "y") L("c", "127.0.0.1:300-400", "y") P("y", "127.0.0.1:200"),
     {"a x bx c y by a"}},
    /* UDP */
    {"udp", U("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") U("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:1"), {"a x bx b y by a"}},
    {"udp_and_wildcard", U("a", "*:1", "x") P("x", "127.0.0.1:1"), {"bx a"}},
    {"udp_and_then_tcp", U("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") L("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:1"), {NULL}},
    {"tcp_and_then_udp", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") U("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:1"), {NULL}},
    {"both_are_reported_once", L("a", "127.0.0.1:1", "x") BOTH P("x", "127.0.0.1:2") L("b", "127.0.0.1:2", "y") BOTH P("y", "127.0.0.1:1"), {"a x bx b y by a"}},
    {"both_and_then_udp", L("a", "127.0.0.1:1", "x") BOTH P("x", "127.0.0.1:2") U("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:1"), {"a x bx b y by a"}},
    {"udp_and_then_both", U("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") L("b", "127.0.0.1:2", "y") BOTH P("y", "127.0.0.1:1"), {"a x bx b y by a"}},
    {"both_and_udp_of_one_pool", L("a", "127.0.0.1:1", "x") BOTH P("x", "127.0.0.1:2") U("b", "127.0.0.1:2", "x"), {"bx b"}},
    {"tcp_and_udp_at_one_address", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") U("b", "127.0.0.1:1", "y") P("y", "127.0.0.1:1"), {"by b"}},
    /* wildcards */
    {"wildcard", L("a", "0.0.0.0:1", "x") P("x", "127.0.0.1:1"), {"bx a"}},
    {"wildcard_and_any_of_127", L("a", "0.0.0.0:1", "x") P("x", "127.250.3.9:1"), {"bx a"}},
    {"wildcard_of_ipv6", L("a", "[::]:1", "x") P("x", "[::1]:1"), {"bx a"}},
    {"star_and_ipv4", L("a", "*:1", "x") P("x", "127.0.0.1:1"), {"bx a"}},
    {"star_and_ipv6", L("a", "*:1", "x") P("x", "[::1]:1"), {"bx a"}},
    {"star_range", L("a", "*:1-9", "x") P("x", "127.0.0.1:5") L("b", "*:10-19", "y") P("y", "[::1]:15"), {"bx a", "by b"}},
    {"wildcards_in_a_circle", L("a", "*:1", "x") P("x", "[::1]:2") L("b", "[::]:2", "y") P("y", "127.0.0.7:1"), {"a x bx b y by a"}},
    {"wildcard_of_the_other_family", L("a", "0.0.0.0:1", "x") P("x", "[::1]:1"), {NULL}},
    {"wildcard_and_another_machine", L("a", "*:1", "x") P("x", "203.0.113.7:1"), {NULL}},
    {"one_loopback_address_is_not_another", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.2:1"), {NULL}},
    {"an_address_beside_the_loopback", L("a", "127.0.0.1:1", "x") P("x", "127.0.0.2:1") L("b", "127.0.0.2:1", "y") P("y", "127.0.0.1:1"), {"a x bx b y by a"}},
    {"an_address_of_another_machine", L("a", "203.0.113.7:1", "x") P("x", "203.0.113.7:1"), {"bx a"}},
    /* interfaces */
    {"the_loopback_interface", "[defaults]\ninterface=lo\n" L("a", "*:1", "x") P("x", "127.0.0.1:1"), {"bx a"}},
    {"an_interface_that_is_not_the_loopback", "[defaults]\ninterface=nosuchif0\n" L("a", "*:1", "x") P("x", "127.0.0.1:1"), {NULL}},
    {"an_address_of_another_machine_and_its_interface", "[defaults]\ninterface=nosuchif0\n" L("a", "203.0.113.7:1", "x") P("x", "203.0.113.7:1"), {"bx a"}},
    /* UNIX sockets */
    {"unix", L("a", "unix:/a", "x") P("x", "unix:/b") L("b", "unix:/b", "y") P("y", "unix:/a"), {"a x bx b y by a"}},
    {"unix_and_tcp", L("a", "unix:/a", "x") P("x", "127.0.0.1:1") L("b", "*:1", "y") P("y", "unix:/a"), {"a x bx b y by a"}},
    {"abstract", L("a", "unix:@a", "x") P("x", "unix:@a"), {"bx a"}},
    {"abstract_is_no_path", L("a", "unix:@a/b", "x") P("x", "unix:@a//b"), {NULL}},
    {"a_path_is_not_abstract", L("a", "unix:@/a", "x") P("x", "unix:/a"), {NULL}},
    {"path_with_dots", L("a", "unix:/no/such/a", "x") P("x", "unix:/no//such/./it/../../such/a"), {"bx a"}},
    {"path_beyond_the_root", L("a", "unix:/a", "x") P("x", "unix:/../../a"), {"bx a"}},
    {"another_path", L("a", "unix:/no/a", "x") P("x", "unix:/no/b"), {NULL}},
};

/* Extracts only the names from "... listener a -> pool x -> backend bx (line 5) -> ...", and likewise from "backend bx ... of listener a ...". */
static void take_names(char *out, const char *message)
{
    const char *at = strstr(message, ": listener "), *end = strstr(message, "listener ");
    char name[64] = "";

    out[0] = '\0';
    if (!at && end) {
        sscanf(strstr(message, "backend "), "%*s %63s", out);
        sscanf(end, "%*s %63s", name);
        strcat(strcat(out, " "), name);
    }
    if (!at)
        return;
    for (at += 2; at; at = strstr(at, "-> "), at = at ? at + 3 : NULL) {
        sscanf(at, "%*s %63s", name);
        sprintf(out + strlen(out), "%s%s", *out ? " " : "", name);
    }
}

static void leads_back_or_not(void **state)
{
    const struct test_case *c = *state;
    struct config_errors *errors = config_errors_new();
    struct config *config = config_load_text("test", c->text, strlen(c->text), errors);
    size_t wanted = (c->ways[0] != NULL) + (c->ways[1] != NULL);
    char names[200];

    if (config_errors_count(errors) != wanted)
        fail_msg("%zu errors instead of %zu: %s", config_errors_count(errors), wanted, config_errors_count(errors) ? config_errors_text(errors, 0) : "");
    for (size_t i = 0; i < wanted; i++) {
        take_names(names, config_errors_text(errors, i));
        assert_string_equal(names, c->ways[i]);
    }
    config_free(config);
    config_errors_free(errors);
}

/* Loads a configuration that must be refused, or accepted if `refused` is false, within the deadline. */
static void is_refused(const char *text, bool refused)
{
    struct config_errors *errors = config_errors_new();

    alarm(DEADLINE_S);
    struct config *config = config_load_text("test", text, strlen(text), errors);
    alarm(0);
    if (refused && (config || !strstr(config_errors_text(errors, 0), "connections would loop back")))
        fail_msg("not refused: %.200s: %s", text, config ? "" : config_errors_text(errors, 0));
    if (!refused && !config)
        fail_msg("refused: %.200s: %s", text, config_errors_text(errors, 0));
    config_free(config);
    config_errors_free(errors);
}

/* Loads a configuration that must have exactly this error. */
static void gives_error(const char *text, const char *wanted)
{
    struct config_errors *errors = config_errors_new();

    assert_null(config_load_text("test", text, strlen(text), errors));
    assert_string_equal(config_errors_text(errors, 0), wanted);
    assert_int_equal(config_errors_count(errors), 1);
    config_errors_free(errors);
}

static void the_way_is_told_with_its_places(void **state)
{
    (void)state;
    gives_error(L("a", "127.0.0.1:1", "x") P("x", "127.0.0.1:2") L("b", "127.0.0.1:2", "y") P("y", "127.0.0.1:1"),
                "test:12: backend by 127.0.0.1:1: the address of listener a (line 2): connections would loop back: listener a -> pool x -> backend bx "
                "(line 6) -> listener b (line 8) -> pool y -> backend by (line 12) -> listener a (line 2)");
}

/* Finds an IPv4 address of this machine that is not a loopback address, and its interface. Returns false if there is none. */
static bool find_outer_address(char host[INET_ADDRSTRLEN], char interface[IF_NAMESIZE])
{
    struct ifaddrs *list;

    host[0] = '\0';
    assert_int_equal(getifaddrs(&list), 0);
    for (struct ifaddrs *entry = list; entry && !host[0]; entry = entry->ifa_next) {
        const struct sockaddr_in *in = (const void *)entry->ifa_addr;
        if (!in || in->sin_family != AF_INET || entry->ifa_flags & IFF_LOOPBACK || strchr(entry->ifa_name, ':'))
            continue;
        inet_ntop(AF_INET, &in->sin_addr, host, INET_ADDRSTRLEN);
        snprintf(interface, IF_NAMESIZE, "%s", entry->ifa_name);
    }
    freeifaddrs(list);
    return host[0] != '\0';
}

static void it_is_said_why_an_address_leads_back(void **state)
{
    static const char *const reasons[][3] = {
        {"127.0.0.1:1", "127.0.0.1:1", "the address of listener a (line 2)"},
        {"*:1", "127.0.0.9:1", "an address of this machine that listener a accepts (line 2)"},
        {"*:1", "[::1]:1", "an address of this machine that listener a accepts (line 2)"},
        {"203.0.113.7:1", "203.0.113.7:1", "the address of listener a (line 2)"},
        {"unix:/no/such", "unix:/no/../no/such", "the socket of listener a (line 2)"},
    };
    char text[300], wanted[300], host[INET_ADDRSTRLEN], interface[IF_NAMESIZE];
    (void)state;
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        snprintf(text, sizeof(text), L("a", "%s", "x") P("x", "%s"), reasons[i][0], reasons[i][1]);
        snprintf(wanted, sizeof(wanted), "test:6: backend bx %s: %s: connections would loop back", reasons[i][1], reasons[i][2]);
        gives_error(text, wanted);
    }
    if (!find_outer_address(host, interface))
        skip();
    snprintf(text, sizeof(text), L("a", "*:8001", "x") P("x", "%s:8001"), host);
    snprintf(wanted, sizeof(wanted), "test:6: backend bx %s:8001: an address of this machine (%s) that listener a accepts (line 2): connections would loop back",
             host, interface);
    gives_error(text, wanted);
}

/* Tests every address of this machine as a backend: with a wildcard listener, with a listener on the interface of the address, and with one on another
 * interface. */
static void addresses_of_this_machine_lead_back(void **state)
{
    struct ifaddrs *list;
    char host[ADDR_TEXT_BYTES], text[600];
    (void)state;
    assert_int_equal(getifaddrs(&list), 0);
    for (struct ifaddrs *entry = list; entry; entry = entry->ifa_next) {
        struct addr addr = {.length = 0};
        if (entry->ifa_addr && entry->ifa_addr->sa_family == AF_INET) {
            addr.length = sizeof(addr.in);
            memcpy(&addr.in, entry->ifa_addr, sizeof(addr.in));
        } else if (entry->ifa_addr && entry->ifa_addr->sa_family == AF_INET6) {
            addr.length = sizeof(addr.in6);
            memcpy(&addr.in6, entry->ifa_addr, sizeof(addr.in6));
        } else {
            continue;
        }
        addr_set_port(&addr, 8001);
        addr_format(&addr, host, sizeof(host));
        snprintf(text, sizeof(text), L("a", "*:8001", "x") P("x", "%s"), host);
        is_refused(text, true);
        snprintf(text, sizeof(text), "[defaults]\ninterface=%.15s\n" L("a", "*:8000-8009", "x") P("x", "%s"), entry->ifa_name, host);
        is_refused(text, true);
        snprintf(text, sizeof(text), "[defaults]\ninterface=nosuchif0\n" L("a", "*:8001", "x") P("x", "%s"), host);
        is_refused(text, false);
    }
    freeifaddrs(list);
}

static void links_lead_back(void **state)
{
    char folder[] = "/tmp/penstock-test-XXXXXX", path[100], text[600];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/real", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/link", folder);
    assert_int_equal(symlink("real/../real", path), 0);
    snprintf(text, sizeof(text), L("a", "unix:%s/real/s", "x") P("x", "unix:%s/link/s"), folder, folder);
    is_refused(text, true);
    snprintf(text, sizeof(text), L("a", "unix:%s/link/s", "x") P("x", "unix:%s/real/t"), folder, folder);
    is_refused(text, false);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("real/s", path), 0); /* points to the socket, which does not exist yet */
    snprintf(text, sizeof(text), L("a", "unix:%s/real/s", "x") P("x", "unix:%s/link"), folder, folder);
    is_refused(text, true);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("link", path), 0); /* points to itself, and so to no file */
    snprintf(text, sizeof(text), L("a", "unix:%s/real/s", "x") P("x", "unix:%s/link"), folder, folder);
    is_refused(text, false);
    unlink(path);
    snprintf(path, sizeof(path), "%s/real", folder);
    rmdir(path);
    rmdir(folder);
}

/* Makes a chain of listeners, each of which leads to the next one. The last one leads to listener `last`. Returns a text that the caller frees. */
static char *make_chain(unsigned count, unsigned last)
{
    char *text;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);

    assert_non_null(stream);
    for (unsigned i = 0; i < count; i++)
        fprintf(stream, "[listener l%u]\nbind=unix:@%u\npool=p%u\n[pool p%u]\nbackend=b unix:@%u\n", i, i, i, i, i + 1 < count ? i + 1 : last);
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void long_chains_are_followed(void **state)
{
    enum { LONG = 50000 };
    char *ends = make_chain(LONG, LONG), *round = make_chain(LONG, 0);
    (void)state;
    is_refused(ends, false);
    is_refused(round, true);
    free(ends);
    free(round);
}

static void a_long_way_is_told_in_one_short_line(void **state)
{
    struct config_errors *errors = config_errors_new();
    char *round = make_chain(10, 0), names[200];
    (void)state;
    assert_null(config_load_text("test", round, strlen(round), errors));
    assert_int_equal(config_errors_count(errors), 1);
    assert_non_null(strstr(config_errors_text(errors, 0), "-> listener l3 (line 17) -> ... 6 more pools ... -> pool p9 -> backend b (line 50) -> listener l0 (line 2)"));
    take_names(names, config_errors_text(errors, 0));
    assert_string_equal(names, "l0 p0 b l1 p1 b l2 p2 b l3 6 p9 b l0");
    config_errors_free(errors);
    free(round);
}

/* A few look-ups compare a backend with all binds. */
static void many_backends_and_binds_are_checked_in_time(void **state)
{
    enum { BINDS = 1000, BACKENDS = 10000 };
    char *text;
    size_t bytes;
    (void)state;
    for (int back = 0; back < 2; back++) {
        FILE *stream = open_memstream(&text, &bytes);
        assert_non_null(stream);
        for (unsigned l = 0; l < BINDS; l++)
            fprintf(stream, "[listener l%u]\nbind=*:%u\npool=p\n", l, 10000 + l);
        fprintf(stream, "[pool p]\n");
        for (unsigned b = 0; b < BACKENDS; b++)
            fprintf(stream, "backend=b%u 203.0.113.%u:%u\n", b, b % 200, 10000 + b % BINDS);
        fprintf(stream, back ? "backend=back 127.0.0.1:10999\n" : "\n");
        assert_int_equal(fclose(stream), 0);
        is_refused(text, back);
        free(text);
    }
}

/* All errors are reported at once, so that the user can correct them together: the first fifty are shown, the others are counted. */
static void every_backend_that_leads_back_is_told(void **state)
{
    struct config_errors *errors = config_errors_new();
    char *text;
    size_t bytes;
    FILE *stream = open_memstream(&text, &bytes);
    (void)state;
    assert_non_null(stream);
    fprintf(stream, "[listener l]\nbind=127.0.0.1:10000-20000\npool=p\n[pool p]\n");
    for (unsigned b = 0; b < 10000; b++)
        fprintf(stream, "backend=b%u 127.0.0.1:%u\n", b, 10000 + b);
    assert_int_equal(fclose(stream), 0);
    assert_null(config_load_text("test", text, bytes, errors));
    assert_int_equal(config_errors_count(errors), 10000);
    assert_string_equal(config_errors_text(errors, 49),
                        "test:54: backend b49 127.0.0.1:10049: the address of listener l (line 2): connections would loop back");
    assert_string_equal(config_errors_text(errors, 50), "and 9950 more errors");
    config_errors_free(errors);
    free(text);
}

#define CASES (sizeof(cases) / sizeof(cases[0]))

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(the_way_is_told_with_its_places),
        cmocka_unit_test(it_is_said_why_an_address_leads_back),
        cmocka_unit_test(addresses_of_this_machine_lead_back),
        cmocka_unit_test(links_lead_back),
        cmocka_unit_test(long_chains_are_followed),
        cmocka_unit_test(a_long_way_is_told_in_one_short_line),
        cmocka_unit_test(many_backends_and_binds_are_checked_in_time),
        cmocka_unit_test(every_backend_that_leads_back_is_told),
    };
    struct CMUnitTest tests[CASES + sizeof(others) / sizeof(others[0])];

    for (size_t i = 0; i < CASES; i++)
        tests[i] = (struct CMUnitTest){.name = cases[i].situation, .test_func = leads_back_or_not, .initial_state = (void *)(uintptr_t)&cases[i]};
    memcpy(tests + CASES, others, sizeof(others));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
