/* health/grpc_answer.h: the answer to one gRPC probe: what has arrived, and the rule by which it passes or fails.
 *
 * An answer passes if one message has arrived that says SERVING, or that the server or the model is ready. The trailers are not awaited, because a server sends
 * no message with a call that fails, and because libcurl 7.88 loses the trailers if the end of the connection arrives together with them. How the connection
 * ends after the message does not matter. Any other message fails, and so does a grpc-status without a message.
 *
 * Wire format: HTTP/2 with a message after five bytes, a flag and the length (grpc/doc/PROTOCOL-HTTP2.md). Both kinds of answer are a protocol buffer whose
 * field 1 is a varint: status of HealthCheckResponse (grpc/health/v1/health.proto), where 1 is SERVING, and ready of ServerReadyResponse and
 * ModelReadyResponse (Open Inference Protocol), where 1 is true. A missing field is 0.
 *
 * Pure functions of a state that the caller owns; one thread. */
#ifndef HEALTH_GRPC_ANSWER_H
#define HEALTH_GRPC_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "health/probe.h"

/* Maximum number of header bytes that are read, including those of interim answers and trailers. */
#define GRPC_HEADER_BYTES_MAX 65536

enum { GRPC_PREFIX_BYTES = 5, GRPC_MESSAGE_BYTES_MAX = 4096, GRPC_NO_STATUS = -1 };

struct grpc_answer {
    const struct pool_settings *settings; /* borrowed */
    size_t header_bytes;
    long http_status;        /* of the last status line; 0: none */
    bool is_http2;           /* the status line is one of HTTP/2 */
    bool has_headers;        /* the headers of a final answer are complete */
    bool is_grpc;            /* the content-type is that of gRPC */
    bool timed_out;          /* the time of the probe is over and the answer has no end */
    int status;              /* grpc-status; GRPC_NO_STATUS: none has arrived */
    char content_type[48];   /* cut off if it is longer */
    char text[64];           /* grpc-message, decoded and cut off; empty: none */
    uint8_t data[GRPC_PREFIX_BYTES + GRPC_MESSAGE_BYTES_MAX];
    size_t data_bytes;       /* of the body; at most one byte more than the message has */
};

void grpc_answer_init(struct grpc_answer *answer, const struct pool_settings *settings);

/* Adds a header line: a status line, a header, an empty line or a trailer. `status` is the HTTP status of the last status line. Returns false, to stop reading,
 * if the headers exceed GRPC_HEADER_BYTES_MAX. */
bool grpc_answer_add_header(struct grpc_answer *answer, const char *line, size_t bytes, long status);

/* Adds bytes of the body. Returns false, to stop reading, if they exceed one message of at most GRPC_MESSAGE_BYTES_MAX bytes. */
bool grpc_answer_add_body(struct grpc_answer *answer, const char *data, size_t bytes);

/* Whether the outcome is certain, whatever still arrives. */
bool grpc_answer_is_decided(const struct grpc_answer *answer);

/* Applies the rule, fills `result` and returns its outcome. It has timed out if `timed_out` is set and nothing that has arrived is wrong, or if the server says
 * that it has no capacity. `cut` says for the log how the answer was cut off, such as "connection reset"; it is NULL if the answer ended by itself. */
enum probe_outcome grpc_answer_judge(const struct grpc_answer *answer, const char *cut, struct probe_result *result);

#endif
