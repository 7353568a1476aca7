/* cli/filter.c: the options with which sessions are chosen. Main thread. */
#include "cli/filter.h"

#include <string.h>

#include "cli/find.h"

bool filter_is_empty(const struct filter *filter)
{
    return !filter->listener && !filter->pool && !filter->backend && !filter->client && !filter->older;
}

int filter_add(struct remote *remote, const struct filter *filter, char **path)
{
    const char *pool = filter->pool, *backend = filter->backend;
    struct find_backend found;
    json_t *answer = NULL;
    int status = 0;

    if (backend && (!pool || strchr(backend, '/'))) {
        status = find_by_name(remote, backend, &found);
        if (status == 0 && pool && strcmp(pool, found.pool) != 0)
            status = remote_fail(remote, 2, "--pool %s and --backend %s exclude each other", pool, backend);
        pool = found.pool;
        backend = found.backend;
    } else if (pool) {
        status = find_pools(remote, pool, &answer); /* an unknown pool is an error, and not a pool without sessions */
        json_decref(answer);
    }
    if (status != 0)
        return status;
    *path = remote_add(*path, "listener", filter->listener);
    *path = remote_add(*path, "pool", pool);
    *path = remote_add(*path, "backend", backend);
    *path = remote_add(*path, "client", filter->client);
    *path = remote_add(*path, "older", filter->older);
    return 0;
}
