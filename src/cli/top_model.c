/* cli/top_model.c: the numbers of `penstock top`. Main thread; owned by cli/cmd_top.c. */
#include "cli/top_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/member.h"

#define NAME_BYTES 1024 /* of "POOL BACKEND ADDRESS"; longer ones are cut, and then two of them may share their means */

/* The increment of a counter per second. One that has decreased was started again. */
static double rate_of(const json_t *now, const json_t *before, const char *member, double seconds)
{
    double difference = member_number(now, member) - member_number(before, member);

    return before && seconds > 0 && difference > 0 ? difference / seconds : 0;
}

static void name_backend(const json_t *pool, const json_t *backend, char *name)
{
    (void)snprintf(name, NAME_BYTES, "%s %s %s", member_text(pool, "name"), member_text(backend, "name"), member_text(backend, "address"));
}

/* Returns a new object with the backends of an answer by their names, borrowed from it; NULL: out of memory. */
static json_t *index_backends(const json_t *answer)
{
    json_t *index = json_object(), *pool, *backend;
    char name[NAME_BYTES];
    size_t i, j;

    json_array_foreach(json_object_get(answer, "pools"), i, pool) {
        json_array_foreach(json_object_get(pool, "backends"), j, backend) {
            name_backend(pool, backend, name);
            if (!index || json_object_set(index, name, backend) < 0) {
                json_decref(index);
                return NULL;
            }
        }
    }
    return index;
}

/* The mean of the times that were added since the last answer, or else the last known mean; negative: there is none. Stores it in `kept`. */
static double mean_of(const json_t *now, const json_t *before, const char *member, json_t *kept)
{
    const json_t *times = json_object_get(now, member), *earlier = json_object_get(before, member), *last = json_object_get(kept, member);
    double count = member_number(times, "count") - member_number(earlier, "count"), sum = member_number(times, "sum") - member_number(earlier, "sum");

    if (!before || count <= 0 || sum < 0)
        return json_is_number(last) ? json_number_value(last) : -1;
    (void)json_object_set_new(kept, member, json_real(sum / count)); /* without memory, the mean is shown once and not kept */
    return sum / count;
}

static void fill_row(struct top_row *row, const json_t *pool, const json_t *now, const json_t *before, json_t *kept, double seconds)
{
    *row = (struct top_row){
        .pool = member_text(pool, "name"),
        .backend = member_text(now, "name"),
        .address = member_text(now, "address"),
        .state = member_text(now, "state"),
        .reason = member_text(now, "reason"),
        .since_s = member_number(now, "since_s"),
        .sessions = (uint64_t)member_number(now, "sessions"),
        .limit = (uint64_t)member_number(now, "max_connections_now"),
        .weight = (uint64_t)member_number(now, "weight"),
        .new_rate = rate_of(now, before, "sessions_total", seconds) + rate_of(now, before, "flows_total", seconds),
        .out_rate = rate_of(now, before, "bytes_out", seconds),
        .failed_rate = rate_of(now, before, "failed_total", seconds) + rate_of(now, before, "connect_failures", seconds),
        .connect_ms = mean_of(now, before, "connect_ms", kept),
        .first_byte_ms = mean_of(now, before, "first_byte_ms", kept),
    };
}

static size_t count_rows(const json_t *answer)
{
    size_t count = 0, i;
    json_t *pool;

    json_array_foreach(json_object_get(answer, "pools"), i, pool)
        count += 1 + json_array_size(json_object_get(pool, "backends"));
    return count;
}

/* Makes the object in which the means of a backend are kept. Returns a borrowed reference, or NULL: out of memory. */
static json_t *means_of(json_t *means, const json_t *old, const char *name)
{
    json_t *kept = json_object_get(old, name);

    if (kept)
        (void)json_object_set(means, name, kept);
    else
        (void)json_object_set_new(means, name, json_object());
    return json_object_get(means, name);
}

/* Makes the rows. Those of backends that are gone lose their means. */
static int make_rows(struct top_model *model, const struct top_answers *answers, const json_t *before, double seconds)
{
    size_t count = count_rows(answers->pools), i, j, at = 0;
    struct top_row *rows = calloc(count ? count : 1, sizeof(*rows));
    json_t *means = json_object(), *pool, *backend;
    char name[NAME_BYTES];

    if (!rows || !means) {
        free(rows);
        json_decref(means);
        return -ENOMEM;
    }
    json_array_foreach(json_object_get(answers->pools, "pools"), i, pool) {
        struct top_row *heading = &rows[at++];

        *heading = (struct top_row){.pool = member_text(pool, "name"), .address = member_text(pool, "balance"), .state = member_text(pool, "service"),
                                    .reason = "", .sessions = (uint64_t)member_number(pool, "sessions"), .connect_ms = -1, .first_byte_ms = -1};
        json_array_foreach(json_object_get(pool, "backends"), j, backend) {
            struct top_row *row = &rows[at++];

            name_backend(pool, backend, name);
            fill_row(row, pool, backend, json_object_get(before, name), means_of(means, model->means, name), seconds);
            heading->new_rate += row->new_rate;
            heading->out_rate += row->out_rate;
            heading->failed_rate += row->failed_rate;
        }
    }
    free(model->rows);
    json_decref(model->means);
    model->rows = rows;
    model->row_count = count;
    model->means = means;
    return 0;
}

