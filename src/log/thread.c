/* log/thread.c: the log thread "penstock-log": takes records from the ring, makes lines of them, and writes these to the sinks.
 *
 * Control starts and stops the thread; any thread submits records. The log thread owns the ring, the eventfd and the sinks. Besides the ring, it shares
 * these C11 atomics with other threads. src/log is an exception to the rule that only src/table and base/ring have atomics.
 *   stopping, reopening   stored with release by control, loaded with acquire by the log thread.
 *   asleep                see wake_thread().
 *   lost, unwritten       relaxed: independent counters that publish nothing.
 *   asked, flushed        see log_thread_flush(). */
#include "log/thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ring.h"
#include "log/line.h"
#include "log/sink.h"

enum { RING_RECORDS = 4096 };     /* about 4 MiB: half a second of one line per session at 8000 sessions per second */
enum { BATCH_RECORDS = 64 };      /* records taken from the ring in one batch */
enum { STOP_DEADLINE_MS = 1000 }; /* how long a stop or a flush waits for a slow sink */
enum { FLUSH_POLL_MS = 1 };
enum { STUCK_MARGIN_MS = 500 };   /* if joining takes longer than the deadline by this much, the thread is blocked in write(2) on a shared terminal */

static struct {
    atomic_bool asleep;
    atomic_bool stopping;
    atomic_bool reopening;
    _Atomic uint64_t lost[LOG_DESTINATIONS];      /* dropped because the ring was full */
    _Atomic uint64_t unwritten[LOG_DESTINATIONS]; /* a copy of `lost` of the sinks, for other threads */
    _Atomic uint64_t asked, flushed; /* number of the last flush that was requested, and of the last one that is complete */

    struct ring *ring;
    int wake_fd;
    pthread_t thread;

    /* Used only by the log thread, from its start until it is joined. */
    struct sink sinks[LOG_DESTINATIONS];
    struct sink *sink_of[LOG_DESTINATIONS]; /* both lead to the same sink if both logs go to the same pipe, socket or terminal: lines must not mix */
    struct line_form forms[LOG_DESTINATIONS];
    uint64_t reported[LOG_DESTINATIONS];    /* how many lost lines the log has reported */
} shared = {.wake_fd = -1, .sinks = {{.fd = -1}, {.fd = -1}}};

static void notify_thread(void)
{
    const uint64_t one = 1;
    /* This fails only if the counter is at its maximum, and then the descriptor is readable anyway. */
    ssize_t ignored = write(shared.wake_fd, &one, sizeof(one));
    (void)ignored;
}

/* Wakes the log thread if it sleeps. The log thread exchanges `asleep` with true, checks the ring again, and sleeps if the ring is empty. A producer pushes its
 * record and then exchanges `asleep` with false. All exchanges of one variable have a single order. If the producer's exchange is the later one, it returns
 * true and wakes the thread. If the thread's exchange is the later one, it acquires what the producer released, so the second check finds the record. A
 * plain load instead of the exchange here could be reordered before the push. */
static void wake_thread(void)
{
    if (atomic_exchange_explicit(&shared.asleep, false, memory_order_acq_rel))
        notify_thread();
}

static void deliver_record(const struct log_record *record)
{
    char line[LINE_BYTES_MAX];

    sink_add(shared.sink_of[record->destination], line, line_format(line, record, &shared.forms[record->destination]));
}

static void deliver_own(enum log_level level, const char *text)
{
    struct log_record record = {.level = (uint8_t)level, .destination = LOG_TO_LOG};

    clock_gettime(CLOCK_REALTIME, &record.when);
    record.bytes = (uint16_t)strnlen(text, LOG_LINE_BYTES - 1);
    memcpy(record.text, text, record.bytes);
    deliver_record(&record);
}

/* Logs how many lines were lost, as soon as the sink that lost them accepts lines again. */
static void report_lost(void)
{
    static const char *const what[] = {"log lines", "access log lines"};
    struct sink *log = shared.sink_of[LOG_TO_LOG];

    for (int i = 0; i < LOG_DESTINATIONS; i++) {
        const struct sink *sink = shared.sink_of[i];
        uint64_t lost = shared.sinks[i].lost + atomic_load_explicit(&shared.lost[i], memory_order_relaxed);
        atomic_store_explicit(&shared.unwritten[i], shared.sinks[i].lost, memory_order_relaxed);
        if (lost == shared.reported[i] || sink->blocked || sink->pending > 0 || log->blocked)
            continue;
        uint64_t log_lost = log->lost;
        char text[80];
        snprintf(text, sizeof(text), "%llu %s could not be written", (unsigned long long)(lost - shared.reported[i]), what[i]);
        deliver_own(LOG_WARN, text);
        sink_flush(log);
        if (log->lost > log_lost) /* this line was lost too, and does not count: try again later */
            log->lost = log_lost;
        else
            shared.reported[i] = lost;
    }
}

