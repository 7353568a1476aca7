/* cli/drain_wait.c: waits until a backend that is drained has no sessions. Main thread. */
#include "cli/drain_wait.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum {
    POLL_MS = 200,
    EMPTY_ANSWERS = 2, /* A worker that has read the former state may begin a session a moment after the first one. */
};

#define MS UINT64_C(1000000)

/* Asks for the pool of the backend. Sets `*sum`, all zero if the pool is gone. Returns 0, or the exit status after a message. */
static int ask_sum(struct remote *remote, const struct find_backend *found, struct find_sum *sum, json_t **json)
{
    char *path = remote_add(remote_path("/v1/pools"), "pool", found->pool);
    struct client_answer answer;
    enum client_result result = CLIENT_REFUSED;
    int status = 0;

    *sum = (struct find_sum){0};
    *json = NULL;
    if (!path)
        return remote_fail(remote, 1, "out of memory");
    result = client_call(remote->client, "GET", path, NULL, REMOTE_TIMEOUT_MS, &answer);
    if (result == CLIENT_DONE) {
        *json = json_incref(answer.json);
        *sum = find_sum(answer.json, found);
    } else if (answer.status != 404) {
        status = remote_fail(remote, (int)result, "%s", answer.error);
    }
    client_answer_clear(&answer);
    free(path);
    return status;
}

static const char *sessions_word(uint64_t count)
{
    return count == 1 ? "session" : "sessions";
}

/* Prints how it ended. Returns `status`. */
static int tell_end(const struct remote *remote, const struct find_backend *found, const struct find_sum *sum, int status)
{
    json_t *json;

    if (remote->json) {
        json = json_pack("{s:s, s:s, s:I, s:b}", "pool", found->pool, "backend", found->backend, "sessions", (json_int_t)sum->sessions,
                         "empty", sum->sessions == 0);
        (void)remote_print(remote, json);
        json_decref(json);
    } else if (status == 0) {
        printf("%s/%s: %s\n", found->pool, found->backend, sum->count > 0 ? "empty" : "gone");
    }
    return status;
}

/* Judges one answer. Returns true when the wait has ended, after setting `*status`. */
static bool has_ended(const struct remote *remote, const struct find_backend *found, const struct find_sum *sum, unsigned *empty_answers, int *status)
{
    *empty_answers = sum->sessions == 0 ? *empty_answers + 1 : 0;
    if (sum->ordered_out < sum->count) {
        (void)tell_end(remote, found, sum, 1);
        *status = remote_fail(remote, 1, "%s/%s is in the state %s now: somebody has put it back, and it may get new sessions", found->pool, found->backend,
                              sum->state);
        return true;
    }
    if (sum->count > 0 && *empty_answers < EMPTY_ANSWERS)
        return false;
    *status = tell_end(remote, found, sum, 0);
    return true;
}

int drain_wait(struct remote *remote, const struct find_backend *found, uint64_t wait_ms)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * MS};
    uint64_t began_ns = clock_now_ns(), told = UINT64_MAX;
    unsigned empty_answers = 0;

    for (;;) {
        struct find_sum sum;
        json_t *json;
        int status = ask_sum(remote, found, &sum, &json);
        uint64_t passed_ms = (clock_now_ns() - began_ns) / MS;
        bool ended = status != 0 || has_ended(remote, found, &sum, &empty_answers, &status);

        if (!ended && sum.sessions > 0 && sum.sessions != told && !remote->json) {
            printf("%s/%s: %" PRIu64 " %s, %" PRIu64 " s left\n", found->pool, found->backend, sum.sessions, sessions_word(sum.sessions),
                   passed_ms < wait_ms ? (wait_ms - passed_ms + 999) / 1000 : 0);
            (void)fflush(stdout); /* a script that reads a pipe is to see it now */
            told = sum.sessions;
        }
        json_decref(json);
        if (ended)
            return status;
        if (sum.sessions > 0 && passed_ms >= wait_ms) {
            (void)tell_end(remote, found, &sum, 1);
            return remote_fail(remote, 1, "%s/%s still has %" PRIu64 " %s after %" PRIu64 " s; it stays in drain", found->pool, found->backend, sum.sessions,
                               sessions_word(sum.sessions), wait_ms / 1000);
        }
        (void)nanosleep(&pause, NULL);
    }
}
