/* test_probe_port.c: which local ports probes use, and in which state they leave them: a dead backend on
 * this machine must be able to bind its port again. In a network namespace of its own, which needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/local_address.h"
#include "probe_fixture.h"

static const struct probe_ops *const kinds[] = { &probe_tcp_ops, &probe_http_ops };
static const int families[] = { AF_INET, AF_INET6 };

/* Moves the test into a new network namespace. Skips the test where that is not permitted. */
static void enter_own_network(void)
{
    struct ifreq loopback_up = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING };

    if (unshare(CLONE_NEWNET) < 0)
        skip();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &loopback_up), 0);
    close(fd);
}

/* From here on every connection gets this local port, which no test used before; IPv6 obeys the setting, too. */
static struct addr next_local_port(int family)
{
    static uint16_t port = 40000;
    struct addr addr = loopback(family);
    FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "we");

    assert_non_null(range);
    fprintf(range, "%u %u", port, port);
    assert_int_equal(fclose(range), 0);
    addr_set_port(&addr, port++);
    return addr;
}

/* Returns 0 or a positive errno. */
static int try_bind(const struct addr *addr, int type, int reuse)
{
    int fd = socket(addr_family(addr), type | SOCK_CLOEXEC, 0), error = 0;

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    if (bind(fd, &addr->sa, addr->length) < 0 || (type == SOCK_STREAM && listen(fd, 1) < 0))
        error = errno;
    close(fd);
    return error;
}

/* The kernel connects the probe's socket to itself. */
static void a_dead_backend_whose_port_the_probe_gets_is_down_and_can_bind(void **state)
{
    (void)state;
    enter_own_network();
    for (int i = 0; i < 4; i++) {
        struct addr dead = next_local_port(families[i / 2]);
        assert_failed(run(kinds[i % 2], &usual, &dead, TIMEOUT_MS), "connection refused");
        assert_int_equal(try_bind(&dead, SOCK_STREAM, 0), 0);
    }
}

static void a_probe_abandoned_while_connected_to_itself_frees_the_port(void **state)
{
    (void)state;
    enter_own_network();
    for (int i = 0; i < 2; i++) {
        struct addr dead = next_local_port(families[i]);
        struct probe_result result = { .outcome = PROBE_PENDING };
        struct probe *probe;
        int error;
        struct prober *prober = probe_tcp_ops.open(on_done, &error);
        assert_non_null(prober);
        const struct probe_request request = { .settings = &usual, .addr = &dead, .cookie = &result };
        assert_int_equal(probe_tcp_ops.start(prober, &request, &probe, &result), PROBE_PENDING);
        struct pollfd established = { .fd = prober->fd, .events = POLLIN };
        assert_int_equal(poll(&established, 1, TIMEOUT_MS), 1);
        probe_tcp_ops.abandon(prober, probe);
        probe_tcp_ops.close(prober);
        assert_int_equal(try_bind(&dead, SOCK_STREAM, 0), 0);
    }
}

