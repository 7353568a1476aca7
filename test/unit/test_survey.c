/* test/unit/test_survey.c: which sessions match a query, which rows of several workers are first, and what happens if a worker answers late or never. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "table/backend.h"
#include "table/lease.h"
#include "table/listener.h"
#include "table/pool.h"
#include "table/survey.h"
#include "table/survey_request.h"

enum { WORKERS = 3, SUBJECTS = 2000 };

static struct listener web = {.name = "web"};
static struct pool app = {.name = "app"};
static struct backend b1 = {.name = "b1"};
static const struct lease leased = {.listener = &web, .pool = &app, .backend = &b1}, unconnected = {.listener = &web, .pool = &app};

static struct addr address(const char *text)
{
    struct addr addr;

    assert_null(addr_parse(&addr, text));
    return addr;
}

/* ---- matching ---- */

static bool matches(const struct survey_query *query)
{
    struct addr client = address("192.0.2.77:5000");
    struct survey_subject subject = {.worker = 2, .number = 1734, .lease = &leased, .client = &client, .age_ns = 1000};

    return survey_matches(query, &subject);
}

static void test_filters(void **state)
{
    struct addr client = address("192.0.2.77:5000");
    struct survey_subject subject = {.worker = 2, .number = 1734, .lease = &unconnected, .client = &client};

    (void)state;
    assert_true(matches(&(struct survey_query){0}));
    assert_true(matches(&(struct survey_query){.listener = "web", .pool = "app", .backend = "b1", .older_ns = 1000, .worker = 2, .number = 1734}));
    assert_false(matches(&(struct survey_query){.listener = "we"}));
    assert_false(matches(&(struct survey_query){.pool = "apps"}));
    assert_false(matches(&(struct survey_query){.backend = "b2"}));
    assert_false(matches(&(struct survey_query){.older_ns = 1001}));
    assert_false(matches(&(struct survey_query){.worker = 1, .number = 1734}));
    assert_false(matches(&(struct survey_query){.worker = 2, .number = 1735}));
    assert_true(matches(&(struct survey_query){.worker = 1})); /* without a number, the worker does not matter */
    assert_true(survey_matches(&(struct survey_query){.pool = "app"}, &subject));
    assert_false(survey_matches(&(struct survey_query){.backend = "b1"}, &subject));
}

