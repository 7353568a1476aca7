/* health/probe_grpc.c: gRPC probes: one unary call of grpc.health.v1.Health or of inference.GRPCInferenceService, over HTTP/2 with prior knowledge or over TLS.
 * health/transfer.h drives them, and health/grpc_answer.h has the rule by which an answer passes. Health thread; owns the parts of its probes that transfer.h
 * does not know. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "health/grpc_answer.h"
#include "health/probe.h"
#include "health/transfer.h"

enum { SERVICE_BYTES_MAX = 255 };

struct grpc_probe {
    struct probe base; /* first */
    uint8_t message[GRPC_PREFIX_BYTES + 3 + SERVICE_BYTES_MAX]; /* the request */
    struct grpc_answer answer;
};

/* Encodes the request: field 1, a string, is the service of a HealthCheckRequest and the name of a ModelReadyRequest. It is left out if it is empty. Returns
 * the number of bytes. */
static size_t encode_message(uint8_t *out, const char *service)
{
    enum { TAG_OF_FIELD_1 = 0x0a };
    size_t length = service ? strlen(service) : 0, n = GRPC_PREFIX_BYTES;

    if (length > 0) {
        out[n++] = TAG_OF_FIELD_1;
        if (length > 0x7f)
            out[n++] = (uint8_t)(length | 0x80);
        out[n++] = (uint8_t)(length > 0x7f ? length >> 7 : length);
        memcpy(out + n, service, length);
        n += length;
    }
    size_t bytes = n - GRPC_PREFIX_BYTES;
    out[3] = (uint8_t)(bytes >> 8); /* the flag and the higher bytes of the length are zero */
    out[4] = (uint8_t)bytes;
    return n;
}

static const char *choose_method(const struct pool_settings *settings)
{
    if (settings->check_grpc == CONFIG_GRPC_HEALTH)
        return "/grpc.health.v1.Health/Check";
    return settings->check_service ? "/inference.GRPCInferenceService/ModelReady" : "/inference.GRPCInferenceService/ServerReady";
}

static bool set_headers(struct probe *base)
{
    const char *host = base->request.settings->check_host;
    char line[300];

    base->headers = curl_slist_append(NULL, "Content-Type: application/grpc");
    if (!base->headers || !curl_slist_append(base->headers, "TE: trailers"))
        return false;
    if (host) {
        snprintf(line, sizeof(line), "Host: %s", host); /* libcurl sends it as :authority */
        if (!curl_slist_append(base->headers, line))
            return false;
    }
    return curl_easy_setopt(base->easy, CURLOPT_HTTPHEADER, base->headers) == CURLE_OK;
}

