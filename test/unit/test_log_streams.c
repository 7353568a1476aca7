/* test_log_streams.c: the log on standard output and error, as pipes and sockets, and both logs on one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "log/access.h"

#include "log_fixture.h"

static void standard_error_is_not_made_non_blocking(void **state)
{
    (void)state;
    int ends[2];
    char text[4096];
    assert_int_equal(pipe(ends), 0);
    int saved = stderr_to(ends[1]);
    start("stderr", LOG_INFO, NULL);
    log_info("through a pipe");
    bool seen = read_until(ends[0], "info  through a pipe\n", text, sizeof text);
    int flags = fcntl(ends[1], F_GETFL);
    log_stop();
    stderr_back(saved);
    assert_true(seen);
    assert_int_equal(flags & O_NONBLOCK, 0);
    close(ends[0]);
    close(ends[1]);
}

static void standard_output_and_error_may_be_sockets(void **state)
{
    (void)state;
    static const char *const targets[] = { "stderr", "stdout" };
    char text[4096];
    for (int i = 0; i < 2; i++) {
        int ends[2], fd = i == 0 ? STDERR_FILENO : STDOUT_FILENO, saved = dup(fd);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        fflush(NULL);
        assert_true(dup2(ends[1], fd) >= 0);
        start(targets[i], LOG_INFO, NULL);
        log_info("through a socket");
        bool seen = read_until(ends[0], "info  through a socket\n", text, sizeof text);
        log_stop();
        dup2(saved, fd);
        close(saved);
        assert_true(seen);
        close(ends[0]);
        close(ends[1]);
    }
}

/* Two sinks that each wrote a part of a line would mix lines. The pipe is read a little more slowly than lines come, so it is always full. */
static void both_logs_in_one_pipe_do_not_mix(void **state)
{
    (void)state;
    enum { PAIRS = 400, TAKEN = 600 };
    int ends[2];
    static char text[1 << 20];
    size_t length = 0;
    unsigned lines = 0, torn = 0;
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
    int saved = stderr_to(ends[1]);
    start("stderr", LOG_INFO, "/proc/self/fd/2");
    stderr_back(saved);
    close(ends[1]);
    for (unsigned i = 0; i < PAIRS; i++) {
        log_info("%0*d", 500, 7);
        log_access(&(struct access_record){.is_flow = true, .event = ACCESS_OPEN});
        while (length < (size_t)(i + 1) * TAKEN) {
            ssize_t got = read(ends[0], text + length, (size_t)(i + 1) * TAKEN - length);
            assert_true(got > 0);
            length += (size_t)got;
        }
    }
    log_info("last");
    assert_true(read_until(ends[0], "info  last\n", text + length, sizeof text - length));
    log_stop();
    close(ends[0]);
    char *save;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save), lines++) {
        bool is_log = strncmp(line + 23, "Z info  ", 8) == 0, is_access = strncmp(line + 23, "Z flow=0.0 event=open ", 22) == 0;
        torn += (!is_log && !is_access) || (is_access && strcmp(line + strlen(line) - 12, " bytes_out=0") != 0);
    }
    assert_int_equal(torn, 0);
    assert_int_equal(lines, 2 * PAIRS + 1);
}

static void a_full_queue_drops_and_counts(void **state)
{
    (void)state;
    const char *path = file("stuck3");
    struct flood flood = { .lines = 20000 };
    assert_int_equal(mkfifo(path, 0600), 0);
    start(path, LOG_INFO, NULL); /* nobody reads */
    assert_int_equal(log_dropped(LOG_TO_LOG), 0);
    log_flood(&flood);
    uint64_t deadline = now_ms() + DEADLINE_MS;
    while (log_dropped(LOG_TO_LOG) < 5000 && now_ms() < deadline)
        poll(NULL, 0, 1);
    uint64_t dropped = log_dropped(LOG_TO_LOG);
    assert_true(dropped >= 5000 && dropped < 20000); /* those in the pipe and the buffer are not lost yet */
    assert_int_equal(log_dropped(LOG_TO_ACCESS), 0);
    log_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_error_is_not_made_non_blocking),
        cmocka_unit_test(standard_output_and_error_may_be_sockets),
        cmocka_unit_test(both_logs_in_one_pipe_do_not_mix),
        cmocka_unit_test(a_full_queue_drops_and_counts),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
