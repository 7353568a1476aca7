/* test/unit/test_limit.c: a limit is never exceeded, the longest waiter is next, and no waiter is forgotten. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "table/limit.h"
#include "table/mailbox.h"

enum { NOBODY = -1 };

static int last_told = NOBODY;

static void note(void *context, unsigned worker)
{
    assert_ptr_equal(context, &last_told);
    last_told = (int)worker;
}

static const struct limit_workers four = {.count = 4, .tell = note, .context = &last_told};

/* The worker notified since the last call of told(), or NOBODY. */
static int told(void)
{
    int worker = last_told;

    last_told = NOBODY;
    return worker;
}

static void make_limit(struct limit *limit, uint32_t max)
{
    limit_init(limit, max);
    assert_int_equal(limit_let_wait(limit, &four), 0);
}

static void test_takes_as_many_as_there_are(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 2); /* without limit_let_wait(), nobody can wait */
    assert_true(limit_take(&limit, 100));
    assert_true(limit_take(&limit, 50));
    assert_false(limit_take(&limit, 10));
    assert_false(limit_would_take(&limit, 10));
    assert_int_equal(limit_used(&limit), 2);
    limit_give(&limit);
    assert_true(limit_would_take(&limit, 10));
    assert_true(limit_take(&limit, 1000));
    assert_int_equal(limit_oldest_measured(&limit), 0);
    limit_deinit(&limit);
    limit_deinit(&limit); /* a second deinit is allowed */
    limit_deinit(&(struct limit){0});
}

static void test_the_longest_waiter_is_next(void **state)
{
    struct limit limit;

    (void)state;
    make_limit(&limit, 1);
    assert_true(limit_take(&limit, 2));
    limit_wait(&limit, 3, 30);
    limit_wait(&limit, 1, 20);
    limit_wait(&limit, 2, 40);
    assert_int_equal(told(), NOBODY); /* no place is free */
    limit_give(&limit);
    assert_int_equal(told(), 1);
    assert_false(limit_take(&limit, 50)); /* arrived later than every waiter */
    assert_false(limit_take(&limit, 30));
    assert_true(limit_would_take(&limit, 20));
    limit_wait(&limit, 1, 0); /* the waiting client has disconnected */
    assert_int_equal(told(), 3);
    assert_true(limit_take(&limit, 30));
    limit_wait(&limit, 3, 60); /* the next client in this worker's queue */
    assert_int_equal(told(), NOBODY);
    limit_give(&limit);
    assert_int_equal(told(), 2);
    limit_wait(&limit, 2, 70); /* the next client in this worker's queue arrived after another worker's waiter */
    assert_int_equal(told(), 3);
    limit_wait(&limit, 3, 0);
    limit_wait(&limit, 2, 0);
    (void)told();
    assert_true(limit_take(&limit, 80));
    limit_give(&limit);
    assert_int_equal(told(), NOBODY);
    limit_deinit(&limit);
}

static void test_a_time_that_was_placed_counts_but_is_not_passed_on(void **state)
{
    struct limit limit;

    (void)state;
    make_limit(&limit, 1);
    assert_int_equal(limit_oldest_measured(&limit), 0);
    limit_wait(&limit, 0, 10 | LIMIT_PLACED);
    assert_int_equal(limit_oldest_measured(&limit), 0);
    limit_wait(&limit, 1, 20);
    limit_wait(&limit, 2, 18);
    assert_int_equal(limit_oldest_measured(&limit), 18);
    limit_set_max(&limit, 1);
    assert_int_equal(told(), 0);
    limit_deinit(&limit);
}

static void test_a_maximum_may_change(void **state)
{
    struct limit limit;

    (void)state;
    make_limit(&limit, 1);
    assert_true(limit_take(&limit, 1));
    limit_wait(&limit, 1, 2);
    limit_set_max(&limit, 3);
    assert_int_equal(told(), 1);
    assert_int_equal(limit_max(&limit), 3);
    assert_true(limit_take(&limit, 2));
    limit_set_max(&limit, 1);
    assert_int_equal(limit_used(&limit), 2); /* places that are already taken stay taken */
    limit_give(&limit);
    assert_int_equal(told(), NOBODY);
    limit_give(&limit);
    assert_int_equal(told(), 1);
    limit_deinit(&limit);
}

/* ---- several threads ---- */

enum { WORKERS = 4, CLIENTS = 10000, PATIENCE_MS = 10000 };

/* When a client did what, as numbers from one sequence shared by all threads. */
struct client {
    uint64_t since_ns;
    uint32_t waits;      /* after it published that it waits; 0: it never waited */
    uint32_t tries;      /* before the attempt that got the place */
    uint32_t has;        /* after it got the place */
};