static bool grpc_prepare(struct probe *base)
{
    struct grpc_probe *probe = (struct grpc_probe *)base;
    const struct pool_settings *settings = base->request.settings;
    size_t bytes = encode_message(probe->message, settings->check_service);

    grpc_answer_init(&probe->answer, settings);
    base->tls = settings->check_tls;
    curl_easy_setopt(base->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(base->easy, CURLOPT_POSTFIELDSIZE, (long)bytes);
    curl_easy_setopt(base->easy, CURLOPT_POSTFIELDS, (const char *)probe->message); /* libcurl does not copy it */
    curl_easy_setopt(base->easy, CURLOPT_HTTP_VERSION, (long)(base->tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
    return set_headers(base) && curl_easy_setopt(base->easy, CURLOPT_REQUEST_TARGET, choose_method(settings)) == CURLE_OK;
}

static bool grpc_add_header(struct probe *base, const char *line, size_t bytes, long status)
{
    return grpc_answer_add_header(&((struct grpc_probe *)base)->answer, line, bytes, status);
}

static bool grpc_add_body(struct probe *base, const char *data, size_t bytes)
{
    return grpc_answer_add_body(&((struct grpc_probe *)base)->answer, data, bytes);
}

static bool grpc_is_decided(const struct probe *base)
{
    return grpc_answer_is_decided(&((const struct grpc_probe *)base)->answer);
}

/* Writes libcurl's text about a stream or a session that ended with an error, "...: NAME (err N)" or "...: DESCRIPTION", without what is before the name. */
static const char *shorten_text(struct probe_result *scratch, const char *what, const char *text)
{
    const char *colon = strrchr(text, ':'), *code;

    text = colon ? colon + 1 + strspn(colon + 1, " ") : text;
    code = strstr(text, " (err");
    probe_failed(scratch, "%s %.*s", what, code ? (int)(code - text) : (int)strlen(text), text);
    return scratch->reason;
}

/* Returns, for grpc_answer_judge(), how a connected server cut the answer off. The text may be in `scratch`. */
static const char *describe_cut(const struct transfer_end *end, const struct grpc_answer *answer, const struct addr *addr, struct probe_result *scratch)
{
    bool is_silent = answer->header_bytes == 0;

    switch (end->code) {
    case CURLE_OK:
    case CURLE_WRITE_ERROR: /* our callback ended the transfer */
        return NULL;
    case CURLE_GOT_NOTHING: /* also if what the server sends is not HTTP/2 */
        return "does not answer in HTTP/2";
    case CURLE_PARTIAL_FILE:
        return is_silent ? "closed the connection without an answer" : "closed the connection";
    case CURLE_HTTP2:
        return "ended the HTTP/2 session";
    case CURLE_HTTP2_STREAM:
        return shorten_text(scratch, "ended the HTTP/2 stream with", end->text);
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        if (strstr(end->text, "unexpected eof")) /* TLS without its own end */
            return is_silent ? "closed the connection without an answer" : "closed the connection";
        if (end->os_error == 0)
            return shorten_text(scratch, "sends invalid HTTP/2:", end->text);
        probe_errno(scratch, (int)end->os_error, addr);
        return scratch->reason;
    default:
        return curl_easy_strerror(end->code);
    }
}

static void grpc_judge(const struct probe *base, const struct transfer_end *end, struct probe_result *result)
{
    const struct grpc_answer *answer = &((const struct grpc_probe *)base)->answer;
    const struct addr *addr = base->request.addr;
    struct probe_result scratch;

    if (end && end->refused)
        probe_failed(result, "refused the call (REFUSED_STREAM)");
    else if (end && end->code == CURLE_OUT_OF_MEMORY && !end->connected)
        probe_errno(result, ENOMEM, addr);
    else if (end && end->code == CURLE_COULDNT_CONNECT && end->os_error != 0)
        probe_errno(result, (int)end->os_error, addr);
    else if (end && end->code == CURLE_COULDNT_CONNECT)
        probe_failed(result, "cannot connect");
    else
        grpc_answer_judge(answer, end ? describe_cut(end, answer, addr, &scratch) : NULL, result);
}

static void grpc_judge_late(struct probe *base, struct probe_result *result)
{
    struct grpc_answer *answer = &((struct grpc_probe *)base)->answer;
    char cut[64];

    snprintf(cut, sizeof(cut), "timed out after %u ms", base->request.settings->check_timeout_ms);
    answer->timed_out = true;
    grpc_answer_judge(answer, cut, result);
}

static const struct transfer_kind grpc_kind = {
    .ops = &probe_grpc_ops,
    .probe_bytes = sizeof(struct grpc_probe),
    .prepare = grpc_prepare,
    .add_header = grpc_add_header,
    .add_body = grpc_add_body,
    .is_decided = grpc_is_decided,
    .judge = grpc_judge,
    .judge_late = grpc_judge_late,
};

static struct prober *grpc_open(probe_done_fn *done, int *error)
{
    return transfer_open(&grpc_kind, done, error);
}

const struct probe_ops probe_grpc_ops = {
    .name = "grpc",
    .open = grpc_open,
    .close = transfer_close,
    .start = transfer_start,
    .abandon = transfer_abandon,
    .expire = transfer_expire,
    .process = transfer_process,
};
