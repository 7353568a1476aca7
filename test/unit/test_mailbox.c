/* test/unit/test_mailbox.c: messages arrive once and in order, the descriptor tells, and nothing is lost when the box is full. */
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

#include "worker/mailbox.h"

static bool told(const struct mailbox *mailbox)
{
    struct pollfd pollfd = {.fd = mailbox->event_fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) == 1;
}

/* What the owner's engine does before it takes. */
static void clear(const struct mailbox *mailbox)
{
    uint64_t count;
    ssize_t ignored = read(mailbox->event_fd, &count, sizeof(count));

    (void)ignored;
}

static void test_tells_and_gives_in_order(void **state)
{
    struct mailbox mailbox;
    struct mail mail = {.kind = MAIL_DRAIN};

    (void)state;
    assert_int_equal(mailbox_init(&mailbox), 0);
    assert_false(told(&mailbox));
    assert_false(mailbox_take(&mailbox, &mail));
    assert_true(mailbox_post(&mailbox, &mail));
    assert_true(mailbox_post(&mailbox, &(struct mail){.kind = MAIL_STOP}));
    assert_true(told(&mailbox));
    clear(&mailbox);
    assert_false(told(&mailbox));
    assert_true(mailbox_take(&mailbox, &mail));
    assert_int_equal(mail.kind, MAIL_DRAIN);
    assert_true(mailbox_take(&mailbox, &mail));
    assert_int_equal(mail.kind, MAIL_STOP);
    assert_false(mailbox_take(&mailbox, &mail));
    mailbox_deinit(&mailbox);
}

static void test_full_refuses_and_loses_nothing(void **state)
{
    struct mailbox mailbox;
    struct mail mail = {.kind = MAIL_CONNECTION, .fd = -1};
    uint32_t posted = 0;

    (void)state;
    assert_int_equal(mailbox_init(&mailbox), 0);
    while (posted < 1000000 && (mail.listener = posted, mailbox_post(&mailbox, &mail)))
        posted++;
    assert_int_equal(posted, 1024);
    assert_false(mailbox_post(&mailbox, &mail));
    for (uint32_t i = 0; i < posted; i++) {
        assert_true(mailbox_take(&mailbox, &mail));
        assert_int_equal(mail.listener, i);
    }
    assert_false(mailbox_take(&mailbox, &mail));
    assert_true(mailbox_post(&mailbox, &mail));
    assert_true(mailbox_take(&mailbox, &mail));
    mailbox_deinit(&mailbox);
}

static void test_connections_left_in_it_are_closed(void **state)
{
    struct mailbox mailbox;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(mailbox_init(&mailbox), 0);
    assert_true(mailbox_post(&mailbox, &(struct mail){.kind = MAIL_DRAIN}));
    assert_true(mailbox_post(&mailbox, &(struct mail){.kind = MAIL_CONNECTION, .fd = pair[0]}));
    mailbox_deinit(&mailbox);
    assert_int_equal(fcntl(pair[0], F_GETFD), -1);
    assert_int_equal(errno, EBADF);
    (void)close(pair[1]);
    mailbox_deinit(&mailbox); /* twice is allowed, and on all zero */
}

enum { THREADS = 3, EACH = 20000 };

struct poster {
    struct mailbox *mailbox;
    uint32_t index;
};

static void *post_all(void *argument)
{
    const struct poster *poster = argument;

    for (int i = 0; i < EACH; i++) {
        struct mail mail = {.kind = MAIL_CONNECTION, .fd = i, .listener = poster->index};

        while (!mailbox_post(poster->mailbox, &mail))
            (void)sched_yield();
    }
    return NULL;
}

/* An owner that sleeps whenever the descriptor says there is nothing gets every message, of each thread in its order. */
static void test_many_threads_post_to_one_that_sleeps(void **state)
{
    struct mailbox mailbox;
    pthread_t threads[THREADS];
    struct poster posters[THREADS];
    int next[THREADS] = {0}, left = THREADS * EACH;

    (void)state;
    assert_int_equal(mailbox_init(&mailbox), 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){.mailbox = &mailbox, .index = i};
        assert_int_equal(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
    }
    while (left > 0) {
        struct pollfd pollfd = {.fd = mailbox.event_fd, .events = POLLIN};
        struct mail mail;

        assert_int_equal(poll(&pollfd, 1, 20000), 1);
        clear(&mailbox);
        while (mailbox_take(&mailbox, &mail)) {
            assert_int_equal(mail.fd, next[mail.listener]++);
            left--;
        }
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    mailbox_deinit(&mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tells_and_gives_in_order),
        cmocka_unit_test(test_full_refuses_and_loses_nothing),
        cmocka_unit_test(test_connections_left_in_it_are_closed),
        cmocka_unit_test(test_many_threads_post_to_one_that_sleeps),
    };

    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
