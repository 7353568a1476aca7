/* test_probe.c: TCP and HTTP probes over real loopback sockets, against servers that behave and servers that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe_fixture.h"

static struct addr closed_port(void)
{
    struct addr addr = loopback(AF_INET);
    close(listen_on(&addr, 1));
    return addr;
}

/* ---- TCP ---- */

static void tcp_passes_where_someone_listens(void **state)
{
    (void)state;
    struct addr addrs[] = { loopback(AF_INET), loopback(AF_INET6), unix_name("@penstock-test-probe", 1) };
    for (int i = 0; i < 3; i++) {
        int listener = listen_on(&addrs[i], 4);
        assert_passed(run(&probe_tcp_ops, &usual, &addrs[i], TIMEOUT_MS));
        close(listener);
    }
}

/* An empty connection that ends with FIN: the server reads end of file, not ECONNRESET. */
static void tcp_leaves_in_order(void **state)
{
    (void)state;
    struct addr addr = loopback(AF_INET);
    char byte;
    int listener = listen_on(&addr, 4);
    assert_passed(run(&probe_tcp_ops, &usual, &addr, TIMEOUT_MS));
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    close(listener);
}

static void tcp_says_why_it_failed(void **state)
{
    (void)state;
    struct addr closed = closed_port(), missing = unix_name("/tmp/penstock-test-probe-missing", 2);
    assert_failed(run(&probe_tcp_ops, &usual, &closed, TIMEOUT_MS), "connection refused");
    assert_failed(run(&probe_tcp_ops, &usual, &missing, TIMEOUT_MS), "no such socket file");
}

static void a_full_unix_backlog_counts_as_no_answer(void **state)
{
    (void)state;
    struct addr addr = unix_name("@penstock-test-probe", 3);
    int listener = listen_on(&addr, 0), fds[4], count = 0;
    for (int failed = 0; !failed && count < 4; count++) {
        fds[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        failed = connect(fds[count], &addr.sa, addr.length) < 0;
    }
    assert_timed_out(run(&probe_tcp_ops, &usual, &addr, TIMEOUT_MS), "its queue of connections is full");
    while (count > 0)
        close(fds[--count]);
    close(listener);
}

/* With its backlog full, Linux drops the SYN of further connections: no answer at all. */
static void tcp_without_an_answer_times_out(void **state)
{
    (void)state;
    struct addr addr = loopback(AF_INET);
    int listener = listen_on(&addr, 0), fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fds[i], &addr.sa, addr.length);
    }
    assert_timed_out(run(&probe_tcp_ops, &usual, &addr, SHORT_MS), "timed out after 1000 ms");
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    close(listener);
}

/* ---- HTTP ---- */

