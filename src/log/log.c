/* log/log.c: log lines from any thread: levels, formatting, and direct output while no log thread runs.
 *
 * All threads share four flags, as C11 atomics (see src/log/thread.c):
 *   level, access, starting   relaxed: an old value only decides whether a line is written.
 *   running                   stored with release by control when the thread is ready, loaded with acquire by the thread that logs. */
#include "log/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "log/builder.h"
#include "log/thread.h"

const char *const log_level_names[] = {"error", "warn", "info", "debug"};

static struct {
    atomic_int level;
    atomic_bool access;
    atomic_bool running;
    atomic_bool starting; /* and the log is not standard error */
} shared = {.level = LOG_INFO};

int log_start(const struct log_options *options, const char **failed_target)
{
    assert(!atomic_load_explicit(&shared.running, memory_order_relaxed));
    int error = log_thread_start(options, failed_target);
    if (error < 0)
        return error;
    log_set_level(options->level);
    atomic_store_explicit(&shared.access, options->access_target != NULL, memory_order_relaxed);
    atomic_store_explicit(&shared.starting, !log_thread_is_stderr(), memory_order_relaxed);
    atomic_store_explicit(&shared.running, true, memory_order_release);
    return 0;
}

void log_stop(void)
{
    if (!atomic_load_explicit(&shared.running, memory_order_relaxed))
        return;
    atomic_store_explicit(&shared.running, false, memory_order_release);
    atomic_store_explicit(&shared.access, false, memory_order_relaxed);
    log_thread_stop();
}

void log_started(void)
{
    atomic_store_explicit(&shared.starting, false, memory_order_relaxed);
}

void log_flush(void)
{
    if (atomic_load_explicit(&shared.running, memory_order_acquire))
        log_thread_flush();
}

void log_reopen(void)
{
    if (atomic_load_explicit(&shared.running, memory_order_relaxed))
        log_thread_reopen();
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&shared.level, (int)level, memory_order_relaxed);
}

enum log_level log_level_now(void)
{
    return (enum log_level)atomic_load_explicit(&shared.level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&shared.level, memory_order_relaxed);
}

bool log_access_enabled(void)
{
    return atomic_load_explicit(&shared.access, memory_order_relaxed);
}

uint64_t log_dropped(enum log_destination destination)
{
    return log_thread_dropped(destination);
}

/* Writes to standard error in the calling thread: before the log thread runs, after it has ended, and for errors during the start. */
static void write_directly(const struct log_record *record)
{
    char line[4 * LOG_LINE_BYTES + 32];
    struct builder builder = builder_begin(line, sizeof(line));
    ssize_t ignored;

    builder_text(&builder, "penstock: ");
    builder_text(&builder, log_level_names[record->level]);
    builder_text(&builder, ": ");
    builder_escaped(&builder, record->text, record->bytes, BUILDER_LINE);
    builder_text(&builder, "\n");
    ignored = write(STDERR_FILENO, line, builder.length);
    (void)ignored;
}

__attribute__((format(printf, 2, 0)))
static void submit_text(enum log_level level, const char *format, va_list arguments)
{
    struct log_record record;

    record.destination = LOG_TO_LOG;
    record.level = (uint8_t)level;
    int bytes = vsnprintf(record.text, sizeof(record.text), format, arguments);
    if (bytes < 0)
        return; /* the C library refuses the format */
    record.bytes = (uint16_t)(bytes < LOG_LINE_BYTES ? bytes : LOG_LINE_BYTES - 1);
    clock_gettime(CLOCK_REALTIME, &record.when);
    if (!atomic_load_explicit(&shared.running, memory_order_acquire)) {
        write_directly(&record);
        return;
    }
    if (level == LOG_ERROR && atomic_load_explicit(&shared.starting, memory_order_relaxed))
        write_directly(&record);
    log_thread_submit(&record);
}

#define SUBMIT_VARIADIC(level, format)         \
    do {                                       \
        va_list arguments;                     \
        va_start(arguments, format);           \
        submit_text(level, format, arguments); \
        va_end(arguments);                     \
    } while (0)

void log_error(const char *format, ...)
{
    SUBMIT_VARIADIC(LOG_ERROR, format);
}

void log_warn(const char *format, ...)
{
    if (log_enabled(LOG_WARN))
        SUBMIT_VARIADIC(LOG_WARN, format);
}

void log_info(const char *format, ...)
{
    if (log_enabled(LOG_INFO))
        SUBMIT_VARIADIC(LOG_INFO, format);
}

void log_debug(const char *format, ...)
{
    if (log_enabled(LOG_DEBUG))
        SUBMIT_VARIADIC(LOG_DEBUG, format);
}

void log_access(const struct access_record *access)
{
    struct log_record record;

    if (!log_access_enabled() || !atomic_load_explicit(&shared.running, memory_order_acquire))
        return;
    record.destination = LOG_TO_ACCESS;
    record.level = LOG_INFO;
    record.access = *access;
    clock_gettime(CLOCK_REALTIME, &record.when);
    log_thread_submit(&record);
}
