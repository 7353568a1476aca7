/* The tables of states and phases are complete, and what they do not allow aborts the process with a message about the session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/context.h"
#include "worker/session.h"

static struct worker worker = {.index = 3};

static struct session closing_session(void)
{
    return (struct session){
        .worker = &worker,
        .number = 17,
        .state = SESSION_CLOSING,
        .ends = {{.side = CLIENT, .open = true}, {.side = BACKEND}},
        .directions = {{.source = CLIENT}, {.source = BACKEND, .phase = DIRECTION_BROKEN}},
    };
}

/* Calls `run` in a child process, which must abort; returns what the child writes to standard error. */
static const char *last_words(void (*run)(struct session *session))
{
    static char text[1000];
    int ends[2], status;
    ssize_t got;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct session session = closing_session();

        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        run(&session);
        _exit(0);
    }
    (void)close(ends[1]);
    got = read(ends[0], text, sizeof(text) - 1);
    text[got > 0 ? got : 0] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    return text;
}

static void every_state_is_whole(void **state)
{
    (void)state;
    for (int i = 0; i < SESSION_STATES; i++) {
        const struct session_handlers *handlers = session_handlers((enum session_state)i);

        assert_non_null(session_state_name((enum session_state)i));
        assert_non_null(handlers);
        assert_true(handlers->events->connected && handlers->events->received && handlers->events->rest && handlers->events->sent);
        assert_true(handlers->events->readable && handlers->events->writable && handlers->events->closed && handlers->timer);
    }
    for (int i = 0; i < DIRECTION_PHASES; i++)
        assert_non_null(direction_phase_name((enum direction_phase)i));
}

static void receive_in_the_state(struct session *session)
{
    (void)session_handlers(session->state)->events->received(&session->ends[CLIENT].sock, NULL);
}

static void fire_in_the_state(struct session *session)
{
    session_handlers(session->state)->timer(&session->timer);
}

static void an_event_that_cannot_come_is_named(void **state)
{
    (void)state;
    assert_non_null(strstr(last_words(receive_in_the_state), "session 3.17: event \"bytes\" is not possible in state CLOSING"));
    assert_non_null(strstr(last_words(fire_in_the_state), "session 3.17: event \"timer\" is not possible in state CLOSING"));
}

static void relay_again(struct session *session)
{
    session_move(session, SESSION_RELAYING);
}

static void copy_again(struct session *session)
{
    direction_move(&session->directions[BACKEND], DIRECTION_COPY);
}

static void a_move_that_is_not_allowed_is_refused(void **state)
{
    (void)state;
    assert_non_null(strstr(last_words(relay_again), "session_move"));
    assert_non_null(strstr(last_words(copy_again), "direction_move"));
}

static void a_move_changes_the_handlers(void **state)
{
    struct session session = closing_session();

    (void)state;
    session.state = SESSION_RELAYING;
    session_move(&session, SESSION_CLOSING);
    assert_int_equal(session.state, SESSION_CLOSING);
    assert_ptr_equal(session.ends[CLIENT].sock.events, session_handlers(SESSION_CLOSING)->events);
    assert_ptr_equal(session.ends[BACKEND].sock.events, session_handlers(SESSION_CLOSING)->events);
    assert_ptr_equal(session.timer.fire, session_handlers(SESSION_CLOSING)->timer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_is_whole),
        cmocka_unit_test(an_event_that_cannot_come_is_named),
        cmocka_unit_test(a_move_that_is_not_allowed_is_refused),
        cmocka_unit_test(a_move_changes_the_handlers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
