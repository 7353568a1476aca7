/* test_probe_exec.c: probes that run programs: scripts that behave and scripts that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "probe_fixture.h"
#include "table/backend.h"
#include "table/pool.h"

static char folder[] = "/tmp/penstock-test-exec-XXXXXX";
static char script_path[64], note_path[64];
static struct pool pool = {.name = "models"};
static struct backend backend = {.name = "b0", .pool = &pool};

/* A running probe. */
struct trial {
    struct pool_settings settings;
    struct addr addr;
    char line[200];
    struct prober *prober;
    struct probe *probe;
    struct probe_result result;
};

static void write_script(const char *text)
{
    FILE *file = fopen(script_path, "we");

    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", text);
    fclose(file);
    assert_int_equal(chmod(script_path, 0755), 0);
}

/* Starts the program `line`, or the script if it is NULL. */
static enum probe_outcome begin_trial(struct trial *trial, const char *line)
{
    int error;

    *trial = (struct trial){.settings = usual, .addr = loopback(AF_INET), .result.outcome = PROBE_PENDING};
    addr_set_port(&trial->addr, 8001);
    snprintf(trial->line, sizeof(trial->line), "%s", line ? line : script_path);
    trial->settings.check_command = trial->line;
    trial->prober = probe_exec_ops.open(on_done, &error);
    assert_non_null(trial->prober);
    const struct probe_request request = {.settings = &trial->settings, .backend = &backend, .addr = &trial->addr, .cookie = &trial->result};
    struct probe_result at_once = {.outcome = PROBE_PENDING};
    enum probe_outcome outcome = probe_exec_ops.start(trial->prober, &request, &trial->probe, &at_once);
    if (outcome != PROBE_PENDING)
        trial->result = at_once;
    return outcome;
}

static void wait_for_end(struct trial *trial)
{
    uint64_t deadline_ns = clock_now_ns() + (uint64_t)TIMEOUT_MS * 1000000;

    while (trial->result.outcome == PROBE_PENDING && clock_now_ns() < deadline_ns) {
        struct pollfd poller = {.fd = trial->prober->fd, .events = POLLIN};
        poll(&poller, 1, TIMEOUT_MS);
        probe_exec_ops.process(trial->prober);
    }
}

static struct probe_result run_line(const char *line)
{
    struct trial trial;

    begin_trial(&trial, line);
    wait_for_end(&trial);
    probe_exec_ops.close(trial.prober);
    return trial.result;
}

static struct probe_result run_script(const char *text)
{
    write_script(text);
    return run_line(NULL);
}

