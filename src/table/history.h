/* table/history.h: the last lines that the health thread has logged about pools and backends, for reports. Publisher. */
#ifndef TABLE_HISTORY_H
#define TABLE_HISTORY_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define HISTORY_LINES 256

/* One line. Its strings are in one block of memory, which begins with `pool`. */
struct history_line {
    uint64_t id;          /* ascending, from 1 */
    struct timespec time; /* of CLOCK_REALTIME */
    char *pool;           /* owned; the name */
    const char *backend;  /* the name; "": the line is about the whole pool */
    const char *text;     /* what follows the names */
};

/* All zero: empty. */
struct history {
    struct history_line lines[HISTORY_LINES]; /* a ring: the line of id N is at N % HISTORY_LINES */
    uint64_t last_id;
};

/* Adds a line, and drops the oldest one if there is no room. The strings are copied. Without memory the line is lost, and its id is not used. */
void history_add(struct history *history, const char *pool, const char *backend, const char *text);

/* Number of lines that are kept. */
size_t history_count(const struct history *history);
/* The line at a position from the oldest, 0, to history_count() - 1. */
const struct history_line *history_line(const struct history *history, size_t position);

/* Frees what it holds. Safe on all zero and twice. */
void history_clear(struct history *history);

#endif
