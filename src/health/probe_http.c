/* health/probe_http.c: HTTP/1 probes, with or without TLS. health/transfer.h drives them, and health/answer.h has the rule by which an answer passes. At most
 * 64 KiB of headers and 64 KiB of the body are read. Health thread; owns the parts of its probes that transfer.h does not know. */
#include <stdio.h>

#include "health/answer.h"
#include "health/http_end.h"
#include "health/http_request.h"
#include "health/probe.h"
#include "health/transfer.h"

struct http_probe {
    struct probe base; /* first */
    struct answer answer;
};

static bool http_prepare(struct probe *base)
{
    struct http_probe *probe = (struct http_probe *)base;

    answer_init(&probe->answer, base->request.settings);
    base->tls = base->request.settings->check == CONFIG_CHECK_HTTPS;
    base->saves_unread = !base->tls; /* what was not read over TLS is encrypted */
    return http_request_set(base);
}

static void http_clean(struct probe *base)
{
    answer_deinit(&((struct http_probe *)base)->answer);
}

static bool http_add_header(struct probe *base, const char *line, size_t bytes, long status)
{
    return answer_add_header(&((struct http_probe *)base)->answer, line, bytes, status);
}

static bool http_add_body(struct probe *base, const char *data, size_t bytes)
{
    return answer_add_body(&((struct http_probe *)base)->answer, data, bytes);
}

static bool http_is_decided(const struct probe *base)
{
    return answer_is_decided(&((const struct http_probe *)base)->answer);
}

static void http_judge(const struct probe *base, const struct transfer_end *end, struct probe_result *result)
{
    const struct http_probe *probe = (const struct http_probe *)base;

    if (end)
        http_end_judge(end, &probe->answer, base->request.addr, result);
    else
        answer_judge(&probe->answer, NULL, result);
}

static void http_judge_late(struct probe *base, struct probe_result *result)
{
    struct http_probe *probe = (struct http_probe *)base;
    char cut[64];

    snprintf(cut, sizeof(cut), "timed out after %u ms", base->request.settings->check_timeout_ms);
    probe->answer.timed_out = true;
    answer_judge(&probe->answer, cut, result);
}

static const struct transfer_kind http_kind = {
    .ops = &probe_http_ops,
    .probe_bytes = sizeof(struct http_probe),
    .prepare = http_prepare,
    .clean = http_clean,
    .add_header = http_add_header,
    .add_body = http_add_body,
    .is_decided = http_is_decided,
    .judge = http_judge,
    .judge_late = http_judge_late,
};

static struct prober *http_open(probe_done_fn *done, int *error)
{
    return transfer_open(&http_kind, done, error);
}

const struct probe_ops probe_http_ops = {
    .name = "http",
    .open = http_open,
    .close = transfer_close,
    .start = transfer_start,
    .abandon = transfer_abandon,
    .expire = transfer_expire,
    .process = transfer_process,
};
