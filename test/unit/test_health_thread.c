/* test_health_thread.c: the whole health thread with a real table, real sockets and a real log file. The tests wait for conditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health_fixture.h"

static void a_backend_dies_and_returns(void **state)
{
    (void)state;
    struct addr addrs[2] = { 0 };
    char wanted[300], where[ADDR_TEXT_BYTES];
    int steady = listen_on(&addrs[0]), dying = listen_on(&addrs[1]);
    fcntl(dying, F_SETFL, O_NONBLOCK);
    prepare(CONFIG_CHECK_TCP, addrs, 2);
    start();
    assert_true(await_probes(dying, 3));
    assert_int_equal(usable(NULL), 2);
    close(dying);
    assert_true(await_usable(1));
    dying = listen_on(&addrs[1]);
    assert_true(await_usable(2));
    char *text = stop();
    addr_format(&addrs[1], where, sizeof where);
    snprintf(wanted, sizeof wanted,
             " warn  pool p: backend b1 (%s) is DOWN: connection refused (3 of 3 probes failed); 1 of 2 usable\n", where);
    assert_non_null(strstr(text, wanted));
    snprintf(wanted, sizeof wanted, " info  pool p: backend b1 (%s) is UP after 2 good probes; 2 of 2 usable\n", where);
    assert_non_null(strstr(text, wanted));
    assert_null(strstr(text, "backend b0"));
    free(text);
    close(steady);
    close(dying);
}

static void when_none_is_usable_the_log_says_so(void **state)
{
    (void)state;
    struct addr addrs[2] = { closed_port(), closed_port() };
    prepare(CONFIG_CHECK_HTTP, addrs, 2);
    start();
    assert_true(await_usable(0));
    char *text = stop(), *line = strstr(text, " error pool p: no backend is usable");
    assert_non_null(line);
    assert_null(strstr(strchr(line, '\n'), "no backend is usable")); /* logged only once */
    free(text);
}

static void a_backend_that_starts_down_needs_rise_good_probes(void **state)
{
    (void)state;
    struct addr addr = { 0 };
    int listener = listen_on(&addr);
    prepare(CONFIG_CHECK_TCP, &addr, 1);
    pool.settings.check_initial_up = false;
    pool.settings.check_interval_ms = pool.settings.check_down_interval_ms = 3600000; /* only the fast interval can bring it up in time */
    start();
    assert_int_equal(usable(NULL), 0);
    assert_true(await_usable(1));
    char *text = stop();
    assert_non_null(strstr(text, "is UP after 2 good probes; 1 of 1 usable"));
    free(text);
    close(listener);
}

static void without_checks_nothing_is_probed(void **state)
{
    (void)state;
    struct addr addrs[2] = { closed_port() };
    int listener = listen_on(&addrs[1]);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    prepare(CONFIG_CHECK_NONE, addrs, 2);
    pool.settings.check_initial_up = false; /* must have no effect without checks */
    start();
    assert_int_equal(usable(NULL), 2);
    struct pollfd poller = { .fd = listener, .events = POLLIN };
    assert_int_equal(poll(&poller, 1, 200), 0); /* the duration of four intervals */
    assert_int_equal(usable(NULL), 2);
    char *text = stop();
    assert_string_equal(text, "");
    free(text);
    close(listener);
}

/* The number of backends that are down, but serve because only their probes timed out. */
static uint32_t serving_anyway(void)
{
    uint32_t count = 0;

    epoch_online(epoch, 0);
    const struct snapshot_pool *snapshot = table_load(table)->pools[0];
    for (uint32_t i = 0; i < snapshot->usable_count; i++)
        count += backend_serves_anyway(snapshot->usable[i].backend);
    epoch_offline(epoch, 0);
    return count;
}

static void a_silent_backend_times_out(void **state)
{
    (void)state;
    struct addr addr = { 0 };
    int listener = listen_on(&addr); /* connections succeed, but nothing answers, as with a stopped process */
    prepare(CONFIG_CHECK_HTTP, &addr, 1);
    pool.settings.check_timeout_ms = 40;
    start();
    uint64_t deadline_ns = clock_now_ns() + DEADLINE_MS * UINT64_C(1000000);
    while (serving_anyway() == 0 && clock_now_ns() < deadline_ns)
        poll(NULL, 0, 1);
    assert_int_equal(serving_anyway(), 1); /* the last usable backend is not taken out by timeouts alone */
    char *text = stop();
    assert_non_null(strstr(text, "no backend is usable: those whose probes only timed out take new sessions (1)"));
    assert_non_null(strstr(text, "is DOWN: timed out after 40 ms (3 of 3 probes timed out, and its sessions moved no bytes); 0 of 1 usable"));
    free(text);
    close(listener);
}

static void the_probed_port_may_be_another_one(void **state)
{
    (void)state;
    struct addr addrs[2] = { 0 }, checked = closed_port();
    char wanted[200], where[ADDR_TEXT_BYTES], probed[ADDR_TEXT_BYTES];
    int listener = listen_on(&addrs[0]);
    prepare(CONFIG_CHECK_TCP, addrs, 1);
    backends[0].settings.check_port = addr_port(&checked);
    start();
    assert_true(await_usable(0));
    char *text = stop();
    snprintf(wanted, sizeof wanted, "backend b0 (%s, probed at %s) is DOWN", addr_format(&addrs[0], where, sizeof where),
             addr_format(&checked, probed, sizeof probed));
    assert_non_null(strstr(text, wanted));
    free(text);
    close(listener);
}

