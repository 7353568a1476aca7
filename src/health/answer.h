/* health/answer.h: the answer to one HTTP probe: what has arrived, and the rule by which it passes or fails.
 *
 * An answer passes if all of this has arrived. How the connection ends after that does not matter.
 *
 *   1. The status line of a final answer (interim answers, 1xx, do not count), and its headers up to the empty line or to the end of
 *      the connection. Headers are incomplete only if the time is over and the connection is still open.
 *   2. A status in check_status.
 *   3. With check_body: that text, within the first PROBE_BODY_BYTES_MAX bytes of the body.
 *      Without it: the number of bytes in Content-Length, or the first PROBE_BODY_BYTES_MAX of them. A body without
 *      Content-Length, chunked or not, may end anywhere.
 *
 * Pure functions of a state that the caller owns; one thread. */
#ifndef HEALTH_ANSWER_H
#define HEALTH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/settings.h"
#include "health/probe.h"

/* Maximum number of header bytes that are read, including those of interim answers and trailers. */
#define ANSWER_HEADER_BYTES_MAX 65536

enum answer_stage {
    ANSWER_NOTHING, /* no status line of a final answer has arrived */
    ANSWER_HEADERS, /* the headers are incomplete */
    ANSWER_BODY     /* the headers are complete */
};

struct answer {
    const struct pool_settings *settings; /* borrowed */
    enum answer_stage stage;
    long status;                    /* of the last status line, also of an interim answer; 0: none */
    bool has_content_length, has_transfer_encoding;
    bool has_text;                  /* check_body was found */
    bool timed_out;                 /* the time of the probe is over and the connection is still open */
    bool no_memory;
    size_t header_bytes;
    size_t body_bytes;              /* number of bytes read so far, at most PROBE_BODY_BYTES_MAX */
    char *body;                     /* owned; the text in which check_body is searched; NULL: nothing yet, or no check_body */
    size_t body_capacity;
};

void answer_init(struct answer *answer, const struct pool_settings *settings);
/* Accepts an all-zero struct and may be called twice. */
void answer_deinit(struct answer *answer);

/* Adds a header line: a status line, a header, an empty line or a trailer. `status` is the status of the last status line. Returns false, to stop reading,
 * if the headers exceed ANSWER_HEADER_BYTES_MAX. */
bool answer_add_header(struct answer *answer, const char *line, size_t bytes, long status);

/* Adds bytes of the body. Returns false, to stop reading, if there are enough or no_memory is set. */
bool answer_add_body(struct answer *answer, const char *data, size_t bytes);

/* Whether the outcome is certain, whatever still arrives. */
bool answer_is_decided(const struct answer *answer);

/* Applies the rule, fills `result` and returns its outcome: passed, failed or timed out. It is timed out if `timed_out` is set, a part of the answer is
 * missing, and the status, if it has arrived, is in check_status. `cut` says for the log how the answer was cut off, such as "connection reset"; it is NULL if
 * the answer is complete, or complete as far as it is read. */
enum probe_outcome answer_judge(const struct answer *answer, const char *cut, struct probe_result *result);

#endif