static void test_networks(void **state)
{
    static const struct {
        const char *client, *network;
        uint8_t bits;
        bool is_in;
        bool any_port;
    } cases[] = {
        {"192.0.2.77:5000", "192.0.2.0:1", 24, true, true},
        {"192.0.2.77:5000", "192.0.3.0:1", 24, false, true},
        {"192.0.2.77:5000", "192.0.3.0:1", 23, true, true},
        {"192.0.2.77:5000", "192.0.2.64:1", 27, true, true},
        {"192.0.2.77:5000", "192.0.2.96:1", 27, false, true},
        {"192.0.2.77:5000", "192.0.2.77:1", 32, true, true},
        {"192.0.2.77:5000", "192.0.2.76:1", 32, false, true},
        {"192.0.2.77:5000", "10.0.0.0:1", 0, true, true},
        {"192.0.2.77:5000", "[::1]:1", 0, false, true},
        {"192.0.2.77:5000", "192.0.2.77:5000", 32, true, false},
        {"192.0.2.77:5000", "192.0.2.77:5001", 32, false, false},
        {"[2001:db8:0:7::1]:9", "[2001:db8:0:7::]:1", 64, true, true},
        {"[2001:db8:0:7::1]:9", "[2001:db8:0:4::]:1", 62, true, true},
        {"[2001:db8:0:7::1]:9", "[2001:db8:0:4::]:1", 63, false, true},
        {"[2001:db8::1]:9", "[2001:db8::2]:1", 128, false, true},
        {"unix:/tmp/c", "192.0.2.0:1", 0, false, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct addr client = address(cases[i].client);
        struct survey_query query = {.client = address(cases[i].network), .client_bits = cases[i].bits};
        struct survey_subject subject = {.lease = &leased, .client = &client};

        if (cases[i].any_port)
            addr_set_port(&query.client, 0);
        if (survey_matches(&query, &subject) != cases[i].is_in)
            fail_msg("client %s, network %s, %u bits", cases[i].client, cases[i].network, cases[i].bits);
        subject.client = &(struct addr){0}; /* as of a flow that all clients share */
        assert_false(survey_matches(&query, &subject));
    }
}

/* ---- the first rows ---- */

struct model {
    struct survey_subject subjects[SUBJECTS];
    struct addr client;
    enum survey_order order;
};

/* Few values, so that many are equal. An odd seed gives all to one worker, so that the last row of its part is the last row of the answer. */
static void make_subjects(struct model *model, uint64_t seed)
{
    unsigned workers = seed % 2 ? 1 : WORKERS;

    model->client = address("192.0.2.1:1");
    for (unsigned i = 0; i < SUBJECTS; i++) {
        uint64_t random = random_next(&seed);

        model->subjects[i] = (struct survey_subject){
            .worker = i % workers,
            .number = i + 1,
            .lease = random % 5 ? &leased : &unconnected,
            .client = &model->client,
            .age_ns = random >> 8 & 0xff,
            .idle_ns = random >> 16 & 0xff,
            .bytes = {random >> 24 & 0xff, random >> 32 & 0xff},
        };
    }
}

static int compare_subjects(const void *left, const void *right, void *context)
{
    const struct model *model = context;
    const struct survey_subject *a = left, *b = right;
    uint64_t rank_a = survey_rank(model->order, a->age_ns, a->idle_ns, a->bytes), rank_b = survey_rank(model->order, b->age_ns, b->idle_ns, b->bytes);

    if (rank_a != rank_b)
        return rank_a > rank_b ? -1 : 1;
    if (a->worker != b->worker)
        return a->worker < b->worker ? -1 : 1;
    return a->number < b->number ? -1 : 1;
}

static struct survey_request *ask_all(const struct survey_query *query, enum survey_action action)
{
    struct survey_request *request = survey_request_new(query, action, WORKERS);

    assert_non_null(request);
    for (unsigned i = 0; i < WORKERS; i++)
        survey_request_ask(request, i);
    return request;
}

static void offer_all(struct survey_request *request, const struct model *model, unsigned worker)
{
    for (unsigned i = 0; i < SUBJECTS; i++) {
        const struct survey_subject *subject = &model->subjects[i];

        if (subject->worker == worker && survey_matches(&request->query, subject)) {
            struct survey_row *row = survey_request_offer(request, subject);

            if (row)
                row->state = "RELAYING";
        }
    }
}

static void check_first_rows(struct model *model, const struct survey_query *query)
{
    struct survey_request *request = ask_all(query, SURVEY_LIST);
    struct survey found;
    size_t next = 0;

    for (unsigned i = 0; i < WORKERS; i++) {
        offer_all(request, model, i);
        survey_request_answer(request, i, 0);
    }
    assert_int_equal(survey_request_wait(request, clock_now_ns()), 0);
    assert_int_equal(survey_request_collect(request, &found), 0);
    survey_request_drop(request);
    model->order = query->order;
    qsort_r(model->subjects, SUBJECTS, sizeof(model->subjects[0]), compare_subjects, model);
    assert_int_equal(found.late, 0);
    for (size_t i = 0; i < SUBJECTS; i++) {
        const struct survey_subject *subject = &model->subjects[i];

        if (!survey_matches(query, subject))
            continue;
        if (next < found.count) {
            const struct survey_row *row = &found.rows[next];

            assert_true(row->worker == subject->worker && row->number == subject->number);
            assert_true(row->age_ns == subject->age_ns && row->idle_ns == subject->idle_ns && row->bytes[1] == subject->bytes[1]);
            assert_string_equal(row->listener, "web");
            assert_string_equal(row->backend, subject->lease->backend ? "b1" : "");
            assert_string_equal(row->state, "RELAYING");
        }
        next++;
    }
    assert_int_equal(found.matched, next);
    assert_int_equal(found.count, next < query->limit ? next : query->limit);
    survey_free(&found);
    survey_free(&found);
}

static void test_first_rows_of_all_workers(void **state)
{
    static const uint32_t limits[] = {1, 2, 7, 100, SURVEY_ROWS_MAX};
    static struct model model;

    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        for (enum survey_order order = SURVEY_AGE; order <= SURVEY_BYTES; order++) {
            for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                make_subjects(&model, seed);
                check_first_rows(&model, &(struct survey_query){.order = order, .limit = limits[i]});
                make_subjects(&model, seed);
                check_first_rows(&model, &(struct survey_query){.order = order, .limit = limits[i], .backend = "b1", .older_ns = 200});
            }
        }
    }
    check_first_rows(&model, &(struct survey_query){.limit = 10, .listener = "none"});
}

/* ---- answers ---- */

static void offer_one(struct survey_request *request, unsigned worker)
{
    struct addr client = {0};
    struct survey_subject subject = {.worker = worker, .number = 1, .lease = &leased, .client = &client, .age_ns = 10};

    assert_non_null(survey_request_offer(request, &subject));
}

