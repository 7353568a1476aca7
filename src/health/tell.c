/* health/tell.c: the log lines that are also events of the admin API. Health thread; owns nothing. */
#include "health/tell.h"

#include <stdarg.h>
#include <stdio.h>

#include "table/backend.h"
#include "table/pool.h"
#include "table/table.h"

static void write_line(enum log_level level, const char *pool, const char *backend, const char *text)
{
    const char *word = backend[0] != '\0' ? "backend " : "", *space = backend[0] != '\0' && text[0] != ':' ? " " : "";

    switch (level) {
    case LOG_ERROR:
        log_error("pool %s: %s%s%s%s", pool, word, backend, space, text);
        break;
    case LOG_WARN:
        log_warn("pool %s: %s%s%s%s", pool, word, backend, space, text);
        break;
    default:
        log_info("pool %s: %s%s%s%s", pool, word, backend, space, text);
    }
}

__attribute__((format(printf, 4, 0)))
static void tell_text(enum log_level level, const struct pool *pool, const char *backend, const char *format, va_list values)
{
    char text[LOG_LINE_BYTES];

    (void)vsnprintf(text, sizeof(text), format, values);
    write_line(level, pool->name, backend, text);
    table_note_line(pool->table, pool->name, backend, text[0] == ':' ? text + 2 : text);
}

void tell_of_pool(enum log_level level, const struct pool *pool, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    tell_text(level, pool, "", format, values);
    va_end(values);
}

void tell_of_backend(enum log_level level, const struct backend *backend, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    tell_text(level, backend->pool, backend->name, format, values);
    va_end(values);
}