static void without_descriptors_of_our_own_backends_stay_as_they_are(void **state)
{
    (void)state;
    struct addr addr = { 0 };
    struct rlimit before, none = { .rlim_cur = 3 };
    int listener = listen_on(&addr);
    prepare(CONFIG_CHECK_TCP, &addr, 1);
    start();
    assert_true(await_probes(listener, 2));
    getrlimit(RLIMIT_NOFILE, &before);
    none.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_NOFILE, &none);
    poll(NULL, 0, 500); /* time for about ten probes; three failures would bring the backend down */
    assert_int_equal(usable(NULL), 1);
    setrlimit(RLIMIT_NOFILE, &before);
    drain(listener);
    assert_true(await_probes(listener, 2));
    assert_int_equal(usable(NULL), 1);
    char *text = stop();
    char *line = strstr(text, " error cannot probe backend b0 of pool p: too many open files on this machine");
    assert_non_null(line);
    assert_null(strstr(strchr(line, '\n'), "cannot probe")); /* logged only once */
    assert_null(strstr(text, "DOWN"));
    free(text);
    close(listener);
}

/* Returns the number of descriptors of this process, plus a constant. The folder stays open and is read again each time. If it were opened and closed while the
 * health thread runs, it would get descriptor numbers that the thread has just closed, and ThreadSanitizer would report a race on them. */
static unsigned open_descriptors(void)
{
    static DIR *folder;
    unsigned count = 0;
    if (folder == NULL)
        folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    rewinddir(folder);
    while (readdir(folder) != NULL)
        count++;
    return count;
}

static void probes_under_way_are_bounded_and_the_rest_waits(void **state)
{
    (void)state;
    enum { PROBES_MAX = 100 };
    static struct addr addrs[2 * PROBES_MAX + 88];
    const size_t count = sizeof addrs / sizeof addrs[0];
    int listener = listen_on_all(addrs, count);
    prepare(CONFIG_CHECK_HTTP, addrs, count);
    pool.settings.check_timeout_ms = 150;
    config.probes_max = PROBES_MAX;
    unsigned before = open_descriptors(), most = 0;
    start();
    uint64_t deadline_ns = clock_now_ns() + DEADLINE_MS * UINT64_C(1000000);
    while (serving_anyway() < count && clock_now_ns() < deadline_ns) {
        unsigned now = open_descriptors();
        most = now > most ? now : most;
    }
    assert_int_equal(serving_anyway(), count);
    assert_in_range(most, before + PROBES_MAX, before + PROBES_MAX + 16);
    free(stop());
    assert_int_equal(open_descriptors(), before);
    close(listener);
}

/* Three backends have one address: each probe serves all three, and the first may leave the group. */
static void one_probe_serves_all_backends_with_the_same_address(void **state)
{
    (void)state;
    struct addr addrs[3] = { 0 };
    int listener = listen_on(&addrs[0]);
    addrs[1] = addrs[2] = addrs[0];
    prepare(CONFIG_CHECK_TCP, addrs, 3);
    pool.settings.check_initial_up = false;
    pool.settings.rise = 4;
    pool.settings.check_interval_ms = pool.settings.check_down_interval_ms = 3600000;
    start();
    assert_true(await_usable(3));
    fcntl(listener, F_SETFL, O_NONBLOCK);
    assert_in_range(drain(listener), 4, 5); /* rise of them; the first may meet two backends, while the third is still added */
    pool.backends = &backends[1]; /* the backend for which the others were probed is removed */
    pool.backend_count = 2;
    assert_int_equal(health_apply(health, &config, NULL), 0);
    assert_true(await_probes(listener, 1));
    close(listener);
    backends[1].settings.weight = 2; /* restarts its target; the hour's wait for the next probe is over for the group */
    pool.settings.fall = 1;
    assert_int_equal(health_apply(health, &config, NULL), 0);
    assert_true(await_usable(0));
    char *text = stop();
    for (int i = 0; i < 3; i++)
        assert_non_null(strstr(text, names[i]));
    free(text);
}

