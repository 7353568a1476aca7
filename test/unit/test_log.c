/* test_log.c: log lines written by the real log thread to files, FIFOs and sockets, some of which block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/access.h"
#include "log/log.h"

#include "log_fixture.h"

static void a_line_before_the_start_goes_to_standard_error_at_once(void **state)
{
    (void)state;
    int ends[2];
    char text[256] = "";
    assert_int_equal(pipe(ends), 0);
    int saved = stderr_to(ends[1]);
    log_error("no such %s", "pool\n2026 forged");
    log_debug("not shown: the level is info");
    log_warn("careful");
    stderr_back(saved);
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "penstock: error: no such pool\\x0a2026 forged\npenstock: warn: careful\n");
    close(ends[0]);
}

static void errors_of_the_start_are_on_standard_error_too(void **state)
{
    (void)state;
    int ends[2];
    char text[256] = "";
    assert_int_equal(pipe(ends), 0);
    int saved = stderr_to(ends[1]);
    start(file("starting"), LOG_INFO, NULL);
    log_error("no ring");
    log_started();
    log_error("later");
    log_stop();
    stderr_back(saved);
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) >= 0);
    assert_string_equal(text, "penstock: error: no ring\n");
}

static void a_flush_returns_when_the_lines_are_written(void **state)
{
    (void)state;
    const char *path = file("flush");
    struct stat status = { .st_size = 0 };
    start(path, LOG_INFO, NULL);
    for (int i = 0; i < 50; i++) {
        off_t bytes = status.st_size;
        log_info("line");
        log_flush();
        assert_true(stat(path, &status) == 0 && status.st_size > bytes);
    }
    log_stop();
}

static void a_line_has_time_level_and_text(void **state)
{
    (void)state;
    const char *path = file("format");
    start(path, LOG_INFO, NULL);
    log_info("listener %s", "up");
    log_error("bad");
    log_debug("hidden");
    log_access(&(struct access_record){.listener = "off"});
    assert_true(log_enabled(LOG_INFO));
    assert_false(log_enabled(LOG_DEBUG));
    assert_false(log_access_enabled());
    log_stop();
    char *text = slurp(path);
    unsigned year, month, day, hour, minute, second, millisecond;
    char rest[64];
    int taken = 0;
    assert_int_equal(sscanf(text, "%4u-%2u-%2uT%2u:%2u:%2u.%3uZ%63[^\n]%n", &year, &month, &day, &hour, &minute,
                            &second, &millisecond, rest, &taken), 8);
    assert_string_equal(rest, " info  listener up");
    assert_int_equal(taken, 24 + strlen(rest));
    assert_string_equal(text + taken + 1 + 24, " error bad\n");
    free(text);
}

static void the_access_log_has_time_and_fields(void **state)
{
    (void)state;
    const char *path = file("main"), *access = file("access");
    start(path, LOG_ERROR, access);
    assert_true(log_access_enabled());
    log_access(&(struct access_record){.is_flow = true, .number = 17, .listener = "a", .event = ACCESS_OPEN});
    log_stop();
    assert_false(log_access_enabled());
    char *text = slurp(access);
    assert_int_equal(text[23], 'Z');
    assert_string_equal(text + 24, " flow=0.17 event=open client=- listener=a pool=- backend=- addr=- worker=0 duration_ms=0.000 datagrams_in=0 datagrams_out=0 "
                                   "bytes_in=0 bytes_out=0\n");
    free(text);
    text = slurp(path);
    assert_string_equal(text, "");
    free(text);
}

static void a_peer_cannot_forge_or_colour_lines(void **state)
{
    (void)state;
    const char *path = file("forge");
    start(path, LOG_INFO, NULL);
    log_info("a\nb\rc\x1b[31md\x7f" "e\xc2\x9b" "f");
    log_stop();
    char *text = slurp(path);
    assert_string_equal(text + 31, "a\\x0ab\\x0dc\\x1b[31md\\x7fe\\xc2\\x9bf\n");
    free(text);
}

static void a_line_is_cut_one_byte_over_the_limit(void **state)
{
    (void)state;
    const char *path = file("long");
    char line[LOG_LINE_BYTES + 1];
    memset(line, 'x', sizeof line);
    line[LOG_LINE_BYTES] = '\0';
    start(path, LOG_INFO, NULL);
    log_info("%s", line + 2); /* one byte shorter than the longest line */
    log_info("%s", line + 1); /* exactly the longest line */
    log_info("%s", line);     /* one byte too long */
    log_stop();
    char *text = slurp(path), *end = text;
    const size_t expected[] = { LOG_LINE_BYTES - 2, LOG_LINE_BYTES - 1, LOG_LINE_BYTES - 1 };
    for (int i = 0; i < 3; i++) {
        char *begin = end + 31;
        end = strchr(begin, '\n');
        assert_non_null(end);
        assert_int_equal(end - begin, expected[i]);
        end++;
    }
    assert_string_equal(end, "");
    free(text);
}

