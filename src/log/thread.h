/* log/thread.h: the log thread and its queue of records, for log.c. Private to src/log. */
#ifndef LOG_THREAD_H
#define LOG_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "log/access.h"
#include "log/log.h"

struct log_record {
    struct timespec when; /* CLOCK_REALTIME */
    uint16_t bytes;       /* of text, at most LOG_LINE_BYTES - 1 */
    uint8_t level;        /* enum log_level; LOG_INFO for LOG_TO_ACCESS */
    uint8_t destination;  /* enum log_destination */
    union {
        char text[LOG_LINE_BYTES];   /* LOG_TO_LOG */
        struct access_record access; /* LOG_TO_ACCESS */
    };
};

extern const char *const log_level_names[]; /* by enum log_level */

/* Like log_start() and log_stop(). A stop writes the remaining records for at most one second. Control only. */
int log_thread_start(const struct log_options *options, const char **failed_target);
void log_thread_stop(void);

/* Like log_flush(). Any thread, while the log thread runs. */
void log_thread_flush(void);

/* Reopens the files in the next turn of the log thread. Control only, while the thread runs. */
void log_thread_reopen(void);

/* Whether the log goes where standard error goes. Control only, before the files are reopened. */
bool log_thread_is_stderr(void);

/* As log_dropped(). */
uint64_t log_thread_dropped(enum log_destination destination);

/* Queues a record, or counts it as lost if the queue is full. Any thread, while the log thread runs. */
void log_thread_submit(const struct log_record *record);

#endif
