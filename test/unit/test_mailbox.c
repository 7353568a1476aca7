/* test/unit/test_mailbox.c: messages arrive once and in order, orders arrive even if the box is full, the eventfd signals both, and nothing is lost. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "table/mailbox.h"
#include "worker/mail.h"
#include "worker/worker.h"

enum { CAPACITY = 64, MS = 1000000 };

struct message {
    uint32_t sender, number;
};

static unsigned disposed;
static uint32_t disposed_sum;

static void dispose(void *message)
{
    disposed++;
    disposed_sum += ((const struct message *)message)->number;
}

static const struct mailbox_options options = {.capacity = CAPACITY, .message_bytes = sizeof(struct message), .dispose = dispose};

static bool told(const struct mailbox *mailbox)
{
    struct pollfd pollfd = {.fd = mailbox->event_fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) == 1;
}

static void test_tells_and_gives_in_order(void **state)
{
    struct mailbox mailbox;
    struct message message;

    (void)state;
    assert_int_equal(mailbox_init(&mailbox, &options), 0);
    assert_false(told(&mailbox));
    assert_false(mailbox_take(&mailbox, &message));
    assert_true(mailbox_post(&mailbox, &(struct message){.number = 1}));
    assert_true(mailbox_post(&mailbox, &(struct message){.number = 2}));
    assert_true(told(&mailbox));
    mailbox_clear(&mailbox);
    assert_false(told(&mailbox));
    mailbox_clear(&mailbox); /* does not block */
    for (uint32_t i = 1; i <= 2; i++) {
        assert_true(mailbox_take(&mailbox, &message));
        assert_int_equal(message.number, i);
    }
    assert_false(mailbox_take(&mailbox, &message));
    mailbox_deinit(&mailbox);
}

static void test_orders_gather_until_they_are_taken(void **state)
{
    struct mailbox mailbox;

    (void)state;
    assert_int_equal(mailbox_init(&mailbox, &options), 0);
    assert_int_equal(mailbox_take_orders(&mailbox), 0);
    mailbox_order(&mailbox, 1);
    mailbox_order(&mailbox, 4);
    mailbox_order(&mailbox, 1);
    assert_true(told(&mailbox));
    mailbox_clear(&mailbox);
    assert_int_equal(mailbox_take_orders(&mailbox), 5);
    assert_int_equal(mailbox_take_orders(&mailbox), 0);
    assert_false(told(&mailbox));
    mailbox_order(&mailbox, 1); /* the same order again, after it was taken */
    assert_true(told(&mailbox));
    assert_int_equal(mailbox_take_orders(&mailbox), 1);
    mailbox_deinit(&mailbox);
}

static void fill(struct mailbox *mailbox)
{
    for (uint32_t i = 0; i < CAPACITY; i++)
        assert_true(mailbox_post(mailbox, &(struct message){.number = i}));
}

static void test_a_full_box_refuses_messages_and_takes_orders(void **state)
{
    struct mailbox mailbox;
    struct message message;

    (void)state;
    assert_int_equal(mailbox_init(&mailbox, &options), 0);
    fill(&mailbox);
    assert_false(mailbox_post(&mailbox, &(struct message){.number = CAPACITY}));
    mailbox_clear(&mailbox);
    mailbox_order(&mailbox, 2);
    assert_true(told(&mailbox));
    assert_int_equal(mailbox_take_orders(&mailbox), 2);
    for (uint32_t i = 0; i < CAPACITY; i++) {
        assert_true(mailbox_take(&mailbox, &message));
        assert_int_equal(message.number, i);
    }
    assert_false(mailbox_take(&mailbox, &message));
    assert_true(mailbox_post(&mailbox, &message)); /* the box has a free slot again */
    mailbox_deinit(&mailbox);
}

static void test_a_box_may_be_for_orders_alone(void **state)
{
    struct mailbox mailbox;
    struct message message;

    (void)state;
    assert_int_equal(mailbox_init(&mailbox, &(struct mailbox_options){0}), 0);
    assert_false(mailbox_take(&mailbox, &message));
    mailbox_order(&mailbox, 1);
    assert_int_equal(mailbox_take_orders(&mailbox), 1);
    mailbox_deinit(&mailbox);
}

static void *make_room(void *argument)
{
    struct message message;
    struct timespec moment = {.tv_nsec = 5 * MS};

    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL);
    return mailbox_take(argument, &message) ? argument : NULL;
}

