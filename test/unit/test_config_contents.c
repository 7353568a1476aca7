/* test_config_contents: something other than a regular file in place of a configuration file or an included one. It is refused or read, and loading never waits
 * for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/config.h"
#include "config/contents.h"
#include "loading.h"

#define REST "[listener l]\nbind=127.0.0.1:1\npool=p\n[pool p]\nbackend=b 127.0.0.1:2\n"

enum { DEADLINE_S = 20 }; /* alarm(2) then ends a program that still waits, so that the test fails */

static char folder[] = "/tmp/penstock-test-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Loads the file and compares its errors with `wanted`, within the deadline. */
static void load_gives(const char *path, const char *wanted)
{
    alarm(DEADLINE_S);
    assert_load_says(path, folder, wanted);
    alarm(0);
}

/* Loads `name` as the main file, as an included file, and as a file that a pattern matches. It must be refused each time, with the given problem. */
static void is_refused(const char *name, const char *problem, const char *problem_by_pattern)
{
    char text[256], wanted[256];

    snprintf(wanted, sizeof(wanted), "%s: cannot be read: %s\n", name, problem);
    load_gives(*name == '/' ? name : path_of(name), wanted);
    snprintf(text, sizeof(text), "[global]\ninclude=%s\n" REST, name);
    put("main.ini", text);
    snprintf(wanted, sizeof(wanted), "main.ini:2: include \"%s\": %s\n", name, problem);
    load_gives(path_of("main.ini"), wanted);
    snprintf(text, sizeof(text), "[global]\ninclude=%.*s[%c]\n" REST, (int)strlen(name) - 1, name, name[strlen(name) - 1]);
    put("main.ini", text);
    snprintf(wanted, sizeof(wanted), "main.ini:2: include \"%s\": %s\n", name, problem_by_pattern);
    load_gives(path_of("main.ini"), wanted);
}

static void a_fifo_without_a_writer_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    is_refused("fifo", "a FIFO that nobody writes to", "is a FIFO, not a regular file");
}

static void a_fifo_that_nothing_comes_from_is_refused(void **state)
{
    int silent;
    (void)state;
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    silent = open(path_of("fifo"), O_RDWR);
    assert_true(silent >= 0);
    load_gives(path_of("fifo"), "fifo: cannot be read: no data for 4 seconds\n");
    close(silent);
}

static void a_folder_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("sub"), 0700), 0);
    is_refused("sub", "Is a directory", "Is a directory");
}

static void a_socket_is_refused(void **state)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)state;
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%.100s", path_of("sock"));
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    is_refused("sock", "is a socket, not a regular file", "is a socket, not a regular file");
    close(fd);
}

static void a_device_without_an_end_is_refused(void **state)
{
    (void)state;
    is_refused("/dev/zero", "larger than 16 MiB", "is a device, not a regular file");
}

static void the_null_device_is_an_empty_file(void **state)
{
    (void)state;
    load_gives("/dev/null", "/dev/null: is empty\n");
    put("main.ini", "[global]\ninclude=/dev/null\n" REST);
    load_gives(path_of("main.ini"), "");
}

/* Starts a process that writes a configuration to the FIFO at `path`, or to the descriptor if `path` is NULL. */
static pid_t write_beside(const char *path, int fd)
{
    pid_t child = fork();

    if (child == 0) {
        alarm(DEADLINE_S);
        while (path && (fd = open(path, O_WRONLY | O_NONBLOCK)) < 0) /* fails with ENXIO until the reader has opened the FIFO, so that the reader is first */
            sched_yield();
        for (size_t i = 0; i < strlen(REST); i++)
            if (write(fd, &REST[i], 1) != 1)
                _exit(1);
        _exit(0);
    }
    assert_true(child > 0);
    return child;
}

