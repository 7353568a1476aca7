/* log/log.h: log lines from any thread, without blocking it.
 *
 * Before log_start() a line is written to standard error at once, as "penstock: error: message". After it, every thread formats into a bounded
 * lock-free ring (base/ring.h) that the log thread drains; when the ring is full the line is dropped and counted, and the log thread says how
 * many were lost. Lines of over LOG_LINE_BYTES are cut. */
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

/* Opens the sinks and starts the log thread. Returns 0, or a negative errno with `*failed_path` set to the path that could not be opened
 * (NULL when it was the thread that could not be made). Control only. */
int log_start(const struct log_options *options, const char **failed_path);

/* The process has started. Until then, errors go to standard error too, whatever the log is: who started it looks there.
 * Control only. */
void log_started(void);

/* Waits, a second at most, until the lines that this thread has logged are written: before the process gives itself up.
 * Any thread. */
void log_flush(void);

/* Drains, joins the thread, closes the sinks. Control only, last. Does nothing when it was not started. */
void log_stop(void);

/* Asks the log thread to open its files anew (after logrotate moved them). Control only. */
void log_reopen(void);

/* Whether a line of that level would be written: guards costly formatting. Any thread. */
bool log_enabled(enum log_level level);
/* Whether an access log is written. Any thread. */
bool log_access_enabled(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One finished line for the access log (the thread adds the time stamp in front). */
void log_access(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
