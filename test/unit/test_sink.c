/* test_sink.c: one log destination on its own: a full buffer, a full disk, a log daemon that is slow, ends and comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log/sink.h"

static int open_file(struct sink *sink, const char *path)
{
    const struct sink_options options = {.target = {.kind = LOG_TARGET_FILE, .path = path}};

    return sink_open(sink, &options);
}

static void a_full_disk_loses_lines_and_nothing_else(void **state)
{
    (void)state;
    struct sink sink;
    assert_int_equal(open_file(&sink, "/dev/full"), 0);
    for (int i = 0; i < 3; i++)
        sink_add(&sink, "x\n", 2);
    sink_flush(&sink);
    assert_int_equal(sink.pending, 0);
    assert_int_equal(sink.lost, 3);
    sink_close(&sink);
    sink_close(&sink);
}

static void a_full_buffer_counts_lines_and_keeps_the_old_ones(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/penstock-test-sink-%d", (int)getpid());
    static char text[1 << 18];
    struct sink sink;
    char line[100];
    unsigned added = 0;
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_int_equal(open_file(&sink, path), 0);
    memset(line, 'y', sizeof line);
    line[sizeof line - 1] = '\n';
    while (sink.lost == 0 && added < 100000) {
        sink_add(&sink, line, sizeof line);
        added++;
    }
    assert_int_equal(sink.lost, 1);
    assert_true(sink_waits(&sink));
    size_t total = 0;
    while (sink.pending > 0) {
        ssize_t got = read(reader, text + total, sizeof text - total);
        assert_true(got > 0);
        total += (size_t)got;
        sink.blocked = false;
        sink_flush(&sink);
    }
    ssize_t got;
    while ((got = read(reader, text + total, sizeof text - total)) > 0)
        total += (size_t)got;
    assert_int_equal(total, (added - 1) * sizeof line);
    sink_close(&sink);
    close(reader);
    unlink(path);
}

static void after_half_a_line_was_lost_the_next_begins_on_its_own(void **state)
{
    (void)state;
    struct sink sink;
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/tmp/penstock-test-sink-%d", (int)getpid());
    assert_int_equal(open_file(&sink, path), 0);
    sink_add(&sink, "whole\n", 6);
    sink_flush(&sink);
    int fd = sink.fd, full = open("/dev/full", O_WRONLY);
    sink_add(&sink, "torn line\n", 10);
    assert_int_equal(write(fd, sink.buffer, 4), 4); /* what fits on a disk that is then full */
    sink.torn = true;
    sink.fd = full;
    sink_flush(&sink);
    assert_int_equal(sink.lost, 1);
    sink.fd = fd;
    sink_add(&sink, "next\n", 5);
    sink_add(&sink, "last\n", 5);
    sink_flush(&sink);
    sink_close(&sink);
    close(full);
    fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_string_equal(text, "whole\ntorn\nnext\nlast\n");
    close(fd);
    unlink(path);
}

/* ---- a log daemon ---- */

static char daemon_socket[64];

static int start_daemon(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    snprintf(daemon_socket, sizeof daemon_socket, "/tmp/penstock-test-daemon-%d", (int)getpid());
    unlink(daemon_socket);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", daemon_socket);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

static int open_daemon(struct sink *sink, enum log_target_kind kind)
{
    const struct sink_options options = {.target = {.kind = kind}, .socket_path = daemon_socket};

    return sink_open(sink, &options);
}

static void expect_datagram(int fd, const char *expected)
{
    char text[256];
    ssize_t got = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);

    assert_true(got >= 0);
    text[got] = '\0';
    assert_string_equal(text, expected);
}

static void a_daemon_gets_each_line_as_a_datagram(void **state)
{
    (void)state;
    static const enum log_target_kind kinds[] = {LOG_TARGET_SYSLOG, LOG_TARGET_JOURNAL};
    for (int i = 0; i < 2; i++) {
        struct sink sink;
        int fd = start_daemon();
        assert_int_equal(open_daemon(&sink, kinds[i]), 0);
        sink_add(&sink, "one", 3);
        sink_add(&sink, "two\nA=b\n", 8);
        sink_flush(&sink);
        expect_datagram(fd, "one");
        expect_datagram(fd, "two\nA=b\n");
        assert_int_equal(sink.pending + sink.lost, 0);
        sink_close(&sink);
        close(fd);
        unlink(daemon_socket);
    }
}

static void without_a_daemon_the_sink_does_not_open(void **state)
{
    (void)state;
    struct sink sink;
    int fd = start_daemon();
    close(fd);
    assert_int_equal(open_daemon(&sink, LOG_TARGET_SYSLOG), -ECONNREFUSED);
    unlink(daemon_socket);
    assert_int_equal(open_daemon(&sink, LOG_TARGET_SYSLOG), -ENOENT);
    assert_int_equal(sink.fd, -1);
}

static void a_slow_daemon_gets_the_lines_that_fit_into_the_buffer(void **state)
{
    (void)state;
    struct sink sink;
    int fd = start_daemon();
    char line[1000], text[1001];
    unsigned added = 0, arrived = 0;
    assert_int_equal(open_daemon(&sink, LOG_TARGET_SYSLOG), 0);
    memset(line, 'z', sizeof line);
    while (sink.lost < 5 && added < 100000) {
        snprintf(line, sizeof line, "%05u", added++);
        sink_add(&sink, line, sizeof line);
    }
    assert_int_equal(sink.lost, 5);
    assert_true(sink_waits(&sink));
    while (arrived + 5 < added) { /* the daemon reads again: poll reports the socket as writable */
        struct pollfd poller = {.fd = sink.fd, .events = POLLOUT};
        snprintf(line, sizeof line, "%05u", arrived);
        ssize_t got = recv(fd, text, sizeof text, MSG_DONTWAIT);
        assert_int_equal(got, sizeof line);
        assert_memory_equal(text, line, 6);
        arrived++;
        if (sink.pending > 0 && poll(&poller, 1, 0) == 1) {
            sink.blocked = false;
            sink_flush(&sink);
        }
    }
    assert_int_equal(sink.pending, 0);
    sink_close(&sink);
    close(fd);
    unlink(daemon_socket);
}

static void a_daemon_that_restarts_loses_only_the_lines_in_between(void **state)
{
    (void)state;
    struct sink sink;
    int fd = start_daemon();
    assert_int_equal(open_daemon(&sink, LOG_TARGET_SYSLOG), 0);
    close(fd);
    for (int i = 0; i < 2; i++)
        sink_add(&sink, "lost", 4);
    sink_flush(&sink);
    assert_int_equal(sink.lost, 2);
    assert_int_equal(sink.pending, 0);
    fd = start_daemon();
    sink_add(&sink, "back", 4);
    sink_add(&sink, "again", 5);
    sink_flush(&sink);
    expect_datagram(fd, "back");
    expect_datagram(fd, "again");
    assert_int_equal(sink.lost, 2);
    sink_close(&sink);
    close(fd);
    unlink(daemon_socket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_loses_lines_and_nothing_else),
        cmocka_unit_test(a_full_buffer_counts_lines_and_keeps_the_old_ones),
        cmocka_unit_test(after_half_a_line_was_lost_the_next_begins_on_its_own),
        cmocka_unit_test(a_daemon_gets_each_line_as_a_datagram),
        cmocka_unit_test(without_a_daemon_the_sink_does_not_open),
        cmocka_unit_test(a_slow_daemon_gets_the_lines_that_fit_into_the_buffer),
        cmocka_unit_test(a_daemon_that_restarts_loses_only_the_lines_in_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
