/* log/thread.h: the log thread, seen from log.c: a queue of records and what drains it. Private to src/log. */
#ifndef LOG_THREAD_H
#define LOG_THREAD_H

#include <stdint.h>
#include <time.h>

#include "log/log.h"

enum log_destination { LOG_TO_LOG, LOG_TO_ACCESS, LOG_DESTINATIONS };

struct log_record {
    struct timespec when; /* CLOCK_REALTIME */
    uint16_t bytes;       /* of text, at most LOG_LINE_BYTES - 1 */
    uint8_t level;        /* enum log_level; only for LOG_TO_LOG */
    uint8_t destination;  /* enum log_destination */
    char text[LOG_LINE_BYTES];
};

extern const char *const log_level_names[]; /* by enum log_level */

/* As log_start() and log_stop(). Stopping writes what is left for at most a second. Control only. */
int log_thread_start(const struct log_options *options, const char **failed_path);
void log_thread_stop(void);

/* As log_flush(). Any thread, while the log thread runs. */
void log_thread_flush(void);

/* Opens the files anew at the next turn. Control only, while the thread runs. */
void log_thread_reopen(void);

/* Hands a record over, or counts it as lost when the queue is full. Any thread, while the log thread runs. */
void log_thread_submit(const struct log_record *record);

#endif