static void reopen_sinks(void)
{
    for (int i = 0; i < LOG_DESTINATIONS; i++) {
        struct sink *sink = &shared.sinks[i];
        if (sink->fd < 0)
            continue;
        sink_flush(sink);
        int error = sink_reopen(sink);
        if (error < 0) {
            char text[LOG_LINE_BYTES];
            snprintf(text, sizeof(text), "cannot reopen %s: %s; still writing to the old file", sink->path, strerror(-error));
            deliver_own(LOG_ERROR, text);
        }
    }
}

/* Waits for a wake-up, for a blocked sink to become writable, or for `timeout_ms` (-1: no limit). */
static void wait_for_something(int timeout_ms)
{
    struct pollfd pollers[1 + LOG_DESTINATIONS] = {{.fd = shared.wake_fd, .events = POLLIN}};
    uint64_t count;

    for (int i = 0; i < LOG_DESTINATIONS; i++) {
        pollers[1 + i].fd = sink_waits(&shared.sinks[i]) ? shared.sinks[i].fd : -1; /* poll ignores negative descriptors */
        pollers[1 + i].events = POLLOUT;
    }
    if (poll(pollers, 1 + LOG_DESTINATIONS, timeout_ms) <= 0)
        return;
    for (int i = 0; i < LOG_DESTINATIONS; i++)
        if (pollers[1 + i].revents != 0)
            shared.sinks[i].blocked = false;
    if (pollers[0].revents != 0) {
        ssize_t ignored = read(shared.wake_fd, &count, sizeof(count));
        (void)ignored;
    }
}

/* Writes one batch of records to the sinks. Returns whether the ring may hold more. */
static bool drain_batch(void)
{
    struct log_record record;

    for (int i = 0; i < BATCH_RECORDS; i++) {
        if (!ring_pop(shared.ring, &record))
            return false;
        deliver_record(&record);
    }
    return true;
}

static void flush_rest(void)
{
    uint64_t deadline_ns = clock_now_ns() + STOP_DEADLINE_MS * UINT64_C(1000000);

    for (;;) {
        while (drain_batch())
            ;
        sink_flush(&shared.sinks[LOG_TO_LOG]);
        sink_flush(&shared.sinks[LOG_TO_ACCESS]);
        report_lost();
        uint64_t now_ns = clock_now_ns();
        bool stuck = sink_waits(&shared.sinks[LOG_TO_LOG]) || sink_waits(&shared.sinks[LOG_TO_ACCESS]);
        if (now_ns >= deadline_ns || !stuck)
            return;
        wait_for_something((int)((deadline_ns - now_ns) / 1000000) + 1);
    }
}

/* Runs one turn of the log thread: writes everything that can be written now, then sleeps. */
static void serve_ring(void)
{
    uint64_t asked = atomic_load_explicit(&shared.asked, memory_order_acquire); /* load it before the ring is emptied */
    struct log_record record;

    while (drain_batch())
        ;
    if (atomic_exchange_explicit(&shared.reopening, false, memory_order_acquire))
        reopen_sinks();
    sink_flush(&shared.sinks[LOG_TO_LOG]);
    sink_flush(&shared.sinks[LOG_TO_ACCESS]);
    report_lost();
    if (!sink_waits(&shared.sinks[LOG_TO_LOG]) && !sink_waits(&shared.sinks[LOG_TO_ACCESS]))
        atomic_store_explicit(&shared.flushed, asked, memory_order_release);

    (void)atomic_exchange_explicit(&shared.asleep, true, memory_order_acq_rel);
    if (ring_pop(shared.ring, &record))
        deliver_record(&record);
    else
        wait_for_something(-1);
    (void)atomic_exchange_explicit(&shared.asleep, false, memory_order_acq_rel);
}

static void *log_thread(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "penstock-log");
    while (!atomic_load_explicit(&shared.stopping, memory_order_acquire))
        serve_ring();
    flush_rest();
    return NULL;
}

static void release_shared(void)
{
    for (int i = 0; i < LOG_DESTINATIONS; i++)
        sink_close(&shared.sinks[i]);
    ring_free(shared.ring);
    shared.ring = NULL;
    if (shared.wake_fd >= 0)
        close(shared.wake_fd);
    shared.wake_fd = -1;
}

/* Starts the thread with all signals blocked, because control handles them. SIGPIPE is blocked too, so that a write to a pipe without a reader fails with
 * EPIPE. */
