/* health/probe_agent.c: a call of an agent: connects, sends agent_send, and reads one line (health/agent_report.h). Health thread; owns nothing. */
#include <errno.h>

#include "base/duration.h"
#include "base/payload.h"
#include "health/probe_stream.h"

static const char *agent_request(const struct pool_settings *settings)
{
    return settings->agent_send;
}

static uint32_t agent_silence_ms(const struct pool_settings *settings)
{
    (void)settings;
    return 0;
}

/* Judges an answer without a whole line. */
static enum probe_outcome judge_part(const struct stream_answer *answer, const struct probe_request *request, struct probe_result *result)
{
    char limit[DURATION_TEXT_BYTES];

    if (answer->error == ECONNRESET || answer->error == EPIPE)
        return probe_failed(result, "reset the connection before the end of its line");
    if (answer->error > 0)
        return probe_errno(result, answer->error, request->addr);
    if (answer->is_closed)
        return probe_failed(result, "closed the connection without an answer");
    if (answer->bytes >= AGENT_LINE_BYTES_MAX)
        return probe_failed(result, "sends a line of more than %d bytes", AGENT_LINE_BYTES_MAX);
    if (!answer->is_late)
        return PROBE_PENDING;
    return probe_timed_out(result, "no line within %s", duration_format(request->settings->check_timeout_ms, limit, sizeof(limit)));
}

static enum probe_outcome agent_judge(const struct stream_answer *answer, const struct probe_request *request, struct probe_result *result)
{
    bool is_end = answer->is_closed && answer->error == 0 && answer->bytes > 0;
    size_t length, bad_bytes;
    const char *bad;
    char shown[60];

    if (!agent_report_find_line(answer->data, answer->bytes, is_end, &length))
        return judge_part(answer, request, result);
    if (agent_report_parse(&result->report, (const char *)answer->data, length, &bad, &bad_bytes))
        return probe_passed(result);
    return probe_failed(result, "sends the unknown word \"%s\"", payload_format((const uint8_t *)bad, bad_bytes, false, shown, sizeof(shown)));
}

static const struct stream_kind agent_kind = {
    .ops = &probe_agent_ops,
    .bytes_max = AGENT_LINE_BYTES_MAX,
    .request = agent_request,
    .silence_ms = agent_silence_ms,
    .judge = agent_judge,
};

static struct prober *agent_open(probe_done_fn *done, int *error)
{
    return probe_stream_open(&agent_kind, done, error);
}

const struct probe_ops probe_agent_ops = {
    .name = "agent",
    .open = agent_open,
    .close = probe_stream_close,
    .start = probe_stream_start,
    .abandon = probe_stream_abandon,
    .expire = probe_stream_expire,
    .process = probe_stream_process,
};