enum { WRITERS = 4, LINES_EACH = 900 }; /* 3600 in total: all fit in the ring at once */

static void *write_numbered(void *number)
{
    for (int i = 0; i < LINES_EACH; i++)
        log_info("writer %d line %d", *(int *)number, i);
    return NULL;
}

static void lines_of_several_threads_all_arrive_in_the_order_of_each(void **state)
{
    (void)state;
    const char *path = file("threads");
    pthread_t threads[WRITERS];
    int numbers[WRITERS], next[WRITERS] = { 0 }, total = 0;
    start(path, LOG_INFO, NULL);
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_numbered, &numbers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    log_stop();
    char *text = slurp(path), *save;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save), total++) {
        int writer, index;
        assert_int_equal(sscanf(line + 31, "writer %d line %d", &writer, &index), 2);
        assert_int_equal(index, next[writer]++);
    }
    assert_int_equal(total, WRITERS * LINES_EACH);
    free(text);
}

/* A line logged while the thread sleeps wakes it; many rounds so that a lost wake-up would show as a missed
 * deadline. */
static void a_sleeping_log_thread_is_woken_by_each_line(void **state)
{
    (void)state;
    const char *path = file("wake");
    char text[4096], wanted[32];
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    start(path, LOG_INFO, NULL);
    for (int i = 0; i < 2000; i++) {
        snprintf(wanted, sizeof wanted, "round %d.", i);
        log_info("%s", wanted);
        assert_true(read_until(reader, wanted, text, sizeof text));
    }
    log_stop();
    close(reader);
}

struct tally {
    unsigned arrived, lost;
    bool ordered;
};

static struct tally count_flood(const char *text)
{
    struct tally tally = { .ordered = true };
    unsigned last = 0, number;

    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        if (sscanf(text + 31, "flood %u", &number) == 1) {
            tally.ordered &= tally.arrived == 0 || number > last;
            last = number;
            tally.arrived++;
        } else if (sscanf(text + 31, "%u log lines could not", &number) == 1) {
            tally.lost += number;
        }
    }
    return tally;
}

static void a_sink_that_nobody_reads_blocks_no_thread_and_the_loss_is_reported(void **state)
{
    (void)state;
    const char *path = file("stuck");
    struct flood flood = { .lines = 100000 };
    pthread_t thread;
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK); /* open, never read until the flood is over */
    start(path, LOG_INFO, NULL);
    assert_int_equal(pthread_create(&thread, NULL, log_flood, &flood), 0);
    pthread_join(thread, NULL); /* the pipe fills up long before that: it holds about 600 lines */
    assert_true(flood.longest_ns < UINT64_C(2000000000));

    static char text[1 << 20];
    struct tally tally = { 0 };
    size_t length = 0;
    uint64_t deadline = now_ms() + DEADLINE_MS;
    while (tally.arrived + tally.lost < flood.lines && now_ms() < deadline) {
        struct pollfd poller = { .fd = reader, .events = POLLIN };
        poll(&poller, 1, 20);
        ssize_t got = read(reader, text + length, sizeof text - 1 - length);
        length += got > 0 ? (size_t)got : 0;
        text[length] = '\0';
        tally = count_flood(text);
    }
    assert_true(tally.lost > 0);
    assert_int_equal(tally.arrived + tally.lost, flood.lines);
    assert_true(tally.ordered);

    log_info("alive");
    assert_true(read_until(reader, "info  alive\n", text, sizeof text));
    log_stop();
    close(reader);
}

