/* test/unit/test_survey_ask.c: which workers are asked about their sessions, and what the asker gets if one of them is busy, slow or has ended. Threads that
 * take the mail stand for the workers. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "table/backend.h"
#include "table/lease.h"
#include "table/listener.h"
#include "table/mailbox.h"
#include "table/pool.h"
#include "worker/mail.h"
#include "worker/survey.h"
#include "worker/worker.h"

enum { WORKERS = 3, PATIENCE_MS = 10000 };
#define MS UINT64_C(1000000)

static struct listener web = {.name = "web"};
static struct pool app = {.name = "app"};
static const struct lease lease = {.listener = &web, .pool = &app};

/* A worker that has one session, whose number is 10 times its own plus 1. */
struct stand_in {
    pthread_t thread;
    struct mailbox *mailbox;
    struct mail mail;
    bool answers;      /* otherwise it only takes the request */
    int result;
};

static void offer_session(const struct mail_survey *mail)
{
    struct addr client = {0};
    struct survey_subject subject = {.worker = mail->worker, .number = 10 * mail->worker + 1, .lease = &lease, .client = &client};

    if (mail->request->action == SURVEY_CLOSE)
        survey_request_note_closed(mail->request, mail->worker);
    else
        (void)survey_request_offer(mail->request, &subject);
}

static void *work(void *argument)
{
    struct stand_in *worker = argument;
    struct pollfd pollfd = {.fd = worker->mailbox->event_fd, .events = POLLIN};

    if (poll(&pollfd, 1, PATIENCE_MS) != 1 || !mailbox_take(worker->mailbox, &worker->mail) || worker->mail.kind != MAIL_SURVEY)
        return NULL;
    offer_session(&worker->mail.survey);
    if (worker->answers)
        survey_request_answer(worker->mail.survey.request, worker->mail.survey.worker, worker->result);
    return NULL;
}

struct fixture {
    struct worker_shared shared;
    struct stand_in workers[WORKERS];
};

static void start_worker(struct fixture *fixture, unsigned index, bool answers, int result)
{
    struct stand_in *worker = &fixture->workers[index];

    *worker = (struct stand_in){.mailbox = &fixture->shared.mailboxes[index], .answers = answers, .result = result};
    assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
}

static int setup(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.shared = {.workers = WORKERS, .mailboxes = worker_mailboxes_new(WORKERS)}};
    *state = &fixture;
    return fixture.shared.mailboxes ? 0 : -1;
}

/* Disposes of the requests that nobody has taken; the sanitizer watches that they are freed. */
static int teardown(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < WORKERS; i++) {
        if (fixture->workers[i].mailbox)
            (void)pthread_join(fixture->workers[i].thread, NULL);
    }
    worker_mailboxes_free(fixture->shared.mailboxes, WORKERS);
    return 0;
}

static uint64_t soon_ns(uint64_t ms)
{
    return clock_now_ns() + ms * MS;
}

static void test_all_workers_answer(void **state)
{
    struct fixture *fixture = *state;
    struct survey found;

    for (unsigned i = 0; i < WORKERS; i++)
        start_worker(fixture, i, true, 0);
    assert_int_equal(worker_survey(&fixture->shared, &(struct survey_query){.limit = 10}, SURVEY_LIST, soon_ns(PATIENCE_MS), &found), 0);
    assert_int_equal(found.count, WORKERS);
    assert_int_equal(found.late, 0);
    assert_int_equal(found.rows[2].number, 21);
    survey_free(&found);
}

static void test_closing_adds_up(void **state)
{
    struct fixture *fixture = *state;
    struct survey found;

    for (unsigned i = 0; i < WORKERS; i++)
        start_worker(fixture, i, true, 0);
    assert_int_equal(worker_survey(&fixture->shared, &(struct survey_query){0}, SURVEY_CLOSE, soon_ns(PATIENCE_MS), &found), 0);
    assert_int_equal(found.closed, WORKERS);
}

static void test_one_session_is_asked_of_its_worker(void **state)
{
    struct fixture *fixture = *state;
    struct survey found;
    struct mail mail;

    start_worker(fixture, 1, true, 0);
    assert_int_equal(
        worker_survey(&fixture->shared, &(struct survey_query){.limit = 10, .worker = 1, .number = 11}, SURVEY_LIST, soon_ns(PATIENCE_MS), &found), 0);
    assert_int_equal(found.count, 1);
    assert_false(mailbox_take(&fixture->shared.mailboxes[0], &mail));
    survey_free(&found);
    assert_int_equal(
        worker_survey(&fixture->shared, &(struct survey_query){.limit = 10, .worker = WORKERS, .number = 1}, SURVEY_LIST, soon_ns(PATIENCE_MS), &found), 0);
    assert_int_equal(found.matched, 0);
}

static void test_a_worker_that_has_ended_is_not_awaited(void **state)
{
    struct fixture *fixture = *state;
    struct survey found;

    start_worker(fixture, 0, true, 0);
    mailbox_close(&fixture->shared.mailboxes[1]);
    mailbox_close(&fixture->shared.mailboxes[2]);
    assert_int_equal(worker_survey(&fixture->shared, &(struct survey_query){.limit = 10}, SURVEY_LIST, soon_ns(PATIENCE_MS), &found), 0);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.late, 0);
    survey_free(&found);
}

static void test_busy_workers_and_full_mailboxes_are_reported(void **state)
{
    struct fixture *fixture = *state;
    struct survey found;

    start_worker(fixture, 0, true, 0);
    start_worker(fixture, 1, true, -EBUSY);
    start_worker(fixture, 2, true, 0);
    assert_int_equal(worker_survey(&fixture->shared, &(struct survey_query){.limit = 10}, SURVEY_LIST, soon_ns(PATIENCE_MS), &found), -EBUSY);
    assert_null(found.rows);
    while (mailbox_post(&fixture->shared.mailboxes[1], &(struct mail){.kind = MAIL_CLIENT, .client = {.fd = -1}}))
        ;
    assert_int_equal(worker_survey(&fixture->shared, &(struct survey_query){.limit = 10, .worker = 1, .number = 1}, SURVEY_LIST, soon_ns(PATIENCE_MS), &found),
                     -EBUSY);
}

static void test_a_slow_worker_does_not_hold_up_the_asker(void **state)
{
    struct fixture *fixture = *state;
    struct survey found;

    start_worker(fixture, 0, true, 0);
    start_worker(fixture, 1, false, 0); /* worker 2 does not even take its mail */
    assert_int_equal(worker_survey(&fixture->shared, &(struct survey_query){.limit = 10}, SURVEY_LIST, soon_ns(500), &found), 0);
    assert_int_equal(found.late, 2);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.rows[0].worker, 0);
    survey_free(&found);
    (void)pthread_join(fixture->workers[1].thread, NULL);
    fixture->workers[1].mailbox = NULL;
    assert_int_equal(fixture->workers[1].mail.kind, MAIL_SURVEY);
    survey_request_answer(fixture->workers[1].mail.survey.request, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_workers_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closing_adds_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_session_is_asked_of_its_worker, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_worker_that_has_ended_is_not_awaited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_busy_workers_and_full_mailboxes_are_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_slow_worker_does_not_hold_up_the_asker, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
