/* test_log_level.c: the level of the log, changed while lines are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log/log.h"

static void the_level_changes_while_the_log_runs(void **state)
{
    char path[] = "/tmp/penstock-log-level-XXXXXX", text[1000] = "";
    int fd = mkstemp(path);
    struct log_options options = {.target = path, .level = LOG_INFO};
    const char *failed;
    (void)state;

    assert_true(fd >= 0);
    assert_int_equal(log_start(&options, &failed), 0);
    log_debug("hidden before");
    log_set_level(LOG_DEBUG);
    assert_int_equal(log_level_now(), LOG_DEBUG);
    log_debug("shown");
    log_set_level(LOG_ERROR);
    log_warn("hidden after");
    log_stop();
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, " debug shown\n"));
    assert_null(strstr(text, "hidden"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_level_changes_while_the_log_runs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