static void has_ended_well(pid_t child)
{
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_fifo_with_a_writer_is_read(void **state)
{
    pid_t writer;
    (void)state;
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    writer = write_beside(path_of("fifo"), -1);
    load_gives(path_of("fifo"), "");
    has_ended_well(writer);
    put("main.ini", "[global]\ninclude=fifo\n");
    writer = write_beside(path_of("fifo"), -1);
    load_gives(path_of("main.ini"), "");
    has_ended_well(writer);
}

/* The shell makes such a pipe for -c <(...) and for -c /dev/stdin. */
static void a_pipe_is_read(void **state)
{
    char path[40], text[80];
    int ends[2];
    (void)state;
    for (int included = 0; included < 2; included++) {
        assert_int_equal(pipe(ends), 0);
        pid_t writer = write_beside(NULL, ends[1]);
        close(ends[1]);
        snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
        snprintf(text, sizeof(text), "[global]\ninclude=%s\n", path);
        put("main.ini", text);
        load_gives(included ? path_of("main.ini") : path, "");
        close(ends[0]);
        has_ended_well(writer);
    }
}

static void a_pipe_whose_writer_has_ended_is_read(void **state)
{
    char path[40];
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], REST, strlen(REST)), strlen(REST));
    close(ends[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    load_gives(path, "");
    close(ends[0]);
}

/* For stat(2), /proc/kmsg is a regular file, although a reader of it may have to wait. Here, a pipe stands for it, with the status of a regular file. */
static void what_only_looks_like_a_regular_file_is_not_waited_for(void **state)
{
    struct stat status = {.st_mode = S_IFREG | 0400};
    const char *problem;
    char *text;
    int ends[2];
    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    for (int bytes = 0; bytes < 2; bytes++) {
        assert_int_equal(write(ends[1], "x", (size_t)bytes), bytes);
        alarm(DEADLINE_S);
        assert_int_equal(config_contents_read(ends[0], &status, &text, &problem), -1);
        alarm(0);
        assert_null(text);
        assert_string_equal(problem, "no data for 4 seconds");
    }
    close(ends[1]);
    assert_int_equal(config_contents_read(ends[0], &status, &text, &problem), 0);
    free(text);
    close(ends[0]);
}

/* Starts a process that takes a write lease on main.ini, and gives it up `keeps` microseconds after another process opens the file. Returns 0 if leases are not
 * possible here. */
static pid_t lease_beside(useconds_t keeps)
{
    int ready[2];
    char granted = 0;
    pid_t child;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        int fd = open(path_of("main.ini"), O_RDWR), number;
        sigset_t wanted;

        alarm(DEADLINE_S);
        sigemptyset(&wanted);
        sigaddset(&wanted, SIGIO);
        sigprocmask(SIG_BLOCK, &wanted, NULL);
        granted = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
        if (write(ready[1], &granted, 1) != 1 || !granted)
            _exit(1);
        sigwait(&wanted, &number);
        usleep(keeps);
        _exit(fcntl(fd, F_SETLEASE, F_UNLCK) < 0);
    }
    assert_true(child > 0);
    assert_int_equal(read(ready[0], &granted, 1), 1);
    close(ready[0]);
    close(ready[1]);
    if (granted)
        return child;
    waitpid(child, NULL, 0);
    return 0;
}

static void a_file_under_a_lease_is_read_when_the_lease_is_given_up(void **state)
{
    pid_t holder;
    (void)state;
    put("main.ini", REST);
    holder = lease_beside(300000);
    if (holder == 0)
        skip();
    load_gives(path_of("main.ini"), "");
    has_ended_well(holder);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_all(void **state)
{
    static const char *const names[] = {"fifo", "sub", "sock", "main.ini"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove(path_of(names[i]));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_fifo_without_a_writer_is_refused, remove_all),
        cmocka_unit_test_teardown(a_fifo_that_nothing_comes_from_is_refused, remove_all),
        cmocka_unit_test_teardown(a_folder_is_refused, remove_all),
        cmocka_unit_test_teardown(a_socket_is_refused, remove_all),
        cmocka_unit_test_teardown(a_device_without_an_end_is_refused, remove_all),
        cmocka_unit_test_teardown(the_null_device_is_an_empty_file, remove_all),
        cmocka_unit_test_teardown(a_fifo_with_a_writer_is_read, remove_all),
        cmocka_unit_test_teardown(a_pipe_is_read, remove_all),
        cmocka_unit_test_teardown(a_pipe_whose_writer_has_ended_is_read, remove_all),
        cmocka_unit_test_teardown(what_only_looks_like_a_regular_file_is_not_waited_for, remove_all),
        cmocka_unit_test_teardown(a_file_under_a_lease_is_read_when_the_lease_is_given_up, remove_all),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
