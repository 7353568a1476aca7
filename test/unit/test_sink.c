/* test_sink.c: one log destination on its own: escaping, a full buffer, a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/sink.h"

static void escaping_cuts_before_what_does_not_fit(void **state)
{
    (void)state;
    char out[6];
    assert_int_equal(sink_escape(out, sizeof out, "a\nb", 3), 5);
    assert_string_equal(out, "a\\x0a");
    assert_int_equal(sink_escape(out, sizeof out, "ab\nc", 4), 2);
    assert_string_equal(out, "ab");
}

static void a_full_disk_loses_lines_and_nothing_else(void **state)
{
    (void)state;
    struct sink sink;
    assert_int_equal(sink_open(&sink, "/dev/full"), 0);
    for (int i = 0; i < 3; i++)
        sink_add(&sink, "", "x", 1);
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
    assert_int_equal(sink_open(&sink, path), 0);
    memset(line, 'y', sizeof line);
    while (sink.lost == 0 && added < 100000) {
        sink_add(&sink, "p ", line, sizeof line);
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
    assert_int_equal(total, (added - 1) * (sizeof line + 3));
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
    assert_int_equal(sink_open(&sink, path), 0);
    sink_add(&sink, "", "whole", 5);
    sink_flush(&sink);
    int fd = sink.fd, full = open("/dev/full", O_WRONLY);
    sink_add(&sink, "", "torn line", 9);
    assert_int_equal(write(fd, sink.buffer, 4), 4); /* what fits on a disk that is then full */
    sink.torn = true;
    sink.fd = full;
    sink_flush(&sink);
    assert_int_equal(sink.lost, 1);
    sink.fd = fd;
    sink_add(&sink, "", "next", 4);
    sink_add(&sink, "", "last", 4);
    sink_flush(&sink);
    sink_close(&sink);
    close(full);
    fd = open(path, O_RDONLY);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_string_equal(text, "whole\ntorn\nnext\nlast\n");
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escaping_cuts_before_what_does_not_fit),
        cmocka_unit_test(a_full_disk_loses_lines_and_nothing_else),
        cmocka_unit_test(a_full_buffer_counts_lines_and_keeps_the_old_ones),
        cmocka_unit_test(after_half_a_line_was_lost_the_next_begins_on_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