static void stopping_with_a_stuck_sink_ends_at_the_deadline(void **state)
{
    (void)state;
    const char *path = file("stuck2");
    struct flood flood = { .lines = 5000 };
    assert_int_equal(mkfifo(path, 0600), 0);
    start(path, LOG_INFO, NULL); /* a FIFO without any reader */
    log_flood(&flood);
    uint64_t began = now_ms();
    log_stop();
    uint64_t took = now_ms() - began;
    assert_true(took >= 900 && took < 5000);
}

static void a_reader_that_goes_away_does_not_stop_the_log(void **state)
{
    (void)state;
    const char *path = file("gone");
    static char text[1 << 16];
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    start(path, LOG_INFO, NULL);
    log_info("first");
    assert_true(read_until(reader, "first\n", text, sizeof text));
    close(reader); /* from here on writes fail with EPIPE */
    log_info("nobody reads this");
    log_reopen();  /* ensures that the log thread has completed a turn once the new reader gets a line */
    reader = open(path, O_RDONLY | O_NONBLOCK);
    uint64_t deadline = now_ms() + DEADLINE_MS;
    bool found = false;
    for (int i = 0; !found && now_ms() < deadline; i++) {
        log_info("back %d", i);
        struct pollfd poller = { .fd = reader, .events = POLLIN };
        poll(&poller, 1, 20);
        ssize_t got = read(reader, text, sizeof text - 1);
        text[got > 0 ? got : 0] = '\0';
        found = strstr(text, "back") != NULL;
    }
    assert_true(found);
    log_stop();
    close(reader);
}

static void reopening_after_a_rename_makes_a_new_file(void **state)
{
    (void)state;
    const char *path = file("rotated"), *old = file("rotated.1");
    start(path, LOG_INFO, NULL);
    log_info("old file");
    while (access(path, F_OK) != 0 || ({ struct stat s; stat(path, &s); s.st_size; }) == 0)
        ;
    assert_int_equal(rename(path, old), 0);
    log_reopen();
    uint64_t deadline = now_ms() + DEADLINE_MS;
    while (access(path, F_OK) != 0 && now_ms() < deadline)
        poll(NULL, 0, 1);
    log_info("new file");
    log_stop();
    char *text = slurp(old);
    assert_string_equal(text + 31, "old file\n");
    free(text);
    text = slurp(path);
    assert_string_equal(text + 31, "new file\n");
    free(text);
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    const char *failed = NULL, *path = file("no/such/folder");
    struct log_options options = { .target = file("fine"), .access_target = path };
    assert_int_equal(log_start(&options, &failed), -ENOENT);
    assert_string_equal(failed, path);
    assert_false(log_access_enabled());
    log_stop(); /* has no effect because the log was not started */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_before_the_start_goes_to_standard_error_at_once),
        cmocka_unit_test(errors_of_the_start_are_on_standard_error_too),
        cmocka_unit_test(a_flush_returns_when_the_lines_are_written),
        cmocka_unit_test(a_line_has_time_level_and_text),
        cmocka_unit_test(the_access_log_has_time_and_fields),
        cmocka_unit_test(a_peer_cannot_forge_or_colour_lines),
        cmocka_unit_test(a_line_is_cut_one_byte_over_the_limit),
        cmocka_unit_test(lines_of_several_threads_all_arrive_in_the_order_of_each),
        cmocka_unit_test(a_sleeping_log_thread_is_woken_by_each_line),
        cmocka_unit_test(a_sink_that_nobody_reads_blocks_no_thread_and_the_loss_is_reported),
        cmocka_unit_test(stopping_with_a_stuck_sink_ends_at_the_deadline),
        cmocka_unit_test(a_reader_that_goes_away_does_not_stop_the_log),
        cmocka_unit_test(reopening_after_a_rename_makes_a_new_file),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
