/* test_change.c: changes of the configuration that another thread asks control for, with a running health thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/change.h"
#include "health/health.h"
#include "loading.h"
#include "select/selector.h"
#include "table/epoch.h"
#include "table/pool.h"
#include "table/table.h"

#define TEXT "[listener l]\nbind = 127.0.0.1:1\npool = p\n\n[pool p]\nbackend = a 127.0.0.1:2\nbackend = b 127.0.0.1:3\ncheck = none\n"
#define NS_PER_S UINT64_C(1000000000)

static struct config *config;
static struct epoch *epoch;
static struct table *table;
static struct health *health;
static struct changes changes;

/* What the other thread asks, and its answer. */
struct question {
    struct config_edit edit; /* pool NULL: the text is wanted */
    uint64_t wait_ns;
    int result;
    char error[256];
    char *text;
    uint64_t hash;
};

static int start_all(void **state)
{
    int error;

    (void)state;
    config = load_good(TEXT);
    epoch = epoch_new(1);
    table = table_new(epoch, &selector_prepare);
    assert_int_equal(table_apply(table, config, NULL), 0);
    health = health_start(table, NULL, 16, &error);
    assert_non_null(health);
    assert_int_equal(changes_init(&changes, config, health), 0);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    health_stop(health);
    changes_deinit(&changes);
    table_free(table);
    epoch_free(epoch);
    config_free(config);
    return 0;
}

static void *ask_in_thread(void *argument)
{
    struct question *question = argument;
    uint64_t deadline_ns = clock_now_ns() + question->wait_ns;

    if (question->edit.pool)
        question->result = changes_ask(&changes, &question->edit, deadline_ns, question->error, sizeof(question->error));
    else
        question->result = changes_text(&changes, deadline_ns, &question->text, &question->hash);
    return NULL;
}

static bool is_asked(void)
{
    return poll(&(struct pollfd){.fd = changes.mailbox.event_fd, .events = POLLIN}, 1, 20000) == 1;
}

/* Asks in another thread, and answers in this one. */
static void ask(struct question *question)
{
    pthread_t thread;

    question->wait_ns = 20 * NS_PER_S;
    assert_int_equal(pthread_create(&thread, NULL, ask_in_thread, question), 0);
    assert_true(is_asked());
    changes_answer(&changes);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static uint64_t assert_text(const char *wanted)
{
    struct question question = {.result = 1};

    ask(&question);
    assert_int_equal(question.result, 0);
    assert_string_equal(question.text, wanted);
    free(question.text);
    return question.hash;
}

static struct question set_weight(const char *backend, const char *weight)
{
    return (struct question){.edit = {.kind = CONFIG_EDIT_SET, .pool = "p", .backend = backend, .weight = weight}};
}

static void a_change_is_in_force_in_the_table_and_in_the_text(void **state)
{
    struct question question = set_weight("a", "5");
    uint64_t hash = assert_text(TEXT);
    (void)state;

    ask(&question);
    assert_int_equal(question.result, 0);
    assert_string_equal(question.error, "");
    assert_int_equal(backend_settings(table_backend(table, 0, 0))->weight, 5);
    assert_int_not_equal(assert_text("[listener l]\nbind = 127.0.0.1:1\npool = p\n\n[pool p]\nbackend = a 127.0.0.1:2 weight=5\nbackend = b 127.0.0.1:3\n"
                                     "check = none\n"), hash);
    question = set_weight("a", "1");
    ask(&question);
    assert_int_equal(question.result, 0);
    assert_int_equal(assert_text(TEXT), hash);
}

static void a_bad_change_changes_nothing(void **state)
{
    struct question question = set_weight("a", "500");
    (void)state;

    ask(&question);
    assert_int_equal(question.result, -EINVAL);
    assert_string_equal(question.error, "backend a: weight=500: not in the range: 1 to 256");
    question = set_weight("c", "5");
    ask(&question);
    assert_int_equal(question.result, -ENOENT);
    assert_string_equal(question.error, "pool p has no backend c");
    assert_int_equal(backend_settings(table_backend(table, 0, 0))->weight, 1);
    (void)assert_text(TEXT);
}

static void a_stop_refuses_changes_but_tells_the_text(void **state)
{
    struct question question = set_weight("a", "5");
    (void)state;

    changes_refuse(&changes);
    ask(&question);
    assert_int_equal(question.result, -EBUSY);
    assert_string_equal(question.error, "Penstock is stopping and takes no more changes");
    (void)assert_text(TEXT);
}

/* Control takes the request when nobody waits for it any more: a sanitizer sees that it is freed once, and not too early. */
static void a_change_that_nobody_waits_for_is_not_made(void **state)
{
    struct question question = set_weight("a", "5");
    pthread_t thread;
    (void)state;

    question.wait_ns = 1000000;
    assert_int_equal(pthread_create(&thread, NULL, ask_in_thread, &question), 0);
    assert_true(is_asked());
    assert_int_equal(pthread_join(thread, NULL), 0); /* it stops waiting before it is answered */
    assert_int_equal(question.result, -ETIMEDOUT);
    changes_answer(&changes);
    (void)assert_text(TEXT);
}

static void nobody_waits_for_control_when_it_has_closed(void **state)
{
    struct question question = set_weight("a", "5");
    pthread_t thread;
    (void)state;

    question.wait_ns = 20 * NS_PER_S;
    assert_int_equal(pthread_create(&thread, NULL, ask_in_thread, &question), 0);
    assert_true(is_asked());
    changes_close(&changes);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(question.result, -EBUSY);
    assert_string_equal(question.error, "Penstock is ending");
    ask_in_thread(&question);
    assert_int_equal(question.result, -EBUSY);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start_all, stop_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_change_is_in_force_in_the_table_and_in_the_text),
        CASE(a_bad_change_changes_nothing),
        CASE(a_stop_refuses_changes_but_tells_the_text),
        CASE(a_change_that_nobody_waits_for_is_not_made),
        CASE(nobody_waits_for_control_when_it_has_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