static void test_posting_may_wait_for_room(void **state)
{
    struct mailbox mailbox;
    struct message message = {.number = CAPACITY};
    uint64_t began_ns = clock_now_ns();
    pthread_t thread;
    void *made;

    (void)state;
    assert_int_equal(mailbox_init(&mailbox, &options), 0);
    fill(&mailbox);
    assert_int_equal(mailbox_post_wait(&mailbox, &message, began_ns + 20 * MS), -ETIMEDOUT);
    assert_true(clock_now_ns() - began_ns >= 20 * MS);
    assert_int_equal(pthread_create(&thread, NULL, make_room, &mailbox), 0);
    assert_int_equal(mailbox_post_wait(&mailbox, &message, clock_now_ns() + (uint64_t)20000 * MS), 0);
    (void)pthread_join(thread, &made);
    assert_non_null(made);
    for (uint32_t i = 1; i <= CAPACITY; i++) { /* `message` is there once: from the second call, not from the one that timed out */
        assert_true(mailbox_take(&mailbox, &message));
        assert_int_equal(message.number, i);
    }
    assert_false(mailbox_take(&mailbox, &message));
    mailbox_deinit(&mailbox);
}

static void test_messages_left_in_it_are_disposed_of(void **state)
{
    struct mailbox mailbox;

    (void)state;
    disposed = disposed_sum = 0;
    assert_int_equal(mailbox_init(&mailbox, &options), 0);
    assert_true(mailbox_post(&mailbox, &(struct message){.number = 3}));
    assert_true(mailbox_post(&mailbox, &(struct message){.number = 4}));
    mailbox_order(&mailbox, 1);
    mailbox_deinit(&mailbox);
    assert_int_equal(disposed, 2);
    assert_int_equal(disposed_sum, 7);
    mailbox_deinit(&mailbox); /* a second deinit is allowed */
    assert_int_equal(disposed, 2);
    mailbox_deinit(&(struct mailbox){0});
}

static void test_a_closed_box_refuses_messages_and_takes_orders(void **state)
{
    struct mailbox mailbox;
    struct message message;

    (void)state;
    assert_int_equal(mailbox_init(&mailbox, &options), 0);
    assert_true(mailbox_post(&mailbox, &(struct message){.number = 1}));
    assert_false(mailbox_is_closed(&mailbox));
    mailbox_close(&mailbox);
    assert_true(mailbox_is_closed(&mailbox));
    assert_false(mailbox_post(&mailbox, &(struct message){.number = 2}));
    mailbox_order(&mailbox, 4);
    assert_int_equal(mailbox_take_orders(&mailbox), 4);
    assert_true(mailbox_take(&mailbox, &message)); /* the owner still takes what came before */
    assert_int_equal(message.number, 1);
    assert_false(mailbox_take(&mailbox, &message));
    mailbox_deinit(&mailbox);
}

static void test_clients_left_in_a_worker_s_box_are_closed(void **state)
{
    struct mailbox *mailboxes = worker_mailboxes_new(2);
    int pair[2];

    (void)state;
    assert_non_null(mailboxes);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_true(mailbox_post(&mailboxes[1], &(struct mail){.kind = MAIL_CLIENT, .client = {.fd = pair[0]}}));
    worker_mailboxes_free(mailboxes, 2);
    assert_int_equal(fcntl(pair[0], F_GETFD), -1);
    assert_int_equal(errno, EBADF);
    (void)close(pair[1]);
}

/* ---- several threads ---- */

enum { SENDERS = 4, EACH = 250000, ORDER_EVERY = 16 };

struct sender {
    struct mailbox *mailbox;
    uint32_t index;
    uint32_t ordered; /* non-atomic; published by the sender's last order */
    pthread_t thread;
};

static void *send_all(void *argument)
{
    struct sender *sender = argument;

    for (uint32_t i = 0; i < EACH; i++) {
        struct message message = {.sender = sender->index, .number = i};

        while (!mailbox_post(sender->mailbox, &message))
            (void)sched_yield();
        if (i % ORDER_EVERY == ORDER_EVERY - 1)
            mailbox_order(sender->mailbox, 1u << sender->index);
    }
    sender->ordered = EACH;
    mailbox_order(sender->mailbox, 1u << (SENDERS + sender->index));
    return NULL;
}

struct received {
    uint32_t messages[SENDERS], orders[SENDERS], ended;
};