static const char *read_note(void)
{
    static char text[2000];
    FILE *file = fopen(note_path, "re");

    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void assert_no_child_is_left(void)
{
    siginfo_t info;

    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    assert_int_equal(errno, ECHILD);
}

static void the_exit_status_decides(void **state)
{
    (void)state;
    assert_passed(run_script("exit 0"));
    assert_passed(run_script("echo fine; echo more; exit 0"));
    assert_failed(run_script("exit 3"), "exit status 3");
    assert_failed(run_script("echo queue of 17; echo second line; exit 2"), "exit status 2: queue of 17");
    assert_failed(run_script("echo no end of line | tr -d '\\n' >&2; exit 1"), "exit status 1: no end of line");
    assert_failed(run_script("printf 'bell \\007\\n'; exit 1"), "exit status 1: bell \\x07");
    assert_failed(run_script("echo dying; kill -SEGV $$"), "killed by SIGSEGV: dying");
    assert_no_child_is_left();
}

static void a_line_is_split_at_blanks_and_no_shell_reads_it(void **state)
{
    char line[200];

    (void)state;
    write_script("echo \"$#:$1:$2:$3\"; exit 1");
    snprintf(line, sizeof(line), "%s  'a\tb' $HOME", script_path);
    assert_failed(run_line(line), "exit status 1: 3:'a:b':$HOME");
}

static void the_environment_is_small_and_known(void **state)
{
    char text[300];

    (void)state;
    setenv("PENSTOCK_TEST_SECRET", "x", 1);
    snprintf(text, sizeof(text), "env | grep -v '^_=\\|^PWD=' | sort > %s; pwd >> %s", note_path, note_path);
    assert_passed(run_script(text));
    assert_string_equal(read_note(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPENSTOCK_ADDRESS=127.0.0.1\nPENSTOCK_BACKEND=b0\n"
                                     "PENSTOCK_POOL=models\nPENSTOCK_PORT=8001\n/\n");
}

/* A descriptor that is not closed on exec must not be inherited either. */
static void descriptors_signals_and_group_are_its_own(void **state)
{
    char text[400];
    sigset_t all, before;
    int leaked = open("/dev/null", O_RDONLY);

    (void)state;
    assert_true(leaked >= 0);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    (void)signal(SIGPIPE, SIG_IGN);
    snprintf(text, sizeof(text), "exec /bin/cat /proc/self/status > %s", note_path);
    assert_passed(run_script(text));
    assert_non_null(strstr(read_note(), "SigBlk:\t0000000000000000"));
    const char *ignored = strstr(read_note(), "SigIgn:\t");
    assert_non_null(ignored);
    assert_int_equal(strtoull(ignored + 8, NULL, 16) & ~(UINT64_C(3) << 31), 0); /* posix_spawn(3) leaves the two signals ignored that glibc uses itself */
    snprintf(text, sizeof(text), "readlink /proc/$$/fd/0 > %s; test $(ps -o pgid= -p $$) = $$ && exec ls /proc/self/fd >> %s", note_path, note_path);
    assert_passed(run_script(text));
    assert_string_equal(read_note(), "/dev/null\n0\n1\n2\n3\n"); /* 3 is the directory that ls reads */
    (void)signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(leaked);
}

static void an_inherited_disregard_for_children_does_not_lose_the_status(void **state)
{
    (void)state;
    (void)signal(SIGCHLD, SIG_IGN);
    assert_failed(run_script("exit 4"), "exit status 4");
    assert_passed(run_script("exit 0"));
}

static void endless_output_is_read_and_the_time_limit_kills(void **state)
{
    struct trial trial;
    struct probe_result result;

    (void)state;
    write_script("echo first; yes");
    assert_int_equal(begin_trial(&trial, NULL), PROBE_PENDING);
    uint64_t end_ns = clock_now_ns() + 100 * UINT64_C(1000000);
    while (clock_now_ns() < end_ns)
        probe_exec_ops.process(trial.prober);
    probe_exec_ops.expire(trial.prober, trial.probe, &result);
    assert_timed_out(result, "still running after 1s: first");
    assert_int_equal(trial.prober->probes, 0);
    while (waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT) == 0)
        probe_exec_ops.process(trial.prober); /* collects it as soon as it has ended */
    assert_no_child_is_left();
    probe_exec_ops.close(trial.prober);
}

static void much_output_does_not_block_a_program(void **state)
{
    (void)state;
    assert_passed(run_script("head -c 1000000 /dev/zero"));
}

/* Waits until the process with the number in the note is gone. */
static bool note_is_of_the_dead(void)
{
    uint64_t deadline_ns = clock_now_ns() + (uint64_t)TIMEOUT_MS * 1000000;
    pid_t pid = (pid_t)atoi(read_note());

    assert_true(pid > 0);
    while (kill(pid, 0) == 0 && clock_now_ns() < deadline_ns) {
        char path[64], stat[200] = "";
        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        FILE *file = fopen(path, "re");
        if (!file)
            return true;
        stat[fread(stat, 1, sizeof(stat) - 1, file)] = '\0';
        fclose(file);
        if (strstr(stat, ") Z ")) /* an orphan that nobody collects here */
            return true;
    }
    return kill(pid, 0) < 0;
}

static void what_a_program_leaves_behind_is_killed(void **state)
{
    char text[200];

    (void)state;
    snprintf(text, sizeof(text), "sleep 100 & echo $! > %s; exit 0", note_path);
    assert_passed(run_script(text));
    assert_true(note_is_of_the_dead());
}

static void a_program_that_cannot_run_says_nothing_about_the_backend(void **state)
{
    struct probe_result result = run_line("/nowhere/check --all");

    (void)state;
    assert_int_equal(result.outcome, PROBE_NO_MEANS);
    assert_string_equal(result.reason, "cannot run /nowhere/check: No such file or directory");
    write_script("exit 0");
    assert_int_equal(chmod(script_path, 0644), 0);
    result = run_line(NULL);
    assert_int_equal(result.outcome, PROBE_NO_MEANS);
    assert_non_null(strstr(result.reason, "Permission denied"));
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void no_descriptor_is_left_behind(void **state)
{
    unsigned before = open_descriptors();
    struct trial trial;

    (void)state;
    for (int i = 0; i < 5; i++) {
        run_script("exit 1");
        run_line("/nowhere/check");
    }
    write_script("sleep 100");
    assert_int_equal(begin_trial(&trial, NULL), PROBE_PENDING);
    probe_exec_ops.abandon(trial.prober, trial.probe);
    probe_exec_ops.close(trial.prober);
    assert_int_equal(open_descriptors(), before);
}

/* A killed program that has not ended holds descriptors, so it takes a place until it is collected. */
static void killed_programs_take_places_until_they_end(void **state)
{
    (void)state;
    struct trial trial;
    struct probe_result at_once;
    uint64_t deadline_ns = clock_now_ns() + (uint64_t)TIMEOUT_MS * 1000000;
    enum probe_outcome outcome;

    write_script("sleep 1000");
    assert_int_equal(begin_trial(&trial, NULL), PROBE_PENDING);
    trial.prober->places = 1;
    const struct probe_request request = {.settings = &trial.settings, .backend = &backend, .addr = &trial.addr, .cookie = &trial.result};
    probe_exec_ops.abandon(trial.prober, trial.probe);
    assert_int_equal(probe_exec_ops.start(trial.prober, &request, &trial.probe, &at_once), PROBE_NO_MEANS);
    assert_string_equal(at_once.reason, "killed programs of earlier probes have not ended");
    do {
        struct pollfd poller = {.fd = trial.prober->fd, .events = POLLIN};
        poll(&poller, 1, TIMEOUT_MS);
        probe_exec_ops.process(trial.prober);
        outcome = probe_exec_ops.start(trial.prober, &request, &trial.probe, &at_once);
    } while (outcome != PROBE_PENDING && clock_now_ns() < deadline_ns);
    assert_int_equal(outcome, PROBE_PENDING);
    probe_exec_ops.abandon(trial.prober, trial.probe);
    probe_exec_ops.close(trial.prober);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(script_path, sizeof(script_path), "%s/check", folder);
    snprintf(note_path, sizeof(note_path), "%s/note", folder);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    unlink(script_path);
    unlink(note_path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exit_status_decides),
        cmocka_unit_test(a_line_is_split_at_blanks_and_no_shell_reads_it),
        cmocka_unit_test(the_environment_is_small_and_known),
        cmocka_unit_test(descriptors_signals_and_group_are_its_own),
        cmocka_unit_test(an_inherited_disregard_for_children_does_not_lose_the_status),
        cmocka_unit_test(endless_output_is_read_and_the_time_limit_kills),
        cmocka_unit_test(much_output_does_not_block_a_program),
        cmocka_unit_test(what_a_program_leaves_behind_is_killed),
        cmocka_unit_test(a_program_that_cannot_run_says_nothing_about_the_backend),
        cmocka_unit_test(no_descriptor_is_left_behind),
        cmocka_unit_test(killed_programs_take_places_until_they_end),
    };
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