static int start_thread(void)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = -pthread_create(&shared.thread, NULL, log_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Opens the sink of one destination. Returns 0 or a negative errno. */
static int open_target(enum log_destination destination, const char *target, enum log_format format)
{
    struct sink_options options = {0};

    if (!log_target_parse(&options.target, target))
        return -EINVAL;
    shared.forms[destination] = (struct line_form){.kind = options.target.kind, .facility = options.target.facility, .format = format};
    shared.sink_of[destination] = &shared.sinks[destination];
    return sink_open(&shared.sinks[destination], &options);
}

/* If both sinks lead to one pipe, stream socket or terminal, each could write a part of a line there, and the other go on after it. A file takes whole writes,
 * and a log daemon gets datagrams. */
static void join_sinks(void)
{
    struct sink *access = &shared.sinks[LOG_TO_ACCESS], *log = &shared.sinks[LOG_TO_LOG];
    struct stat status;

    if (access->fd < 0 || fstat(access->fd, &status) < 0 || S_ISREG(status.st_mode) || !sink_writes_to(access, log->fd))
        return;
    sink_close(access);
    shared.sink_of[LOG_TO_ACCESS] = log;
}

static int open_sinks(const struct log_options *options, const char **failed_target)
{
    int error;

    for (int i = 0; i < LOG_DESTINATIONS; i++) {
        shared.reported[i] = 0;
        atomic_store_explicit(&shared.lost[i], 0, memory_order_relaxed);
        atomic_store_explicit(&shared.unwritten[i], 0, memory_order_relaxed);
    }
    *failed_target = options->target;
    error = open_target(LOG_TO_LOG, options->target, options->format);
    if (error == 0 && options->access_target) {
        *failed_target = options->access_target;
        error = open_target(LOG_TO_ACCESS, options->access_target, options->access_format);
    }
    if (error < 0)
        return error;
    *failed_target = NULL;
    join_sinks();
    return 0;
}

int log_thread_start(const struct log_options *options, const char **failed_target)
{
    int error = open_sinks(options, failed_target);

    if (error < 0)
        goto fail;
    error = -ENOMEM;
    shared.ring = ring_new(RING_RECORDS, sizeof(struct log_record));
    if (!shared.ring)
        goto fail;
    shared.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    error = shared.wake_fd < 0 ? -errno : 0;
    if (error < 0)
        goto fail;
    atomic_store_explicit(&shared.stopping, false, memory_order_relaxed);
    atomic_store_explicit(&shared.reopening, false, memory_order_relaxed);
    error = start_thread();
    if (error < 0)
        goto fail;
    return 0;
fail:
    release_shared();
    return error;
}

bool log_thread_is_stderr(void)
{
    return sink_writes_to(shared.sink_of[LOG_TO_LOG], STDERR_FILENO);
}

uint64_t log_thread_dropped(enum log_destination destination)
{
    return atomic_load_explicit(&shared.lost[destination], memory_order_relaxed) +
           atomic_load_explicit(&shared.unwritten[destination], memory_order_relaxed);
}

void log_thread_stop(void)
{
    struct timespec deadline;

    atomic_store_explicit(&shared.stopping, true, memory_order_release);
    notify_thread();
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_nsec += (STOP_DEADLINE_MS + STUCK_MARGIN_MS) % 1000 * 1000000L;
    deadline.tv_sec += (STOP_DEADLINE_MS + STUCK_MARGIN_MS) / 1000 + deadline.tv_nsec / 1000000000L;
    deadline.tv_nsec %= 1000000000L;
    /* If the thread is blocked in write(2), leave it and everything that it uses: the process is about to end. */
    if (pthread_timedjoin_np(shared.thread, NULL, &deadline) == 0)
        release_shared();
}

/* The caller has pushed its records before it takes a number. The log thread reads the number before it empties the ring. So when the log thread reports this
 * number as flushed, the caller's records are written. */
void log_thread_flush(void)
{
    const struct timespec pause = {.tv_nsec = FLUSH_POLL_MS * 1000000L};
    uint64_t deadline_ns = clock_now_ns() + STOP_DEADLINE_MS * UINT64_C(1000000);
    uint64_t number = atomic_fetch_add_explicit(&shared.asked, 1, memory_order_acq_rel) + 1;

    notify_thread();
    while (atomic_load_explicit(&shared.flushed, memory_order_acquire) < number && clock_now_ns() < deadline_ns)
        nanosleep(&pause, NULL);
}

void log_thread_reopen(void)
{
    atomic_store_explicit(&shared.reopening, true, memory_order_release);
    notify_thread();
}

void log_thread_submit(const struct log_record *record)
{
    if (ring_push(shared.ring, record))
        wake_thread();
    else
        atomic_fetch_add_explicit(&shared.lost[record->destination], 1, memory_order_relaxed);
}
