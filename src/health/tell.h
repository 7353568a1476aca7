/* health/tell.h: writes a line about a pool or a backend to the log, and keeps it for the admin API (table/history.h). Health thread. */
#ifndef HEALTH_TELL_H
#define HEALTH_TELL_H

#include "log/log.h"

struct backend;
struct pool;

/* Tells "pool NAME: TEXT". */
void tell_of_pool(enum log_level level, const struct pool *pool, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Tells "pool NAME: backend NAME TEXT". The text may begin with ": ". */
void tell_of_backend(enum log_level level, const struct backend *backend, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