/* The probe closes first, so its port is left in TIME-WAIT, and only a socket with SO_REUSEADDR can bind it. */
static void a_probe_of_another_backend_does_not_keep_the_port(void **state)
{
    (void)state;
    enter_own_network();
    for (int i = 0; i < 4; i++) {
        struct addr dead = next_local_port(families[i / 2]);
        struct server server = { .part = HANG, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
        server.addr = loopback(families[i / 2]);
        addr_set_port(&server.addr, (uint16_t)(30000 + i));
        server_start(&server);
        assert_passed(run(kinds[i % 2], &usual, &server.addr, TIMEOUT_MS));
        assert_int_equal(try_bind(&dead, SOCK_STREAM, 0), EADDRINUSE);
        assert_int_equal(try_bind(&dead, SOCK_STREAM, 1), 0);
        server_stop(&server);
    }
}

static const struct pool_settings by_udp = {.check = CONFIG_CHECK_UDP, .check_timeout_ms = 1000};

static void dead_udp_backend_whose_port_the_probe_gets_is_down_and_can_bind(void **state)
{
    (void)state;
    enter_own_network();
    for (int i = 0; i < 2; i++) {
        struct addr dead = next_local_port(families[i]);
        assert_failed(run(&probe_udp_ops, &by_udp, &dead, TIMEOUT_MS), "connection refused (the port is not in use)");
        assert_int_equal(try_bind(&dead, SOCK_DGRAM, 0), 0);
    }
}

/* It keeps the port only from servers without SO_REUSEADDR, and only until it ends. */
static void udp_probe_of_another_backend_does_not_keep_the_port(void **state)
{
    (void)state;
    enter_own_network();
    for (int i = 0; i < 2; i++) {
        struct addr dead = next_local_port(families[i]), other = loopback(families[i]);
        struct probe_result result = {.outcome = PROBE_PENDING};
        struct prober *prober;
        struct probe *probe;
        int error, fd = socket(families[i], SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const struct probe_request request = {.settings = &by_udp, .addr = &other, .cookie = &result};

        addr_set_port(&other, 30000);
        assert_int_equal(bind(fd, &other.sa, other.length), 0);
        prober = probe_udp_ops.open(on_done, &error);
        assert_non_null(prober);
        assert_int_equal(probe_udp_ops.start(prober, &request, &probe, &result), PROBE_PENDING);
        assert_int_equal(try_bind(&dead, SOCK_DGRAM, 0), EADDRINUSE);
        assert_int_equal(try_bind(&dead, SOCK_DGRAM, 1), 0);
        probe_udp_ops.abandon(prober, probe);
        assert_int_equal(try_bind(&dead, SOCK_DGRAM, 0), 0);
        probe_udp_ops.close(prober);
        close(fd);
    }
}

/* A server that shares its port is alive: the kernel must not choose that port for the probe. */
static void udp_probe_gets_no_port_of_a_server(void **state)
{
    struct addr server;
    int fd, on = 1;

    (void)state;
    enter_own_network();
    server = next_local_port(AF_INET);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(fd, &server.sa, server.length), 0);
    assert_int_equal(run(&probe_udp_ops, &by_udp, &server, TIMEOUT_MS).outcome, PROBE_NO_MEANS); /* there is only this port */
    close(fd);
}

static void backend_without_a_route_is_down(void **state)
{
    struct addr far = {.length = sizeof(far.in), .in = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0xc0000201)}};

    (void)state;
    enter_own_network();
    assert_failed(run(&probe_udp_ops, &by_udp, &far, TIMEOUT_MS), "network is unreachable");
}

/* A backend of an address family that this machine does not have is down. A lack of ports is not its fault, although connect(2) returns the same error. */
static void only_an_address_of_the_family_can_be_lacking_by_the_backends_fault(void **state)
{
    static const struct probe_ops *const all[] = {&probe_tcp_ops, &probe_http_ops, &probe_udp_ops};
    struct addr server, other;
    FILE *disable;
    int listener, taken;

    (void)state;
    enter_own_network();
    server = next_local_port(AF_INET6);
    other = server;
    addr_set_port(&server, 9);
    listener = listen_on(&server, 4);
    taken = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0); /* takes the only port */
    assert_int_equal(connect(taken, &server.sa, server.length), 0);
    assert_int_equal(try_bind(&other, SOCK_STREAM, 0), EADDRINUSE);
    assert_int_equal(run(&probe_tcp_ops, &usual, &server, TIMEOUT_MS).outcome, PROBE_NO_MEANS);
    assert_false(local_address_is_missing(&server));

    disable = fopen("/proc/sys/net/ipv6/conf/all/disable_ipv6", "we");
    assert_non_null(disable);
    assert_true(fputs("1", disable) >= 0 && fclose(disable) == 0);
    assert_true(local_address_is_missing(&server));
    for (int i = 0; i < 3; i++)
        assert_failed(run(all[i], all[i] == &probe_udp_ops ? &by_udp : &usual, &server, TIMEOUT_MS),
                      "this machine has no address from which it could be reached");
    close(taken);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_backend_whose_port_the_probe_gets_is_down_and_can_bind),
        cmocka_unit_test(a_probe_abandoned_while_connected_to_itself_frees_the_port),
        cmocka_unit_test(a_probe_of_another_backend_does_not_keep_the_port),
        cmocka_unit_test(dead_udp_backend_whose_port_the_probe_gets_is_down_and_can_bind),
        cmocka_unit_test(udp_probe_of_another_backend_does_not_keep_the_port),
        cmocka_unit_test(udp_probe_gets_no_port_of_a_server),
        cmocka_unit_test(backend_without_a_route_is_down),
        cmocka_unit_test(only_an_address_of_the_family_can_be_lacking_by_the_backends_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
