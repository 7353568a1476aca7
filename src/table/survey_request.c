/* table/survey_request.c: the memory in which workers answer a query. The asker and the workers that were asked. */
#include "table/survey_request.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/list.h"

static void free_request(struct survey_request *request)
{
    for (unsigned i = 0; i < request->workers; i++) {
        free(request->parts[i].rows);
        free(request->parts[i].places);
    }
    free(request);
}

static void on_dispose(struct request *request)
{
    free_request(container_of(request, struct survey_request, request));
}

/* ---- the asker ---- */

struct survey_request *survey_request_new(const struct survey_query *query, enum survey_action action, unsigned workers)
{
    struct survey_request *request = calloc(1, sizeof(*request) + workers * sizeof(request->parts[0]));

    assert(action != SURVEY_LIST || (query->limit > 0 && query->limit <= SURVEY_ROWS_MAX));
    if (!request)
        return NULL;
    request->query = *query;
    request->action = action;
    request->workers = workers;
    request->asked_ns = clock_now_ns();
    request_init(&request->request, NULL, on_dispose);
    for (unsigned i = 0; i < workers && action == SURVEY_LIST; i++) {
        struct survey_part *part = &request->parts[i];

        part->rows = calloc(query->limit, sizeof(part->rows[0]));
        part->places = calloc(query->limit, sizeof(part->places[0]));
        if (!part->rows || !part->places) {
            request_drop(&request->request);
            return NULL;
        }
    }
    return request;
}

void survey_request_ask(struct survey_request *request, unsigned worker)
{
    assert(worker < request->workers && !request->parts[worker].asked);
    request->parts[worker].asked = true;
    request_add(&request->request);
}

int survey_request_wait(struct survey_request *request, uint64_t deadline_ns)
{
    return request_await(&request->request, deadline_ns);
}

static uint64_t rank_of(const struct survey_request *request, const struct survey_row *row)
{
    return survey_rank(request->query.order, row->age_ns, row->idle_ns, row->bytes);
}

/* For qsort_r(). No two rows are equal. */
static int compare_rows(const void *left, const void *right, void *context)
{
    const struct survey_row *a = *(const struct survey_row *const *)left, *b = *(const struct survey_row *const *)right;
    uint64_t rank_a = rank_of(context, a), rank_b = rank_of(context, b);

    if (rank_a != rank_b)
        return rank_a > rank_b ? -1 : 1;
    if (a->worker != b->worker)
        return a->worker < b->worker ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

/* Adds an answered part. Writes pointers to its rows to `rows`, and returns their number. */
static size_t add_part(const struct survey_part *part, struct survey *survey, const struct survey_row **rows)
{
    survey->matched += part->matched;
    survey->closed += part->closed;
    for (uint32_t i = 0; i < part->count; i++)
        rows[i] = &part->rows[i];
    return part->count;
}

/* Adds all parts that are answered. Returns the number of rows, or -EBUSY. */
static ssize_t add_parts(const struct survey_request *request, struct survey *survey, const struct survey_row **rows)
{
    size_t count = 0;
    bool busy = false;

    for (unsigned i = 0; i < request->workers; i++) {
        const struct survey_part *part = &request->parts[i];

        if (!part->asked)
            continue;
        if (!atomic_load_explicit(&part->answered, memory_order_acquire)) {
            survey->late++;
            continue;
        }
        count += add_part(part, survey, rows + count);
        busy = busy || part->result == -EBUSY;
    }
    return busy ? -EBUSY : (ssize_t)count;
}

/* Copies the first ones of `count` rows. Returns 0 or -ENOMEM. */
static int copy_rows(struct survey_request *request, struct survey *survey, const struct survey_row **rows, size_t count)
{
    if (count == 0)
        return 0;
    qsort_r(rows, count, sizeof(*rows), compare_rows, request);
    if (count > request->query.limit)
        count = request->query.limit;
    survey->rows = malloc(count * sizeof(survey->rows[0]));
    if (!survey->rows)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        survey->rows[i] = *rows[i];
    survey->count = count;
    return 0;
}

int survey_request_collect(struct survey_request *request, struct survey *survey)
{
    const struct survey_row **rows = calloc((size_t)request->workers * request->query.limit + 1, sizeof(*rows)); /* never of size 0 */
    ssize_t result = -ENOMEM;

    *survey = (struct survey){0};
    if (rows)
        result = add_parts(request, survey, rows);
    if (result > 0)
        result = copy_rows(request, survey, rows, (size_t)result);
    free(rows);
    return (int)result;
}

void survey_request_drop(struct survey_request *request)
{
    request_drop(&request->request);
}

/* ---- a worker that was asked ---- */

/* Whether the first place is after the second one in the order. */
static bool is_after(const struct survey_part *part, const struct survey_place *a, const struct survey_place *b)
{
    return a->rank != b->rank ? a->rank < b->rank : part->rows[a->row].number > part->rows[b->row].number;
}

static void swap_places(struct survey_place *a, struct survey_place *b)
{
    struct survey_place c = *a;

    *a = *b;
    *b = c;
}

/* Restores the heap after its last place was added. */
static void sift_up(struct survey_part *part)
{
    struct survey_place *places = part->places;

    for (uint32_t i = part->count - 1; i > 0 && is_after(part, &places[i], &places[(i - 1) / 2]); i = (i - 1) / 2)
        swap_places(&places[i], &places[(i - 1) / 2]);
}

/* Restores the heap after its top was replaced. */
static void sift_down(struct survey_part *part)
{
    struct survey_place *places = part->places;

    for (uint32_t i = 0, last = 0;; i = last) {
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < part->count; child++) {
            if (is_after(part, &places[child], &places[last]))
                last = child;
        }
        if (last == i)
            return;
        swap_places(&places[i], &places[last]);
    }
}

/* The part has as many rows as it may: replaces the last one in the order. Returns NULL if the subject would be after it. */
static struct survey_row *replace_last(struct survey_part *part, const struct survey_subject *subject, uint64_t rank)
{
    struct survey_place *top = &part->places[0];
    struct survey_row *row = &part->rows[top->row];

    if (rank < top->rank || (rank == top->rank && subject->number > row->number))
        return NULL;
    survey_fill_row(row, subject);
    top->rank = rank;
    sift_down(part);
    return row;
}

struct survey_row *survey_request_offer(struct survey_request *request, const struct survey_subject *subject)
{
    struct survey_part *part = &request->parts[subject->worker];
    uint64_t rank = survey_rank(request->query.order, subject->age_ns, subject->idle_ns, subject->bytes);
    struct survey_row *row;

    assert(request->action == SURVEY_LIST && part->count <= request->query.limit);
    part->matched++;
    if (part->count == request->query.limit)
        return replace_last(part, subject, rank);
    row = &part->rows[part->count];
    survey_fill_row(row, subject);
    part->places[part->count] = (struct survey_place){.rank = rank, .row = part->count};
    part->count++;
    sift_up(part);
    return row;
}

void survey_request_note_closed(struct survey_request *request, unsigned worker)
{
    request->parts[worker].matched++;
    request->parts[worker].closed++;
}

void survey_request_answer(struct survey_request *request, unsigned worker, int result)
{
    struct survey_part *part = &request->parts[worker];

    assert(!atomic_load_explicit(&part->answered, memory_order_relaxed));
    part->result = result;
    atomic_store_explicit(&part->answered, true, memory_order_release);
    request_answer(&request->request);
}
