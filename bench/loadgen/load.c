/* load.c: `penstock-bench load`: options, threads, the progress line, the report. Main thread; owns the threads and their
 * results. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "options.h"
#include "report.h"
#include "units.h"

enum { PROGRESS_MS = 500 };

/* State of the main thread while the load threads run. */
struct load_run {
    const struct load_settings *settings;
    struct load_thread *threads[LOAD_THREADS_MAX];
    pthread_t ids[LOAD_THREADS_MAX];
    unsigned started;
    int done_fd, signal_fd;
};

static const char *parse_work(void *settings, const char *text)
{
    static const struct load_work *const works[] = {&load_work_rpc,     &load_work_connect,   &load_work_idle,
                                                    &load_work_bulk_up, &load_work_bulk_down, &load_work_bulk_both};
    for (size_t i = 0; i < sizeof(works) / sizeof(*works); i++) {
        if (strcmp(works[i]->name, text) == 0) {
            ((struct load_settings *)settings)->work = works[i];
            return NULL;
        }
    }
    return "rpc, connect, idle, bulk-up, bulk-down or bulk-both";
}

#define FIELD(name) offsetof(struct load_settings, name)
#define SMALLEST_REQUEST sizeof(struct protocol_request)
#define SMALLEST_REPLY sizeof(struct protocol_reply)

static const struct option_row rows[] = {
    {"--work", OPTION_CUSTOM, .parse = parse_work, .value = "WORK",
     .help = "rpc (default), connect, idle, bulk-up, bulk-down or bulk-both"},
    {"--connections", OPTION_COUNT, FIELD(connections), 1, 1000000, .value = "N",
     .help = "simultaneous connections, over all threads (default 1)"},
    {"--threads", OPTION_COUNT, FIELD(threads), 1, LOAD_THREADS_MAX, .value = "N", .help = "number of threads (default 1)"},
    {"--rate", OPTION_COUNT, FIELD(rate), 1, 10000000, .value = "R",
     .help = "open loop: R requests a second, regardless of the replies"},
    {"--size", OPTION_BYTES, FIELD(size), SMALLEST_REQUEST, 1 << 30, .value = "BYTES",
     .help = "size of a request (default 128)"},
    {"--reply", OPTION_BYTES, FIELD(reply), SMALLEST_REPLY, UINT64_C(1) << 40, .value = "BYTES",
     .help = "size of a reply (default: as --size)"},
    {"--bytes", OPTION_BYTES, FIELD(bytes), 0, UINT64_C(1) << 50, .value = "BYTES",
     .help = "size of a bulk transfer in each direction (default 1M)"},
    {"--duration", OPTION_DURATION, FIELD(duration_ns), 1, UINT64_C(1) << 60, .value = "TIME",
     .help = "no request begins later (default 10s, unless --requests is given)"},
    {"--requests", OPTION_COUNT, FIELD(requests), 1, UINT32_MAX, .value = "N", .help = "end after N requests"},
    {"--warmup", OPTION_DURATION, FIELD(warmup_ns), 0, UINT64_C(1) << 60, .value = "TIME",
     .help = "time before measuring begins (default 0)"},
    {"--timeout", OPTION_DURATION, FIELD(timeout_ns), 1, UINT64_C(1) << 60, .value = "TIME",
     .help = "limit for each request (default 5s)"},
    {"--retry", OPTION_COUNT, FIELD(retry), 0, 1000000, .value = "N",
     .help = "send a request again if its connection breaks, up to N times (default 0)"},
    {"--reconnect", OPTION_FLAG, FIELD(reconnect), .value = "", .help = "open a new connection for each broken one"},
    {"--expect-names", OPTION_FLAG, FIELD(expect_names), .value = "",
     .help = "a reply without the name of a backend is a failure"},
    {"--seed", OPTION_COUNT, FIELD(seed), 0, UINT64_MAX, .value = "N",
     .help = "seed of the bytes that are sent (default 1)"},
    {"--progress", OPTION_FLAG, FIELD(progress), .value = "",
     .help = "progress line on standard error even if it is not a terminal"},
    {"--json", OPTION_FLAG, FIELD(json), .value = "", .help = "print one JSON object instead of the table"},
    {0},
};

static void read_settings(struct load_settings *settings, char **argv)
{
    options_parse(rows, settings, argv, &settings->target_text, "usage: penstock-bench load TARGET [options]");
    if (!settings->target_text)
        options_refuse("load: which target? IP:PORT, [IPV6]:PORT or unix:/PATH");
    const char *wrong = addr_parse(&settings->target, settings->target_text);
    if (wrong)
        options_refuse("target '%s': %s", settings->target_text, wrong);
    if (settings->connections < settings->threads)
        options_refuse("--threads %" PRIu64 ": more than connections (%" PRIu64 ")", settings->threads,
                       settings->connections);
    if (settings->work->hold && (settings->rate > 0 || settings->requests > 0 || settings->warmup_ns > 0))
        options_refuse("--work idle sends one request on each connection: no --rate, --requests or --warmup");
    if (settings->requests > 0 && settings->requests < settings->threads)
        options_refuse("--requests %" PRIu64 ": fewer than threads", settings->requests);
    if (settings->duration_ns == 0 && settings->requests == 0)
        settings->duration_ns = 10 * NS_PER_S;
    if (settings->reply == 0)
        settings->reply = settings->size < SMALLEST_REPLY ? SMALLEST_REPLY : settings->size;
}