static void http_judges_the_status(void **state)
{
    (void)state;
    struct pool_settings only_204 = usual;
    struct pool_settings listed = usual;
    only_204.check_status = "204";
    listed.check_status = "200-299,401,503";
    assert_passed(ask(ANSWER, "HTTP/1.1 503 Draining\r\nContent-Length: 0\r\n\r\n", &listed));
    assert_failed(ask(ANSWER, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", &listed), "HTTP status 302, wanted 200-299,401,503");
    assert_passed(ask(ANSWER, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", &usual));
    assert_passed(ask(ANSWER, "HTTP/1.1 399 Last\r\nContent-Length: 0\r\n\r\n", &usual));
    assert_failed(ask(ANSWER, "HTTP/1.1 400 First\r\nContent-Length: 0\r\n\r\n", &usual), "HTTP status 400, wanted 200-399");
    assert_failed(ask(ANSWER, "HTTP/1.0 503 No\r\n\r\nsorry", &usual), "HTTP status 503, wanted 200-399");
    assert_passed(ask(ANSWER, "HTTP/1.1 204 Empty\r\n\r\n", &only_204));
    assert_failed(ask(ANSWER, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &only_204), "HTTP status 200, wanted 204");
}

static void http_follows_no_redirect(void **state)
{
    (void)state;
    struct server server = { .part = ANSWER };
    server.answer = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n";
    assert_passed(ask_server(&server, &usual, TIMEOUT_MS));
    assert_int_equal(server.connections, 1);
}

static void http_sends_what_the_configuration_says(void **state)
{
    (void)state;
    struct pool_settings settings = usual;
    struct server server = { .part = ANSWER, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
    char expected[100], text[ADDR_TEXT_BYTES];
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* the probe must ignore it */
    assert_passed(ask_server(&server, &usual, TIMEOUT_MS));
    unsetenv("http_proxy");
    assert_memory_equal(server.request, "GET /health HTTP/1.1\r\n", 22);
    snprintf(expected, sizeof expected, "\r\nHost: %s\r\n", addr_format(&server.addr, text, sizeof text));
    assert_non_null(strstr(server.request, expected));
    assert_non_null(strstr(server.request, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(server.request, "\r\nUser-Agent: penstock\r\n"));

    settings.check_method = "OPTIONS";
    settings.check_host = "model.example";
    settings.check_path = "/a/../b?c=%41";
    server = (struct server){ .part = ANSWER, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
    assert_passed(ask_server(&server, &settings, TIMEOUT_MS));
    assert_memory_equal(server.request, "OPTIONS /a/../b?c=%41 HTTP/1.1\r\n", 32);
    assert_non_null(strstr(server.request, "\r\nHost: model.example\r\n"));
    assert_null(strstr(server.request, "127.0.0.1"));

    settings.check_method = "HEAD";
    /* The announced body is never sent. */
    server = (struct server){ .part = HANG, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" };
    assert_passed(ask_server(&server, &settings, TIMEOUT_MS));
    assert_memory_equal(server.request, "HEAD ", 5);
}

static void http_works_over_ipv6_and_unix(void **state)
{
    (void)state;
    const char *answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    char path[] = "/tmp/penstock-test-probe-XXXXXX";
    assert_non_null(mkdtemp(path));
    char inside[sizeof path + 8];
    snprintf(inside, sizeof inside, "%s/s", path);
    struct server servers[] = {
        { .part = ANSWER, .answer = answer, .addr = loopback(AF_INET6) },
        { .part = ANSWER, .answer = answer, .addr = unix_name("@penstock-test-probe", 4) },
        { .part = ANSWER, .answer = answer, .addr = unix_name(inside, 5) },
    };
    for (int i = 0; i < 3; i++)
        assert_passed(ask_server(&servers[i], &usual, TIMEOUT_MS));
    assert_non_null(strstr(servers[0].request, "Host: [::1]:"));
    assert_non_null(strstr(servers[2].request, "Host: localhost\r\n"));
    unlink(servers[2].addr.un.sun_path);
    rmdir(path);
}

static void http_looks_for_the_text_in_the_body(void **state)
{
    (void)state;
    struct pool_settings settings = usual;
    settings.check_body = "ready";
    assert_passed(ask(ANSWER, "HTTP/1.1 200 OK\r\n\r\nmodel ready now", &settings));
    assert_passed(ask(ANSWER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nrea\r\n2\r\ndy\r\n0\r\n\r\n", &settings));
    assert_failed(ask(ANSWER, "HTTP/1.1 200 OK\r\n\r\nnot read", &settings), "body lacks \"ready\"");
    assert_failed(ask(ANSWER, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &settings), "body lacks \"ready\"");
    assert_failed(ask(ANSWER, "HTTP/1.1 500 No\r\n\r\nready", &settings), "HTTP status 500, wanted 200-399");
}

/* Probes a server whose body has the text end at byte `end`; more body follows. */
static struct probe_result ask_with_text_at(size_t end)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
    struct pool_settings settings = usual;
    size_t size = sizeof head - 1 + end;
    char *answer = malloc(size);
    assert_non_null(answer);
    memset(answer, '.', size);
    memcpy(answer, head, sizeof head - 1);
    memcpy(answer + size - 5, "ready", 5);
    settings.check_body = "ready";
    struct server server = { .part = FLOOD, .answer = answer, .answer_bytes = size };
    struct probe_result result = ask_server(&server, &settings, TIMEOUT_MS);
    free(answer);
    return result;
}

static void http_reads_64_kib_of_body_and_not_a_byte_more(void **state)
{
    (void)state;
    assert_passed(ask_with_text_at(PROBE_BODY_BYTES_MAX));
    assert_failed(ask_with_text_at(PROBE_BODY_BYTES_MAX + 1), "body lacks \"ready\"");
}

static void http_ends_an_endless_answer(void **state)
{
    (void)state;
    assert_passed(ask(FLOOD, "HTTP/1.1 200 OK\r\n\r\n", &usual));
    assert_passed(ask(FLOOD, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", &usual));
    assert_failed(ask(FLOOD, "HTTP/1.1 500 No\r\n\r\n", &usual), "HTTP status 500, wanted 200-399");
    assert_failed(ask(FLOOD_HEADERS, "HTTP/1.1 200 OK\r\n", &usual), "HTTP headers of more than 65536 bytes");
}

static void http_says_why_it_failed(void **state)
{
    (void)state;
    struct addr closed = closed_port(), missing = unix_name("/tmp/penstock-test-probe-missing", 6);
    assert_failed(run(&probe_http_ops, &usual, &closed, TIMEOUT_MS), "connection refused");
    assert_failed(run(&probe_http_ops, &usual, &missing, TIMEOUT_MS), "no such socket file");
    assert_failed(ask(ANSWER, "", &usual), "closed the connection without an answer");
    assert_failed(ask(ANSWER, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", &usual),
                  "closed the connection in the middle of its answer");
    assert_failed(ask(ANSWER, "SSH-2.0-OpenSSH_9.2\r\n", &usual), "does not answer in HTTP/1");
    assert_failed(ask(RESET, "", &usual), "connection reset");
}

/* ---- all kinds ---- */

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

static void our_lack_of_descriptors_is_not_a_failure(void **state)
{
    (void)state;
    static const struct probe_ops *const kinds[] = { &probe_tcp_ops, &probe_http_ops, &probe_udp_ops };
    struct addr addr = loopback(AF_INET);
    int listener = listen_on(&addr, 4), error;
    for (int i = 0; i < 3; i++) {
        struct probe_result result = { .outcome = PROBE_PENDING };
        struct probe *probe;
        struct prober *prober = kinds[i]->open(on_done, &error);
        assert_non_null(prober);
        const struct probe_request request = { .settings = &usual, .addr = &addr, .cookie = &result };
        struct rlimit before, none = { .rlim_cur = 3 };
        getrlimit(RLIMIT_NOFILE, &before);
        none.rlim_max = before.rlim_max;
        setrlimit(RLIMIT_NOFILE, &none);
        struct probe_result at_once;
        if (kinds[i]->start(prober, &request, &probe, &at_once) != PROBE_PENDING)
            result = at_once;
        uint64_t deadline_ns = clock_now_ns() + TIMEOUT_MS * UINT64_C(1000000);
        while (result.outcome == PROBE_PENDING && clock_now_ns() < deadline_ns)
            kinds[i]->process(prober);
        setrlimit(RLIMIT_NOFILE, &before);
        assert_int_equal(result.outcome, PROBE_NO_MEANS);
        assert_string_equal(result.reason, "too many open files");
        kinds[i]->close(prober);
    }
    close(listener);
}

static void no_descriptor_is_left_behind(void **state)
{
    (void)state;
    unsigned before = open_descriptors();
    struct addr closed = closed_port();
    for (int i = 0; i < 20; i++) {
        ask(ANSWER, "HTTP/1.1 200 OK\r\n\r\nok", &usual);
        ask(FLOOD, "HTTP/1.1 200 OK\r\n\r\n", &usual);
        run(&probe_http_ops, &usual, &closed, TIMEOUT_MS);
        run(&probe_tcp_ops, &usual, &closed, TIMEOUT_MS);
        run(&probe_udp_ops, &usual, &closed, TIMEOUT_MS);
    }
    struct server server = { .part = HANG, .answer = "" };
    ask_server(&server, &usual, SHORT_MS);
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_passes_where_someone_listens),
        cmocka_unit_test(tcp_leaves_in_order),
        cmocka_unit_test(tcp_says_why_it_failed),
        cmocka_unit_test(a_full_unix_backlog_counts_as_no_answer),
        cmocka_unit_test(tcp_without_an_answer_times_out),
        cmocka_unit_test(http_judges_the_status),
        cmocka_unit_test(http_follows_no_redirect),
        cmocka_unit_test(http_sends_what_the_configuration_says),
        cmocka_unit_test(http_works_over_ipv6_and_unix),
        cmocka_unit_test(http_looks_for_the_text_in_the_body),
        cmocka_unit_test(http_reads_64_kib_of_body_and_not_a_byte_more),
        cmocka_unit_test(http_ends_an_endless_answer),
        cmocka_unit_test(http_says_why_it_failed),
        cmocka_unit_test(our_lack_of_descriptors_is_not_a_failure),
        cmocka_unit_test(no_descriptor_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
