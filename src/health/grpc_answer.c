/* health/grpc_answer.c: collects the answer to a gRPC probe as it arrives, and judges it. Pure; health thread. */
#include "health/grpc_answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIRST_FINAL_STATUS = 200, HTTP_OK = 200, VALUE_GOOD = 1 };

/* Status codes (grpc/doc/statuscodes.md). */
enum { STATUS_UNKNOWN = 2, STATUS_DEADLINE_EXCEEDED = 4, STATUS_NOT_FOUND = 5, STATUS_RESOURCE_EXHAUSTED = 8, STATUS_UNIMPLEMENTED = 12 };

static const char *const status_names[] = {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
                                           "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
                                           "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"};

enum { STATUS_COUNT = sizeof(status_names) / sizeof(status_names[0]) };

void grpc_answer_init(struct grpc_answer *answer, const struct pool_settings *settings)
{
    *answer = (struct grpc_answer){.settings = settings, .status = GRPC_NO_STATUS};
}

/* ---- headers ---- */

/* Returns the value of a header with this name, without blanks around it, and sets `*bytes` to its length. Returns NULL if the line is another header. */
static const char *header_value(const char *line, size_t line_bytes, const char *name, size_t *bytes)
{
    size_t name_bytes = strlen(name);
    const char *value = line + name_bytes + 1, *end = line + line_bytes;

    if (line_bytes <= name_bytes || line[name_bytes] != ':' || strncasecmp(line, name, name_bytes) != 0)
        return NULL;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && strchr(" \t\r\n", end[-1]) && end[-1] != '\0')
        end--;
    *bytes = (size_t)(end - value);
    return value;
}

static int hex_digit(char digit)
{
    const char *digits = "0123456789abcdef", *found = digit != '\0' ? strchr(digits, digit | 0x20) : NULL;

    return found ? (int)(found - digits) : -1;
}

/* Resolves %XX, as grpc-message is encoded. A "%" without two digits stands for itself. */
static void decode_text(char *out, size_t size, const char *value, size_t bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < bytes && n + 1 < size; i++) {
        int high = value[i] == '%' && i + 2 < bytes ? hex_digit(value[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(value[i + 2]) : -1;
        if (low >= 0)
            i += 2;
        out[n++] = low >= 0 ? (char)(high << 4 | low) : value[i];
    }
    out[n] = '\0';
}

/* A status that is not a number counts as UNKNOWN (grpc/doc/PROTOCOL-HTTP2.md). */
static int parse_status(const char *value, size_t bytes)
{
    int status = 0;

    if (bytes == 0 || bytes > 4)
        return STATUS_UNKNOWN;
    for (size_t i = 0; i < bytes; i++) {
        if (value[i] < '0' || value[i] > '9')
            return STATUS_UNKNOWN;
        status = status * 10 + (value[i] - '0');
    }
    return status;
}

bool grpc_answer_add_header(struct grpc_answer *answer, const char *line, size_t bytes, long status)
{
    static const char http2[] = "HTTP/2", grpc[] = "application/grpc";
    const char *value;
    size_t value_bytes;

    answer->header_bytes += bytes;
    if (answer->header_bytes > GRPC_HEADER_BYTES_MAX)
        return false;
    if (bytes >= strlen(http2) && strncmp(line, "HTTP/", 5) == 0 && !answer->has_headers) {
        answer->is_http2 = strncmp(line, http2, strlen(http2)) == 0;
        answer->http_status = status;
    } else if (line[0] == '\r' || line[0] == '\n') {
        answer->has_headers |= status >= FIRST_FINAL_STATUS;
    } else if (!answer->has_headers && (value = header_value(line, bytes, "content-type", &value_bytes)) != NULL) {
        answer->is_grpc = value_bytes >= strlen(grpc) && strncasecmp(value, grpc, strlen(grpc)) == 0;
        snprintf(answer->content_type, sizeof(answer->content_type), "%.*s", (int)value_bytes, value);
    } else if ((value = header_value(line, bytes, "grpc-status", &value_bytes)) != NULL) {
        answer->status = parse_status(value, value_bytes);
    } else if ((value = header_value(line, bytes, "grpc-message", &value_bytes)) != NULL) {
        decode_text(answer->text, sizeof(answer->text), value, value_bytes);
    }
    return true;
}

/* ---- the message ---- */

static uint32_t message_bytes(const struct grpc_answer *answer)
{
    const uint8_t *length = answer->data + 1;

    return (uint32_t)length[0] << 24 | (uint32_t)length[1] << 16 | (uint32_t)length[2] << 8 | length[3];
}

/* What is wrong with the bytes of the body so far, or NULL. */
static const char *explain_data(const struct grpc_answer *answer)
{
    if (answer->data_bytes > 0 && answer->data[0] != 0)
        return "its message is compressed, which was not asked for";
    if (answer->data_bytes < GRPC_PREFIX_BYTES)
        return NULL;
    if (message_bytes(answer) > GRPC_MESSAGE_BYTES_MAX)
        return "its message is too long";
    return answer->data_bytes > GRPC_PREFIX_BYTES + message_bytes(answer) ? "sends more than one message" : NULL;
}

bool grpc_answer_add_body(struct grpc_answer *answer, const char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (explain_data(answer) || answer->data_bytes == sizeof(answer->data))
            return false;
        answer->data[answer->data_bytes++] = (uint8_t)data[i];
    }
    return !explain_data(answer);
}

static bool has_message(const struct grpc_answer *answer)
{
    return answer->data_bytes >= GRPC_PREFIX_BYTES && !explain_data(answer) && answer->data_bytes == GRPC_PREFIX_BYTES + message_bytes(answer);
}