static void test_a_late_worker_is_counted_and_safe(void **state)
{
    struct survey_request *request = ask_all(&(struct survey_query){.limit = 10}, SURVEY_LIST);
    struct survey found;
    uint64_t began_ns = clock_now_ns();

    (void)state;
    offer_one(request, 0);
    survey_request_answer(request, 0, 0);
    offer_one(request, 2); /* and does not answer yet */
    assert_int_equal(survey_request_wait(request, began_ns + 20000000), -ETIMEDOUT);
    assert_true(clock_now_ns() >= began_ns + 20000000);
    assert_int_equal(survey_request_collect(request, &found), 0);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.rows[0].worker, 0);
    assert_int_equal(found.matched, 1);
    assert_int_equal(found.late, 2);
    survey_request_drop(request);
    survey_free(&found);

    survey_request_answer(request, 2, 0); /* the workers still hold it */
    survey_request_answer(request, 1, 0); /* frees it: the sanitizer watches */
}

static void test_only_those_who_were_asked_answer(void **state)
{
    struct survey_request *request = survey_request_new(&(struct survey_query){.limit = 1}, SURVEY_LIST, WORKERS);
    struct survey found;

    (void)state;
    survey_request_ask(request, 1);
    offer_one(request, 1);
    survey_request_answer(request, 1, 0);
    assert_int_equal(survey_request_wait(request, clock_now_ns()), 0);
    assert_int_equal(survey_request_collect(request, &found), 0);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.late, 0);
    survey_request_drop(request);
    survey_free(&found);
}

static void test_a_busy_worker_refuses(void **state)
{
    struct survey_request *request = ask_all(&(struct survey_query){.limit = 1}, SURVEY_LIST);
    struct survey found;

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++) {
        offer_one(request, i);
        survey_request_answer(request, i, i == 1 ? -EBUSY : 0);
    }
    assert_int_equal(survey_request_wait(request, clock_now_ns()), 0);
    assert_int_equal(survey_request_collect(request, &found), -EBUSY);
    assert_null(found.rows);
    survey_request_drop(request);
}

static void test_closing_counts(void **state)
{
    struct survey_request *request = ask_all(&(struct survey_query){0}, SURVEY_CLOSE);
    struct survey found;

    (void)state;
    for (unsigned i = 0; i < WORKERS; i++) {
        survey_request_note_closed(request, i);
        survey_request_answer(request, i, 0);
    }
    assert_int_equal(survey_request_wait(request, clock_now_ns()), 0);
    assert_int_equal(survey_request_collect(request, &found), 0);
    assert_int_equal(found.closed, WORKERS);
    assert_int_equal(found.matched, WORKERS);
    assert_int_equal(found.count, 0);
    survey_request_drop(request);
}

/* ---- threads ---- */

struct thread {
    pthread_t thread;
    struct survey_request *request;
    const struct model *model;
    unsigned worker;
};

static void *answer_in_thread(void *argument)
{
    struct thread *thread = argument;

    offer_all(thread->request, thread->model, thread->worker);
    survey_request_answer(thread->request, thread->worker, 0);
    return NULL;
}

/* The deadlines are around the time that the answers take, so that each worker is sometimes late and sometimes not. */
static void test_workers_answer_around_the_deadline(void **state)
{
    static struct model model;
    unsigned late = 0, complete = 0;

    (void)state;
    make_subjects(&model, 8);
    for (unsigned round = 0; round < 300; round++) {
        struct survey_request *request = ask_all(&(struct survey_query){.limit = 50, .order = SURVEY_BYTES}, SURVEY_LIST);
        struct thread threads[WORKERS];
        struct survey found;

        for (unsigned i = 0; i < WORKERS; i++) {
            threads[i] = (struct thread){.request = request, .model = &model, .worker = i};
            assert_int_equal(pthread_create(&threads[i].thread, NULL, answer_in_thread, &threads[i]), 0);
        }
        (void)survey_request_wait(request, clock_now_ns() + (round % 3 == 0 ? UINT64_C(10000000000) : round * 500));
        assert_int_equal(survey_request_collect(request, &found), 0);
        late += found.late > 0;
        complete += found.late == 0;
        assert_true(round % 3 != 0 || (found.late == 0 && found.matched == SUBJECTS));
        assert_int_equal(found.count, found.late == WORKERS ? 0 : 50);
        survey_request_drop(request);
        survey_free(&found);
        for (unsigned i = 0; i < WORKERS; i++)
            assert_int_equal(pthread_join(threads[i].thread, NULL), 0);
    }
    assert_true(complete > 0 && late > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_first_rows_of_all_workers),
        cmocka_unit_test(test_a_late_worker_is_counted_and_safe),
        cmocka_unit_test(test_only_those_who_were_asked_answer),
        cmocka_unit_test(test_a_busy_worker_refuses),
        cmocka_unit_test(test_closing_counts),
        cmocka_unit_test(test_workers_answer_around_the_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