/* Twenty backends never complete a handshake, because the queue of their listener is full. They are more than the cap, but one that is up is probed on time. */
static void backends_that_hang_do_not_delay_the_others(void **state)
{
    (void)state;
    enum { HANGING = 20, FILLERS = 3 };
    struct addr addrs[HANGING + 1] = { 0 };
    int fillers[FILLERS], hanging = listen_on_all(addrs, HANGING), steady = listen_on(&addrs[HANGING]);
    assert_int_equal(listen(hanging, 0), 0);
    for (int i = 0; i < FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], &addrs[0].sa, addrs[0].length);
    }
    prepare(CONFIG_CHECK_TCP, addrs, HANGING + 1);
    pool.settings.check_timeout_ms = 300;
    pool.settings.fall = 1;
    config.probes_max = 4;
    start();
    assert_true(await_usable(1));
    assert_true(await_probes(steady, 1)); /* those that came meanwhile */
    uint64_t began_ns = clock_now_ns();
    assert_true(await_probes(steady, 20)); /* one every 50 ms; if it had to wait for the others, one every 1.5 s */
    assert_true(clock_now_ns() - began_ns < UINT64_C(10000000000));
    char *text = stop();
    assert_non_null(strstr(text, " probes began more than an interval late, by up to "));
    assert_non_null(strstr(text, ": probes_max = 4 are in flight"));
    free(text);
    for (int i = 0; i < FILLERS; i++)
        close(fillers[i]);
    close(hanging);
    close(steady);
}

static void stopping_abandons_what_is_under_way(void **state)
{
    (void)state;
    struct addr addrs[20] = { 0 };
    unsigned before = open_descriptors();
    int listener = listen_on_all(addrs, 20);
    prepare(CONFIG_CHECK_HTTP, addrs, 20);
    pool.settings.check_timeout_ms = 60000;
    start();
    struct pollfd poller = { .fd = listener, .events = POLLIN };
    assert_int_equal(poll(&poller, 1, DEADLINE_MS), 1);
    uint64_t began_ns = clock_now_ns();
    free(stop());
    assert_true(clock_now_ns() - began_ns < UINT64_C(5000000000));
    close(listener);
    assert_int_equal(open_descriptors(), before);
}

static void ten_thousand_backends_are_judged_and_published_in_batches(void **state)
{
    (void)state;
    static struct addr addrs[BACKENDS_MAX];
    uint64_t version;
    close(listen_on_all(addrs, BACKENDS_MAX));
    prepare(CONFIG_CHECK_TCP, addrs, BACKENDS_MAX);
    pool.settings.check_interval_ms = pool.settings.check_down_interval_ms = 2000;
    pool.settings.check_fast_interval_ms = 500;
    uint64_t began_ns = clock_now_ns();
    start();
    assert_true(await_usable(0));
    uint64_t took_ms = (clock_now_ns() - began_ns) / 1000000;
    usable(&version);
    print_message("10000 backends down after %u ms, %u publications\n", (unsigned)took_ms, (unsigned)version);
    assert_true(version <= 2 + took_ms / 10);
    free(stop());
}

/* Returns the set of blocked signals of the thread with this name (SigBlk in proc(5)), or 0 if there is no such thread. */
static unsigned long long blocked_signals(const char *name)
{
    char path[300], text[64] = "", line[256];
    unsigned long long blocked = 0;
    DIR *folder = opendir("/proc/self/task");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *stream = fopen(path, "r");
        if (stream == NULL)
            continue;
        bool found = fgets(text, sizeof text, stream) != NULL && strcspn(text, "\n") == strlen(name)
                     && strncmp(text, name, strlen(name)) == 0;
        fclose(stream);
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        stream = found ? fopen(path, "r") : NULL;
        while (stream != NULL && fgets(line, sizeof line, stream) != NULL)
            sscanf(line, "SigBlk: %llx", &blocked);
        if (stream != NULL)
            fclose(stream);
    }
    closedir(folder);
    return blocked;
}

static void the_threads_have_names_and_take_no_signals(void **state)
{
    (void)state;
    struct addr addr = { 0 };
    const unsigned long long wanted = 1ull << (SIGTERM - 1) | 1ull << (SIGINT - 1) | 1ull << (SIGPIPE - 1);
    int listener = listen_on(&addr);
    prepare(CONFIG_CHECK_TCP, &addr, 1);
    start();
    /* Each thread sets its own name when it first runs. */
    uint64_t deadline_ns = clock_now_ns() + DEADLINE_MS * UINT64_C(1000000);
    while ((blocked_signals("penstock-health") == 0 || blocked_signals("penstock-log") == 0)
           && clock_now_ns() < deadline_ns)
        poll(NULL, 0, 1);
    assert_int_equal(blocked_signals("penstock-health") & wanted, wanted);
    assert_int_equal(blocked_signals("penstock-log") & wanted, wanted);
    free(stop());
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backend_dies_and_returns),
        cmocka_unit_test(when_none_is_usable_the_log_says_so),
        cmocka_unit_test(a_backend_that_starts_down_needs_rise_good_probes),
        cmocka_unit_test(without_checks_nothing_is_probed),
        cmocka_unit_test(a_silent_backend_times_out),
        cmocka_unit_test(the_probed_port_may_be_another_one),
        cmocka_unit_test(without_descriptors_of_our_own_backends_stay_as_they_are),
        cmocka_unit_test(probes_under_way_are_bounded_and_the_rest_waits),
        cmocka_unit_test(one_probe_serves_all_backends_with_the_same_address),
        cmocka_unit_test(backends_that_hang_do_not_delay_the_others),
        cmocka_unit_test(stopping_abandons_what_is_under_way),
        cmocka_unit_test(the_threads_have_names_and_take_no_signals),
        cmocka_unit_test(ten_thousand_backends_are_judged_and_published_in_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