/* Parses a varint and moves `*at` past it. Returns false if it is cut off or longer than 64 bits. */
static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* Sets `*value` to field 1, a varint, of the message. Skips other fields. Returns false if the message is malformed. */
static bool read_value(const struct grpc_answer *answer, uint64_t *value)
{
    enum { WIRE_VARINT = 0, WIRE_64_BITS = 1, WIRE_LENGTH = 2, WIRE_32_BITS = 5 };
    const uint8_t *at = answer->data + GRPC_PREFIX_BYTES, *end = answer->data + answer->data_bytes;
    uint64_t tag, number;

    *value = 0;
    while (at < end) {
        if (!take_varint(&at, end, &tag) || tag >> 3 == 0)
            return false;
        switch (tag & 7) {
        case WIRE_VARINT:
            if (!take_varint(&at, end, &number))
                return false;
            if (tag >> 3 == 1)
                *value = number;
            continue;
        case WIRE_64_BITS:
            number = 8;
            break;
        case WIRE_LENGTH:
            if (!take_varint(&at, end, &number))
                return false;
            break;
        case WIRE_32_BITS:
            number = 4;
            break;
        default:
            return false;
        }
        if (number > (uint64_t)(end - at))
            return false;
        at += number;
    }
    return true;
}

/* ---- the rule ---- */

/* Whether the headers show that no gRPC answer will come. A server may send its grpc-status with any HTTP status. */
static bool is_no_grpc(const struct grpc_answer *answer)
{
    return answer->has_headers && answer->status == GRPC_NO_STATUS && (answer->http_status != HTTP_OK || !answer->is_grpc || !answer->is_http2);
}

bool grpc_answer_is_decided(const struct grpc_answer *answer)
{
    return answer->status != GRPC_NO_STATUS || is_no_grpc(answer) || explain_data(answer) || has_message(answer);
}

static enum probe_outcome judge_no_grpc(const struct grpc_answer *answer, struct probe_result *result)
{
    if (!answer->is_http2)
        return probe_failed(result, "does not answer in HTTP/2");
    if (answer->http_status != HTTP_OK)
        return probe_failed(result, "HTTP status %ld instead of a gRPC answer", answer->http_status);
    return probe_failed(result, "does not speak gRPC: content-type %s", answer->content_type[0] ? answer->content_type : "missing");
}

static enum probe_outcome judge_status(const struct grpc_answer *answer, struct probe_result *result)
{
    bool is_inference = answer->settings->check_grpc == CONFIG_GRPC_INFERENCE;
    const char *service = answer->settings->check_service, *colon = answer->text[0] ? ": " : "";

    if (answer->status == STATUS_UNIMPLEMENTED)
        return probe_failed(result, "has no gRPC service for %s (status UNIMPLEMENTED%s%s)", is_inference ? "the Open Inference Protocol" : "health checks",
                            colon, answer->text);
    if (answer->status == STATUS_NOT_FOUND && service)
        return probe_failed(result, "does not know %s %s (status NOT_FOUND%s%s)", is_inference ? "model" : "service", service, colon, answer->text);
    /* A server that rejects calls because of its load is busy like one that does not answer in time. */
    if (answer->status == STATUS_RESOURCE_EXHAUSTED || answer->status == STATUS_DEADLINE_EXCEEDED)
        return probe_timed_out(result, "gRPC status %s%s%s", status_names[answer->status], colon, answer->text);
    if (answer->status < STATUS_COUNT)
        return probe_failed(result, "gRPC status %s%s%s", status_names[answer->status], colon, answer->text);
    return probe_failed(result, "gRPC status %d%s%s", answer->status, colon, answer->text);
}

static enum probe_outcome judge_message(const struct grpc_answer *answer, struct probe_result *result)
{
    static const char *const health[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    const char *service = answer->settings->check_service;
    uint64_t value;

    if (!read_value(answer, &value))
        return probe_failed(result, "its message is malformed");
    if (value == VALUE_GOOD)
        return probe_passed(result);
    if (answer->settings->check_grpc == CONFIG_GRPC_INFERENCE)
        return probe_failed(result, "%s%s is not ready", service ? "model " : "server", service ? service : "");
    if (value < sizeof(health) / sizeof(health[0]))
        return probe_failed(result, "health status %s", health[value]);
    return probe_failed(result, "health status %" PRIu64, value);
}

/* Explains an answer of which nothing is wrong but a part is missing. */
static enum probe_outcome judge_missing(const struct grpc_answer *answer, const char *cut, struct probe_result *result)
{
    if (!cut && answer->status == 0)
        return probe_failed(result, "its answer has no message");
    if (!cut)
        return probe_failed(result, "its answer has no grpc-status");
    if (answer->header_bytes == 0)
        probe_failed(result, "%s", cut);
    else
        probe_failed(result, "%s in the middle of its answer", cut);
    if (answer->timed_out)
        result->outcome = PROBE_TIMED_OUT;
    return result->outcome;
}

enum probe_outcome grpc_answer_judge(const struct grpc_answer *answer, const char *cut, struct probe_result *result)
{
    const char *problem = explain_data(answer);

    if (answer->header_bytes > GRPC_HEADER_BYTES_MAX)
        return probe_failed(result, "HTTP headers of more than %d bytes", GRPC_HEADER_BYTES_MAX);
    if (is_no_grpc(answer))
        return judge_no_grpc(answer, result);
    if (problem)
        return probe_failed(result, "%s", problem);
    if (has_message(answer))
        return judge_message(answer, result);
    if (answer->status > 0)
        return judge_status(answer, result);
    return judge_missing(answer, answer->status == 0 ? NULL : cut, result);
}
