/* test_descriptors: base/descriptors: /dev/null is opened in place of each standard descriptor that is closed. The others stay unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptors.h"

static bool is_null(int fd)
{
    struct stat status, null;
    return fstat(fd, &status) == 0 && stat("/dev/null", &null) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == null.st_rdev;
}

/* Runs a process that closes the descriptors whose bits are set in `closed` and then calls descriptors_open_standard(). Returns its exit status: 0 if all is
 * right. */
static int open_in_child(unsigned closed)
{
    pid_t child = fork();
    int status = -1, kept[2];

    if (child == 0) {
        if (pipe(kept) < 0)
            _exit(10);
        for (int fd = 0; fd <= 2; fd++) {
            if (closed & 1u << fd)
                close(fd);
            else if (dup2(kept[fd > 0], fd) < 0)
                _exit(11);
        }
        if (!descriptors_open_standard("test"))
            _exit(12);
        for (int fd = 0; fd <= 2; fd++)
            if (is_null(fd) != ((closed & 1u << fd) != 0))
                _exit(20 + fd);
        /* No further descriptor was opened: the next free number is above those of the pipe. */
        _exit(dup(kept[0]) <= kept[1] ? 13 : 0);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void each_closed_descriptor_becomes_null(void **state)
{
    (void)state;
    for (unsigned closed = 0; closed < 8; closed++)
        if (open_in_child(closed) != 0)
            fail_msg("closed %#x: %d", closed, open_in_child(closed));
}

static void what_cannot_be_opened_is_told(void **state)
{
    int message[2], status = -1;
    char text[200] = "";
    (void)state;
    assert_int_equal(pipe(message), 0);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        dup2(message[1], STDERR_FILENO);
        close(STDIN_FILENO);
        setrlimit(RLIMIT_NOFILE, &none);
        _exit(descriptors_open_standard("test") ? 0 : 1);
    }
    close(message[1]);
    assert_true(read(message[0], text, sizeof(text) - 1) > 0);
    close(message[0]);
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_string_equal(text, "test: descriptor 0 is closed, and /dev/null cannot be opened in its place: Too many open files\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_closed_descriptor_becomes_null),
        cmocka_unit_test(what_cannot_be_opened_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
