/* test/unit/test_request.c: requests between threads: answers, deadlines, late and ending receivers. Threads of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/list.h"
#include "table/mailbox.h"
#include "table/request.h"

#define MS UINT64_C(1000000)

enum { RECEIVERS = 3, ROUNDS = 20000 };

struct sum_request {
    struct request request;
    int numbers[RECEIVERS]; /* each receiver writes its own */
    int *freed;
};

struct receiver {
    struct mailbox mailbox;
    pthread_t thread;
    int index;
};

static void write_number(struct request *request, void *receiver)
{
    struct receiver *self = receiver;

    container_of(request, struct sum_request, request)->numbers[self->index] = self->index + 1;
}

static void free_sum(struct request *request)
{
    struct sum_request *sum = container_of(request, struct sum_request, request);

    (*sum->freed)++;
    free(sum);
}

static struct sum_request *new_sum(int *freed)
{
    struct sum_request *sum = calloc(1, sizeof(*sum));

    assert_non_null(sum);
    sum->freed = freed;
    request_init(&sum->request, write_number, free_sum);
    return sum;
}

static void open_receiver(struct receiver *receiver, int index)
{
    const struct mailbox_options options = {.capacity = 2, .message_bytes = sizeof(struct request *), .dispose = request_refuse};

    *receiver = (struct receiver){.index = index};
    assert_int_equal(mailbox_init(&receiver->mailbox, &options), 0);
}

static void follow_all(struct receiver *receiver)
{
    struct request *request;

    while (mailbox_take(&receiver->mailbox, &request))
        request_follow(request, receiver);
}

static void *run_receiver(void *argument)
{
    struct receiver *receiver = argument;
    struct pollfd poller = {.fd = receiver->mailbox.event_fd, .events = POLLIN};

    while (poll(&poller, 1, -1) == 1) {
        mailbox_clear(&receiver->mailbox);
        if (mailbox_take_orders(&receiver->mailbox))
            return NULL;
        follow_all(receiver);
    }
    return NULL;
}

static uint64_t after_ms(uint64_t ms)
{
    return clock_now_ns() + ms * MS;
}

static void every_receiver_has_answered_before_the_wait_ends(void **state)
{
    (void)state;
    struct receiver receivers[RECEIVERS];
    int freed = 0;

    for (int i = 0; i < RECEIVERS; i++) {
        open_receiver(&receivers[i], i);
        assert_int_equal(pthread_create(&receivers[i].thread, NULL, run_receiver, &receivers[i]), 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct sum_request *sum = new_sum(&freed);

        for (int i = 0; i < RECEIVERS; i++)
            assert_int_equal(request_post(&sum->request, &receivers[i].mailbox, after_ms(10000)), 0);
        assert_int_equal(request_await(&sum->request, after_ms(10000)), 0);
        assert_int_equal(sum->numbers[0] + sum->numbers[1] + sum->numbers[2], 6);
        request_drop(&sum->request);
    }
    for (int i = 0; i < RECEIVERS; i++) {
        mailbox_order(&receivers[i].mailbox, 1);
        (void)pthread_join(receivers[i].thread, NULL);
        mailbox_deinit(&receivers[i].mailbox);
    }
    assert_int_equal(freed, ROUNDS);
}

static void a_late_receiver_frees_what_the_asker_has_given_up(void **state)
{
    (void)state;
    struct receiver receiver;
    int freed = 0;
    struct sum_request *sum = new_sum(&freed);
    uint64_t began_ns = clock_now_ns();

    open_receiver(&receiver, 0);
    assert_int_equal(request_post(&sum->request, &receiver.mailbox, after_ms(0)), 0);
    assert_int_equal(request_await(&sum->request, after_ms(20)), -ETIMEDOUT);
    assert_true(clock_now_ns() - began_ns >= 20 * MS);
    request_drop(&sum->request);
    assert_int_equal(freed, 0);
    follow_all(&receiver);
    assert_int_equal(freed, 1);
    mailbox_deinit(&receiver.mailbox);
}

static void a_receiver_that_ends_refuses(void **state)
{
    (void)state;
    struct receiver receiver;
    int freed = 0;
    struct sum_request *sum = new_sum(&freed);

    open_receiver(&receiver, 0);
    assert_int_equal(request_post(&sum->request, &receiver.mailbox, after_ms(0)), 0);
    mailbox_deinit(&receiver.mailbox);
    assert_int_equal(request_await(&sum->request, after_ms(10000)), 0);
    assert_int_equal(sum->numbers[0], 0);
    request_drop(&sum->request);
    assert_int_equal(freed, 1);
}

static void a_full_mailbox_has_not_got_it(void **state)
{
    (void)state;
    struct receiver receiver;
    int freed = 0;
    struct sum_request *sums[3] = {new_sum(&freed), new_sum(&freed), new_sum(&freed)};

    open_receiver(&receiver, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(request_post(&sums[i]->request, &receiver.mailbox, after_ms(5)), i < 2 ? 0 : -ETIMEDOUT);
    assert_int_equal(request_await(&sums[2]->request, after_ms(0)), 0); /* nobody has to answer */
    request_drop(&sums[2]->request);
    assert_int_equal(freed, 1);
    follow_all(&receiver);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(request_await(&sums[i]->request, after_ms(0)), 0);
        request_drop(&sums[i]->request);
    }
    assert_int_equal(freed, 3);
    mailbox_deinit(&receiver.mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_receiver_has_answered_before_the_wait_ends),
        cmocka_unit_test(a_late_receiver_frees_what_the_asker_has_given_up),
        cmocka_unit_test(a_receiver_that_ends_refuses),
        cmocka_unit_test(a_full_mailbox_has_not_got_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
