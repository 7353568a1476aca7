/* test_probe_port.c: which local ports TCP and HTTP probes use, and in which state they leave them: a dead backend on
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
static int try_bind(const struct addr *addr, int reuse)
{
    int fd = socket(addr_family(addr), SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    if (bind(fd, &addr->sa, addr->length) < 0 || listen(fd, 1) < 0)
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
        assert_int_equal(try_bind(&dead, 0), 0);
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
        assert_int_equal(try_bind(&dead, 0), 0);
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
        assert_int_equal(try_bind(&dead, 0), EADDRINUSE);
        assert_int_equal(try_bind(&dead, 1), 0);
        server_stop(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_backend_whose_port_the_probe_gets_is_down_and_can_bind),
        cmocka_unit_test(a_probe_abandoned_while_connected_to_itself_frees_the_port),
        cmocka_unit_test(a_probe_of_another_backend_does_not_keep_the_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
