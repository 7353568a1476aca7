/* log/log.h: log lines from any thread, without blocking it.
 *
 * Before log_start(), a line is written to standard error at once, as "penstock: error: message". After it, every thread formats lines into a bounded
 * lock-free ring (base/ring.h) that the log thread drains. If the ring is full, the line is dropped and counted, and the log thread later logs how many lines
 * were lost. Lines longer than LOG_LINE_BYTES are truncated. */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct access_record;

#define LOG_LINE_BYTES 1000

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum log_format {
    LOG_FORMAT_TEXT,
    LOG_FORMAT_JSON, /* one object in each line */
};

enum log_destination { LOG_TO_LOG, LOG_TO_ACCESS, LOG_DESTINATIONS };

struct log_options {
    const char *target;        /* as log/target.h parses it */
    enum log_level level;
    enum log_format format;
    const char *access_target; /* NULL: off */
    enum log_format access_format;
};

/* Opens the sinks and starts the log thread. Returns 0, or a negative errno. On failure `*failed_target` is the target that could not be opened, or NULL if
 * the thread could not be started. Control only. */
int log_start(const struct log_options *options, const char **failed_target);

/* Tells the log that the process has started. Until then, errors are also written to standard error, because a person who starts Penstock looks there.
 * Control only. */
void log_started(void);

/* Waits at most one second until the lines that this thread has logged are written. For use before the process aborts. Any thread. */
void log_flush(void);

/* Drains the ring, joins the log thread and closes the sinks. Does nothing if the log was not started. Control only, as its last step. */
void log_stop(void);

/* Asks the log thread to reopen its files, after logrotate has moved them. Control only. */
void log_reopen(void);

/* From now on, writes lines of this level and the more severe ones. Any thread. */
void log_set_level(enum log_level level);
/* Returns the least severe level that is written. Any thread. */
enum log_level log_level_now(void);

/* Whether a line of this level would be written; use it to avoid costly formatting. Any thread. */
bool log_enabled(enum log_level level);
/* Whether an access log is written. Any thread. */
bool log_access_enabled(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes one line to the access log, with the present time. The log thread makes the line from the copied values. */
void log_access(const struct access_record *access);

/* Returns the number of lines that were dropped since the start, because the queue was full or the target did not take them. If both logs go to the same pipe,
 * socket or terminal, lines that it did not take count for the log. Any thread. */
uint64_t log_dropped(enum log_destination destination);

#endif
