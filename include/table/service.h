/* table/service.h: which backends of a pool take new sessions. The first matching row decides:
 *
 *   rule       condition                                                                  who takes new sessions
 *   ---------  -------------------------------------------------------------------------  ----------------------------
 *   PANIC      fewer than panic_threshold percent of the eligible backends are usable     all that are eligible
 *   PRIMARIES  a primary is usable                                                        the primaries that are usable
 *   BACKUPS    a backup is usable                                                         the backups that are usable
 *   TIMED_OUT  timeouts alone took a backend out                                          those backends
 *   FAIL_OPEN  all_down = fail_open                                                       all that are eligible
 *   NONE       otherwise                                                                  none
 *
 * A backend is eligible if only its health could keep it out (table/backend_state.h). PANIC counts one kind of backends: the primaries if one of them is
 * usable, or else the backups if one of them is usable. If none is usable, and in TIMED_OUT and FAIL_OPEN, it is the primaries, or the backups if no primary
 * qualifies. Publisher. */
#ifndef TABLE_SERVICE_H
#define TABLE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

struct backend;
struct pool;

enum service_rule { SERVICE_PRIMARIES, SERVICE_BACKUPS, SERVICE_PANIC, SERVICE_TIMED_OUT, SERVICE_FAIL_OPEN, SERVICE_NONE };

struct service {
    enum service_rule rule;
    bool uses_backups; /* those that take new sessions are backups */
    size_t usable;     /* number of usable backends of this kind */
    size_t eligible;   /* number of eligible backends of this kind */
    size_t takers;     /* number of backends that take new sessions */
};

/* Applies the table above to the present states of the pool's backends. */
struct service service_decide(const struct pool *pool);

/* Whether the backend, which is one of that pool, takes new sessions. */
bool service_takes(const struct service *service, const struct backend *backend);

/* Whether the backend is in reserve: it takes no new sessions, but a session whose backend has failed may try it, because it is a usable backup, or because
 * only an ejection keeps it out. */
bool service_reserves(const struct service *service, const struct backend *backend);

#endif