struct shared {
    struct limit limit;
    struct mailbox boxes[WORKERS];
    _Atomic uint32_t sequence, inside, inside_max;
};

struct worker_thread {
    struct shared *shared;
    unsigned index;
    struct client *clients;
    unsigned served;
    pthread_t thread;
};

static void tell(void *context, unsigned worker)
{
    mailbox_order((struct mailbox *)context + worker, 1);
}

/* Returns false if no notification came in time: the waiter was forgotten. */
static bool wait_to_be_told(struct mailbox *box)
{
    struct pollfd pollfd = {.fd = box->event_fd, .events = POLLIN};

    if (poll(&pollfd, 1, PATIENCE_MS) != 1)
        return false;
    mailbox_clear(box);
    (void)mailbox_take_orders(box);
    return true;
}

static bool come_in(struct worker_thread *worker, struct client *client)
{
    struct shared *shared = worker->shared;
    struct limit *limit = &shared->limit;

    client->tries = ++shared->sequence;
    if (limit_take(limit, client->since_ns)) {
        client->has = ++shared->sequence;
        return true;
    }
    limit_wait(limit, worker->index, client->since_ns);
    client->waits = ++shared->sequence;
    while (client->tries = ++shared->sequence, !limit_take(limit, client->since_ns)) {
        if (!wait_to_be_told(&shared->boxes[worker->index]))
            return false;
    }
    client->has = ++shared->sequence; /* recorded while the wait is still published, so that no other client gets in between */
    limit_wait(limit, worker->index, 0);
    return true;
}

static void *serve_all(void *argument)
{
    struct worker_thread *worker = argument;
    struct shared *shared = worker->shared;

    for (worker->served = 0; worker->served < CLIENTS; worker->served++) {
        struct client *client = &worker->clients[worker->served];
        uint32_t inside, max;

        client->since_ns = clock_now_ns() & ~LIMIT_PLACED;
        if (!come_in(worker, client))
            return NULL;
        inside = ++shared->inside;
        max = shared->inside_max;
        while (inside > max && !atomic_compare_exchange_weak(&shared->inside_max, &max, inside))
            ;
        if (worker->served % 4 == 0)
            (void)sched_yield();
        shared->inside--;
        limit_give(&shared->limit);
    }
    return NULL;
}

static int in_sequence(const void *left, const void *right)
{
    const struct client *a = left, *b = right;

    return (a->has > b->has) - (a->has < b->has);
}

/* Between an older client's publishing that it waits and its getting a place, no younger client may both try for and get a place. */
static void check_order(struct client *clients, size_t count)
{
    qsort(clients, count, sizeof(*clients), in_sequence);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i; j-- > 0 && clients[i].waits && clients[j].has > clients[i].waits;) {
            if (clients[j].tries > clients[i].waits)
                assert_true(clients[j].since_ns <= clients[i].since_ns);
        }
    }
}

static void check_threads(uint32_t max)
{
    struct shared shared = {0};
    struct limit_workers threads = {.count = WORKERS, .tell = tell, .context = shared.boxes};
    struct worker_thread workers[WORKERS];
    struct client *clients = calloc(WORKERS * CLIENTS, sizeof(*clients));

    assert_non_null(clients);
    limit_init(&shared.limit, max);
    assert_int_equal(limit_let_wait(&shared.limit, &threads), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(mailbox_init(&shared.boxes[i], &(struct mailbox_options){0}), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker_thread){.shared = &shared, .index = i, .clients = clients + i * CLIENTS};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, serve_all, &workers[i]), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].served, CLIENTS);
    }
    assert_in_range(shared.inside_max, 1, max);
    assert_int_equal(limit_used(&shared.limit), 0);
    check_order(clients, WORKERS * CLIENTS);
    for (unsigned i = 0; i < WORKERS; i++)
        mailbox_deinit(&shared.boxes[i]);
    limit_deinit(&shared.limit);
    free(clients);
}

static void test_threads_share_one_place(void **state)
{
    (void)state;
    check_threads(1);
}

static void test_threads_share_two_places(void **state)
{
    (void)state;
    check_threads(2);
}

static void test_threads_share_nearly_enough_places(void **state)
{
    (void)state;
    check_threads(WORKERS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_as_many_as_there_are),
        cmocka_unit_test(test_the_longest_waiter_is_next),
        cmocka_unit_test(test_a_time_that_was_placed_counts_but_is_not_passed_on),
        cmocka_unit_test(test_a_maximum_may_change),
        cmocka_unit_test(test_threads_share_one_place),
        cmocka_unit_test(test_threads_share_two_places),
        cmocka_unit_test(test_threads_share_nearly_enough_places),
    };

    return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
