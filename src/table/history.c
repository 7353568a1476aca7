/* table/history.c: a ring of the last lines about health. Publisher; owned by the table. */
#include "table/history.h"

#include <stdlib.h>
#include <string.h>

void history_add(struct history *history, const char *pool, const char *backend, const char *text)
{
    size_t pool_bytes = strlen(pool) + 1, backend_bytes = strlen(backend) + 1, text_bytes = strlen(text) + 1;
    char *block = malloc(pool_bytes + backend_bytes + text_bytes);
    struct history_line *line;

    if (!block)
        return;
    line = &history->lines[++history->last_id % HISTORY_LINES];
    free(line->pool);
    line->id = history->last_id;
    (void)clock_gettime(CLOCK_REALTIME, &line->time);
    line->pool = memcpy(block, pool, pool_bytes);
    line->backend = memcpy(block + pool_bytes, backend, backend_bytes);
    line->text = memcpy(block + pool_bytes + backend_bytes, text, text_bytes);
}

size_t history_count(const struct history *history)
{
    return history->last_id < HISTORY_LINES ? (size_t)history->last_id : HISTORY_LINES;
}

const struct history_line *history_line(const struct history *history, size_t position)
{
    return &history->lines[(history->last_id - history_count(history) + 1 + position) % HISTORY_LINES];
}

void history_clear(struct history *history)
{
    for (size_t i = 0; i < HISTORY_LINES; i++)
        free(history->lines[i].pool);
    *history = (struct history){0};
}