static void receive(struct mailbox *mailbox, const struct sender *senders, struct received *received)
{
    struct message message;
    uint32_t orders;

    mailbox_clear(mailbox);
    orders = mailbox_take_orders(mailbox);
    for (uint32_t i = 0; i < SENDERS; i++) {
        received->orders[i] += orders >> i & 1;
        if (!(orders >> (SENDERS + i) & 1))
            continue;
        assert_int_equal(senders[i].ordered, EACH);
        received->ended++;
    }
    while (mailbox_take(mailbox, &message)) {
        assert_int_equal(message.number, received->messages[message.sender]);
        received->messages[message.sender]++;
    }
}

/* An owner that sleeps while the eventfd is not readable gets every message, in order for each sender, and each sender's last order: one that is lost or
 * signalled too early would leave the owner asleep. */
static void test_an_owner_that_sleeps_misses_nothing(void **state)
{
    struct mailbox mailbox;
    struct sender senders[SENDERS];
    struct received received = {0};

    (void)state;
    assert_int_equal(mailbox_init(&mailbox, &options), 0);
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.mailbox = &mailbox, .index = i};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    while (received.ended < SENDERS) {
        struct pollfd pollfd = {.fd = mailbox.event_fd, .events = POLLIN};

        assert_int_equal(poll(&pollfd, 1, 20000), 1);
        receive(&mailbox, senders, &received);
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        assert_int_equal(received.messages[i], EACH); /* posted before the last order, taken after it */
        assert_in_range(received.orders[i], 1, EACH / ORDER_EVERY);
        (void)pthread_join(senders[i].thread, NULL);
    }
    assert_int_equal(mailbox_take_orders(&mailbox), 0);
    mailbox_deinit(&mailbox);
}

/* ---- orders that are answered ---- */

enum { ROUNDS = 50000, PATIENCE_MS = 10000 };

struct asker {
    struct mailbox *owner, answers;
    uint32_t bit;
    uint32_t answered;
    pthread_t thread;
};

static bool wait_for_mail(struct mailbox *mailbox)
{
    struct pollfd pollfd = {.fd = mailbox->event_fd, .events = POLLIN};

    if (poll(&pollfd, 1, PATIENCE_MS) != 1)
        return false;
    mailbox_clear(mailbox);
    return true;
}

static void *ask(void *argument)
{
    struct asker *asker = argument;

    for (asker->answered = 0; asker->answered < ROUNDS; asker->answered++) {
        mailbox_order(asker->owner, asker->bit);
        if (!wait_for_mail(&asker->answers) || mailbox_take_orders(&asker->answers) != 1)
            break;
    }
    return NULL;
}

/* Several threads send orders at once, each only after its last order was answered: an order that is lost or wakes nobody makes the test fail. */
static void test_every_order_is_answered(void **state)
{
    struct mailbox owner;
    struct asker askers[SENDERS];

    (void)state;
    assert_int_equal(mailbox_init(&owner, &(struct mailbox_options){0}), 0);
    for (uint32_t i = 0; i < SENDERS; i++) {
        askers[i] = (struct asker){.owner = &owner, .bit = 1u << i};
        assert_int_equal(mailbox_init(&askers[i].answers, &(struct mailbox_options){0}), 0);
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (uint32_t answered = 0; answered < SENDERS * ROUNDS;) {
        uint32_t orders;

        if (!wait_for_mail(&owner))
            break;
        orders = mailbox_take_orders(&owner);
        for (uint32_t i = 0; i < SENDERS; i++) {
            if (!(orders & askers[i].bit))
                continue;
            answered++;
            mailbox_order(&askers[i].answers, 1);
        }
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        (void)pthread_join(askers[i].thread, NULL);
        assert_int_equal(askers[i].answered, ROUNDS);
        mailbox_deinit(&askers[i].answers);
    }
    mailbox_deinit(&owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tells_and_gives_in_order),
        cmocka_unit_test(test_orders_gather_until_they_are_taken),
        cmocka_unit_test(test_a_full_box_refuses_messages_and_takes_orders),
        cmocka_unit_test(test_a_box_may_be_for_orders_alone),
        cmocka_unit_test(test_posting_may_wait_for_room),
        cmocka_unit_test(test_messages_left_in_it_are_disposed_of),
        cmocka_unit_test(test_a_closed_box_refuses_messages_and_takes_orders),
        cmocka_unit_test(test_clients_left_in_a_worker_s_box_are_closed),
        cmocka_unit_test(test_an_owner_that_sleeps_misses_nothing),
        cmocka_unit_test(test_every_order_is_answered),
    };

    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
