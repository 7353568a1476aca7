/* cli/change.c: changes options of a backend. Main thread. */
#include "cli/change.h"

#include <stdio.h>
#include <stdlib.h>

int change_backend(struct remote *remote, const char *name, json_t *options, struct find_backend *found, json_t **answer)
{
    int status = options ? find_by_name(remote, name, found) : remote_fail(remote, 1, "out of memory");
    char *path = status == 0 ? remote_path("/v1/pools/%s/backends/%s", found->pool, found->backend) : NULL;

    *answer = NULL;
    if (status == 0)
        status = remote_json(remote, "PATCH", path, options, answer);
    free(path);
    json_decref(options);
    return status;
}

int change_print(const struct remote *remote, const json_t *answer)
{
    const char *name, *separator = ": ";
    json_t *value;

    if (remote->json)
        return remote_print(remote, answer);
    printf("%s/%s", json_string_value(json_object_get(answer, "pool")), json_string_value(json_object_get(answer, "backend")));
    json_object_foreach(json_object_get(answer, "options"), name, value) {
        printf("%s%s = %s", separator, name, json_is_string(value) ? json_string_value(value) : "default");
        separator = ", ";
    }
    putchar('\n');
    return 0;
}
