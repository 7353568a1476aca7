/* log/log.h: log lines from any thread, without blocking it.
 *
 * Before log_start(), a line is written to standard error at once, as "penstock: error: message". After it, every thread formats lines into a bounded
 * lock-free ring (base/ring.h) that the log thread drains. If the ring is full, the line is dropped and counted, and the log thread later logs how many lines
 * were lost. Lines longer than LOG_LINE_BYTES are truncated. */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include <stdbool.h>

#define LOG_LINE_BYTES 1000

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_options {
    const char *path;        /* "stderr" or a file to append to */
    enum log_level level;
    const char *access_path; /* NULL: off; "stderr" or a file to append to */
};

/* Opens the sinks and starts the log thread. Returns 0, or a negative errno. On failure `*failed_path` is the path that could not be opened, or NULL if the
 * thread could not be started. Control only. */
int log_start(const struct log_options *options, const char **failed_path);

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

/* Writes one line to the access log; the log thread adds the time stamp. */
void log_access(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