static int make_workers(struct top_model *model, const struct top_answers *answers, double seconds)
{
    json_t *now = json_object_get(answers->workers, "workers"), *before = json_object_get(model->workers_json, "workers");
    size_t count = json_array_size(now);
    struct top_worker *workers = calloc(count ? count : 1, sizeof(*workers));

    if (!workers)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        workers[i].sessions = (uint64_t)member_number(json_array_get(now, i), "sessions");
        workers[i].cpu = rate_of(json_array_get(now, i), json_array_get(before, i), "cpu_s", seconds);
    }
    free(model->workers);
    model->workers = workers;
    model->worker_count = count;
    return 0;
}

static void sum_up(struct top_model *model, const struct top_answers *answers, double seconds)
{
    json_t *now = json_object_get(answers->listeners, "listeners"), *before = json_object_get(model->listeners, "listeners");

    model->new_rate = model->in_rate = model->out_rate = model->failed_rate = 0;
    for (size_t i = 0; i < json_array_size(now); i++) {
        const json_t *listener = json_array_get(now, i), *earlier = json_array_get(before, i);

        if (earlier && strcmp(member_text(listener, "name"), member_text(earlier, "name")) != 0)
            continue;
        model->new_rate += rate_of(listener, earlier, "accepted", seconds);
        model->in_rate += rate_of(listener, earlier, "bytes_in", seconds);
        model->out_rate += rate_of(listener, earlier, "bytes_out", seconds);
    }
    for (size_t i = 0; i < model->row_count; i++)
        if (!model->rows[i].backend)
            model->failed_rate += model->rows[i].failed_rate;
    model->version = member_text(answers->status, "version");
    model->engine = member_text(answers->status, "engine");
    model->state = member_text(answers->status, "state");
    model->uptime_s = member_number(answers->status, "uptime_s");
    model->sessions = (uint64_t)member_number(answers->status, "sessions");
    model->flows = (uint64_t)member_number(answers->status, "flows");
}

bool top_model_is_from(const struct top_model *model, const json_t *status)
{
    return member_number(model->status, "pid") == member_number(status, "pid") &&
           strcmp(member_text(model->status, "started"), member_text(status, "started")) == 0;
}

static void keep_answers(struct top_model *model, const struct top_answers *answers)
{
    json_decref(model->status);
    json_decref(model->pools);
    json_decref(model->workers_json);
    json_decref(model->listeners);
    model->status = answers->status;
    model->pools = answers->pools;
    model->workers_json = answers->workers;
    model->listeners = answers->listeners;
}

int top_model_take(struct top_model *model, const struct top_answers *answers, uint64_t now_ns)
{
    double seconds;
    json_t *before;
    int result;

    if (model->taken_ns && !top_model_is_from(model, answers->status))
        top_model_clear(model);
    seconds = model->taken_ns ? (double)(now_ns - model->taken_ns) / 1e9 : 0;
    before = index_backends(model->pools);
    result = before ? make_rows(model, answers, before, seconds) : -ENOMEM;
    if (result == 0)
        result = make_workers(model, answers, seconds);
    if (result == 0)
        sum_up(model, answers, seconds);
    json_decref(before);
    keep_answers(model, answers); /* the rows now borrow from these */
    model->taken_ns = now_ns;
    if (result < 0)
        top_model_clear(model);
    return result;
}

static enum top_order sort_order; /* qsort(3) has no argument for it; main thread only */

static double sort_value(const struct top_row *row)
{
    switch (sort_order) {
    case TOP_BY_SESSIONS:
        return (double)row->sessions;
    case TOP_BY_RATE:
        return row->new_rate;
    case TOP_BY_FIRST_BYTE:
        return row->first_byte_ms;
    case TOP_BY_FAILURES:
        return row->failed_rate;
    default:
        return 0;
    }
}

static int compare_rows(const void *a, const void *b)
{
    double left = sort_value(a), right = sort_value(b);

    if (left != right)
        return left > right ? -1 : 1;
    return strcmp(((const struct top_row *)a)->backend, ((const struct top_row *)b)->backend);
}

void top_model_sort(struct top_model *model, enum top_order order)
{
    if (order == TOP_BY_NAME) /* they come in the order of the configuration */
        return;
    sort_order = order;
    for (size_t begin = 0, end; begin < model->row_count; begin = end) {
        for (end = begin + 1; end < model->row_count && model->rows[end].backend; end++)
            ;
        qsort(&model->rows[begin + 1], end - begin - 1, sizeof(*model->rows), compare_rows);
    }
}

void top_model_clear(struct top_model *model)
{
    keep_answers(model, &(struct top_answers){0});
    json_decref(model->means);
    free(model->rows);
    free(model->workers);
    *model = (struct top_model){0};
}
