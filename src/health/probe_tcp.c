/* health/probe_tcp.c: TCP and UNIX stream probes. Health thread; owns nothing.
 *
 *   neither check_send nor check_expect   passes with the first byte, or after SILENCE_MS of silence, because most servers wait for a request. Fails if the
 *                                         connection ends before: a port mapper (a container's published port, ssh -L, kubectl port-forward, nginx stream)
 *                                         accepts for a server that is not there, and then closes
 *   one of them                           passes with the first answer, which must be as expected (base/expect.h)
 *
 * SILENCE_MS: for a server that refused, mappers on one machine closed after 0.05 ms (nginx stream), 0.08 ms (systemd-socket-proxyd) and 0.3 ms (a thread in
 * Python), 8 ms at most. The rest is for the round trip of a mapper to another site. HAProxy closes after 3 s, which is too long to wait for. */
#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "base/expect.h"
#include "health/probe_stream.h"

enum { SILENCE_MS = 200, SHOWN_BYTES = 56 };

static const char *tcp_request(const struct pool_settings *settings)
{
    return settings->check_send;
}

static uint32_t tcp_silence_ms(const struct pool_settings *settings)
{
    return probe_needs_reply(settings) ? 0 : SILENCE_MS;
}

/* How the peer ended the connection; NULL: with an errno that says something else. */
static const char *describe_end(const struct stream_answer *answer)
{
    if (answer->error == 0)
        return "closed the connection";
    return answer->error == ECONNRESET || answer->error == EPIPE ? "reset the connection" : NULL;
}

static enum probe_outcome judge_silence(const struct stream_answer *answer, const struct probe_request *request, struct probe_result *result)
{
    const char *end = describe_end(answer);

    if (answer->bytes > 0)
        return probe_passed(result);
    if (answer->is_closed)
        return end ? probe_failed(result, "%s at once", end) : probe_errno(result, answer->error, request->addr);
    return answer->is_late ? probe_passed(result) : PROBE_PENDING;
}

/* Fails a probe whose answer is not as expected. */
static enum probe_outcome fail_answer(const struct stream_answer *answer, const char *expected, struct probe_result *result)
{
    bool as_hex = payload_is_hex(expected);
    const char *quote = as_hex ? "" : "\"", *dots = strlen(expected) > SHOWN_BYTES ? "..." : "", *end = answer->is_closed ? " and the end" : "";
    char got[SHOWN_BYTES];

    payload_format(answer->data, answer->bytes, as_hex, got, sizeof(got));
    return probe_failed(result, "expected %.*s%s, got %s%s%s%s", SHOWN_BYTES, expected, dots, quote, got, quote, end);
}

/* Judges an answer that could still become what is expected. After the time limit, one that has begun well, or not at all, has timed out. An expression has no
 * beginning: what has come does not match it. */
static enum probe_outcome judge_open(const struct stream_answer *answer, const struct probe_request *request, struct probe_result *result)
{
    const char *expected = request->settings->check_expect, *end = describe_end(answer);
    char limit[DURATION_TEXT_BYTES];

    if (!answer->is_closed && !answer->is_late)
        return PROBE_PENDING;
    if (answer->bytes > 0 && (answer->is_closed || expect_is_regex(expected)))
        return fail_answer(answer, expected, result);
    if (answer->is_closed)
        return end ? probe_failed(result, "%s without an answer", end) : probe_errno(result, answer->error, request->addr);
    duration_format(request->settings->check_timeout_ms, limit, sizeof(limit));
    return probe_timed_out(result, answer->bytes > 0 ? "only the beginning of the expected answer within %s" : "no answer within %s", limit);
}

static enum expect_verdict match_answer(const struct stream_answer *answer, const char *text)
{
    struct expect expect;
    enum expect_verdict verdict;

    if (answer->bytes == 0)
        return EXPECT_OPEN;
    if (!text)
        return EXPECT_MATCH;
    if (expect_init(&expect, text) < 0)
        return EXPECT_NO_MEMORY;
    verdict = expect_match(&expect, answer->data, answer->bytes);
    expect_deinit(&expect);
    return verdict;
}

static enum probe_outcome judge_answer(const struct stream_answer *answer, const struct probe_request *request, struct probe_result *result)
{
    switch (match_answer(answer, request->settings->check_expect)) {
    case EXPECT_MATCH:
        return probe_passed(result);
    case EXPECT_NO_MEMORY:
        return probe_errno(result, ENOMEM, request->addr);
    case EXPECT_OPEN:
        return judge_open(answer, request, result);
    case EXPECT_MISMATCH:
        break;
    }
    return fail_answer(answer, request->settings->check_expect, result);
}

static enum probe_outcome tcp_judge(const struct stream_answer *answer, const struct probe_request *request, struct probe_result *result)
{
    return probe_needs_reply(request->settings) ? judge_answer(answer, request, result) : judge_silence(answer, request, result);
}

static const struct stream_kind tcp_kind = {
    .ops = &probe_tcp_ops,
    .bytes_max = EXPECT_BYTES_MAX,
    .request = tcp_request,
    .silence_ms = tcp_silence_ms,
    .judge = tcp_judge,
};

static struct prober *tcp_open(probe_done_fn *done, int *error)
{
    return probe_stream_open(&tcp_kind, done, error);
}

const struct probe_ops probe_tcp_ops = {
    .name = "tcp",
    .open = tcp_open,
    .close = probe_stream_close,
    .start = probe_stream_start,
    .abandon = probe_stream_abandon,
    .expire = probe_stream_expire,
    .process = probe_stream_process,
};