static void *thread_main(void *argument)
{
    struct load_thread *thread = argument;
    prctl(PR_SET_TIMERSLACK, 1000); /* 1 us, for the schedule of an open loop; the default timer slack is 50 us */
    load_loop(thread);
    eventfd_write(thread->done_fd, 1);
    return NULL;
}

static int start_thread(struct load_run *run, unsigned n)
{
    const struct load_settings *settings = run->settings;
    struct load_thread *thread = calloc(1, sizeof(*thread));
    struct load_result *result = calloc(1, sizeof(*result));
    if (!thread || !result) {
        free(thread);
        free(result);
        return ENOMEM;
    }
    histogram_init(&result->latency);
    thread->settings = settings;
    thread->result = result;
    thread->number = n;
    thread->done_fd = run->done_fd;
    thread->conn_count = load_share(settings->connections, settings->threads, n);
    for (unsigned i = 0; i < n; i++)
        thread->first_index += load_share(settings->connections, settings->threads, i);
    thread->to_begin = settings->requests > 0 ? load_share(settings->requests, settings->threads, n) : UINT64_MAX;
    pthread_mutex_init(&thread->shared.lock, NULL);
    run->threads[n] = thread;
    int error = pthread_create(&run->ids[n], NULL, thread_main, thread);
    if (error == 0)
        run->started++;
    return error;
}

static void show_progress(struct load_run *run, struct report_progress *progress)
{
    struct load_shared sum = {0};
    for (unsigned i = 0; i < run->started; i++) {
        struct load_shared *shared = &run->threads[i]->shared;
        pthread_mutex_lock(&shared->lock);
        sum.requests += shared->requests;
        sum.errors += shared->errors;
        sum.retries += shared->retries;
        sum.bytes += shared->bytes;
        sum.open += shared->open;
        sum.latency_sum_ns += shared->latency_sum_ns;
        pthread_mutex_unlock(&shared->lock);
    }
    report_progress(progress, &sum, clock_now_ns());
}

/* The first signal lets requests in flight finish, the second ends at once. */
static void take_signal(struct load_run *run, unsigned *signals)
{
    struct signalfd_siginfo info;
    if (read(run->signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (++*signals > 1) {
        fputs("penstock-bench: ended by a second signal\n", stderr);
        exit(1);
    }
    eventfd_write(run->settings->stop_fd, 1);
}

static void watch_threads(struct load_run *run)
{
    bool progress_wanted = run->settings->progress || isatty(STDERR_FILENO);
    uint64_t now_ns = clock_now_ns(), ended = 0;
    struct report_progress progress = {.started_ns = now_ns, .shown_ns = now_ns};
    unsigned signals = 0;
    while (ended < run->started) {
        struct pollfd fds[] = {{.fd = run->done_fd, .events = POLLIN}, {.fd = run->signal_fd, .events = POLLIN}};
        now_ns = clock_now_ns();
        uint64_t next_ns = progress.shown_ns + PROGRESS_MS * NS_PER_MS;
        int wait_ms = !progress_wanted ? -1 : next_ns > now_ns ? (int)((next_ns - now_ns) / NS_PER_MS) + 1 : 0;
        if (poll(fds, 2, wait_ms) == 0) {
            show_progress(run, &progress);
            continue;
        }
        eventfd_t count;
        if (fds[0].revents != 0 && eventfd_read(run->done_fd, &count) == 0)
            ended += count;
        if (fds[1].revents != 0)
            take_signal(run, &signals);
    }
    report_progress_end(&progress);
}

/* Joins the threads and sums their results. Returns 0, or the errno with which a thread failed. */
static int collect_results(struct load_run *run, struct load_result *total)
{
    int error = 0;
    for (unsigned i = 0; i < run->started; i++) {
        struct load_thread *thread = run->threads[i];
        pthread_join(run->ids[i], NULL);
        if (thread->result_errno != 0)
            error = thread->result_errno;
        report_merge(total, thread->result);
        pthread_mutex_destroy(&thread->shared.lock);
        free(thread->result);
        free(thread);
    }
    return error;
}

static int start_threads(struct load_run *run, struct load_settings *settings)
{
    sigset_t signals; /* blocked before the threads start, and read from the descriptor below */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    run->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    run->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    settings->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (run->signal_fd < 0 || run->done_fd < 0 || settings->stop_fd < 0)
        return errno;
    for (unsigned i = 0; i < settings->threads; i++) {
        int error = start_thread(run, i);
        if (error != 0)
            return error;
    }
    return 0;
}

int load_main(char **argv)
{
    struct load_settings settings = {.work = &load_work_rpc,
                                     .connections = 1,
                                     .threads = 1,
                                     .size = 128,
                                     .bytes = 1 << 20,
                                     .timeout_ns = 5 * NS_PER_S,
                                     .seed = 1};
    struct load_run run = {.settings = &settings};
    read_settings(&settings, argv);
    struct load_result *total = calloc(1, sizeof(*total));
    int error = total ? start_threads(&run, &settings) : ENOMEM;
    if (error == 0) {
        histogram_init(&total->latency);
        watch_threads(&run);
        error = collect_results(&run, total);
    }
    if (error != 0) {
        fprintf(stderr, "penstock-bench: cannot start the load: %s\n", strerror(error));
        exit(1); /* not return: threads that have started may still use the settings on this stack */
    }
    if (settings.json)
        report_json(&settings, total);
    else
        report_table(&settings, total);
    bool clean = report_clean(&settings, total);
    free(total);
    return clean ? 0 : 1;
}
