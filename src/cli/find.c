/* cli/find.c: finds what an operator names, in the answer to GET /v1/pools. Main thread. */
#include "cli/find.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "config/suggest.h"

static const char *name_of(const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "name"));

    return name ? name : "";
}

static const json_t *pools_of(const json_t *answer)
{
    return json_object_get(answer, "pools");
}

static bool has_backend(const json_t *pool, const char *name)
{
    size_t i;
    json_t *backend;

    json_array_foreach(json_object_get(pool, "backends"), i, backend)
        if (strcmp(name_of(backend), name) == 0)
            return true;
    return false;
}

static enum find_result __attribute__((format(printf, 3, 4))) explain_result(struct find_backend *found, enum find_result result, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(found->error, sizeof(found->error), format, values);
    va_end(values);
    return result;
}

static enum find_result no_pool(const json_t *answer, const char *name, struct find_backend *found)
{
    struct suggest suggest = {0};
    size_t i;
    json_t *pool;

    json_array_foreach(pools_of(answer), i, pool)
        suggest_offer(&suggest, name, name_of(pool));
    if (suggest.nearest)
        return explain_result(found, FIND_NO_POOL, "there is no pool \"%.80s\"; did you mean \"%s\"?", name, suggest.nearest);
    return explain_result(found, FIND_NO_POOL, "there is no pool \"%.80s\"; penstock status lists the pools", name);
}

/* Whether the administrator or its removal keeps a backend with this state from new sessions. */
static bool is_ordered_out(const char *state)
{
    return strcmp(state, "drain") == 0 || strcmp(state, "maint") == 0 || strcmp(state, "leaving") == 0;
}

/* Finds a backend in the pool that was named with it. */
static enum find_result find_in_pool(const json_t *answer, const char *name, const char *slash, struct find_backend *found)
{
    struct suggest suggest = {0};
    const json_t *pool = NULL;
    json_t *each;
    size_t i;

    (void)snprintf(found->pool, sizeof(found->pool), "%.*s", (int)(slash - name), name);
    (void)snprintf(found->backend, sizeof(found->backend), "%s", slash + 1);
    json_array_foreach(pools_of(answer), i, each)
        if (strcmp(name_of(each), found->pool) == 0)
            pool = each;
    if (!pool)
        return no_pool(answer, found->pool, found);
    if (has_backend(pool, slash + 1))
        return FIND_DONE;
    json_array_foreach(json_object_get(pool, "backends"), i, each)
        suggest_offer(&suggest, slash + 1, name_of(each));
    if (suggest.nearest)
        return explain_result(found, FIND_NO_BACKEND, "pool %s has no backend \"%.80s\"; did you mean \"%s/%s\"?", found->pool, slash + 1, found->pool,
                              suggest.nearest);
    return explain_result(found, FIND_NO_BACKEND, "pool %s has no backend \"%.80s\"; penstock status %s lists its backends", found->pool, slash + 1,
                          found->pool);
}

/* Adds " POOL/BACKEND" to the end of a list. */
static void list_candidate(char *list, size_t size, const char *pool, const char *backend)
{
    size_t used = strlen(list);

    (void)snprintf(list + used, size - used, "%s%s/%s", used > 0 ? ", " : "", pool, backend);
}

enum find_result find_in(const json_t *answer, const char *name, struct find_backend *found)
{
    struct suggest suggest = {0};
    const char *slash = strchr(name, '/'), *near_pool = "";
    char candidates[FIND_ERROR_BYTES - 100] = "";
    unsigned count = 0;
    size_t i, j;
    json_t *pool, *backend;

    *found = (struct find_backend){0};
    if (slash)
        return find_in_pool(answer, name, slash, found);
    json_array_foreach(pools_of(answer), i, pool) {
        const char *nearest = suggest.nearest;

        json_array_foreach(json_object_get(pool, "backends"), j, backend)
            suggest_offer(&suggest, name, name_of(backend));
        if (suggest.nearest != nearest)
            near_pool = name_of(pool);
        if (!has_backend(pool, name))
            continue;
        count++;
        list_candidate(candidates, sizeof(candidates), name_of(pool), name);
        (void)snprintf(found->pool, sizeof(found->pool), "%s", name_of(pool));
        (void)snprintf(found->backend, sizeof(found->backend), "%s", name);
    }
    if (count == 1)
        return FIND_DONE;
    if (count > 1)
        return explain_result(found, FIND_AMBIGUOUS, "%u pools have a backend \"%.64s\"; write one of %s", count, name, candidates);
    if (suggest.nearest)
        return explain_result(found, FIND_AMBIGUOUS, "no pool has a backend \"%.80s\"; did you mean \"%s/%s\"?", name, near_pool, suggest.nearest);
    return explain_result(found, FIND_AMBIGUOUS, "no pool has a backend \"%.80s\"; penstock status lists them", name);
}

int find_by_name(struct remote *remote, const char *name, struct find_backend *found)
{
    json_t *answer;
    int status = remote_json(remote, "GET", "/v1/pools", NULL, &answer);

    if (status == 0 && find_in(answer, name, found) != FIND_DONE)
        status = remote_fail(remote, 1, "%s", found->error);
    json_decref(answer);
    return status;
}

int find_pools(struct remote *remote, const char *pool, json_t **answer)
{
    struct find_backend found;
    int status = remote_json(remote, "GET", "/v1/pools", NULL, answer);
    json_t *pools, *kept = NULL, *each;
    size_t i;

    if (status != 0 || !pool)
        return status;
    pools = json_object_get(*answer, "pools");
    json_array_foreach(pools, i, each)
        if (strcmp(name_of(each), pool) == 0)
            kept = json_incref(each);
    if (kept) {
        (void)json_array_clear(pools);
        (void)json_array_append_new(pools, kept);
        return 0;
    }
    (void)no_pool(*answer, pool, &found);
    json_decref(*answer);
    *answer = NULL;
    return remote_fail(remote, 1, "%s", found.error);
}

struct find_sum find_sum(const json_t *answer, const struct find_backend *found)
{
    struct find_sum sum = {0};
    json_t *pool, *backend;
    size_t i, j;

    json_array_foreach(pools_of(answer), i, pool) {
        json_array_foreach(strcmp(name_of(pool), found->pool) == 0 ? json_object_get(pool, "backends") : NULL, j, backend) {
            const char *state = json_string_value(json_object_get(backend, "state"));
            bool is_idle;

            if (strcmp(name_of(backend), found->backend) != 0 || !state)
                continue;
            is_idle = is_ordered_out(state) || (strcmp(state, "down") == 0 && !json_is_true(json_object_get(backend, "serves")));
            if (!sum.state || (!is_idle && sum.idle == sum.count))
                sum.state = state;
            sum.count++;
            sum.sessions += (uint64_t)json_integer_value(json_object_get(backend, "sessions"));
            sum.ordered_out += is_ordered_out(state);
            sum.idle += is_idle;
        }
    }
    return sum;
}
