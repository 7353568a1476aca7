/* health/answer.h: the answer to one HTTP probe: what has arrived of it, and the rule by which it passes or fails.
 *
 * The rule. An answer passes when all of this has arrived; how the connection ends after that does not matter:
 *
 *   1. the status line of a final answer (interim ones, 1xx, do not count), and its headers up to the empty line or to
 *      the end of the connection: only headers that are still to come when the time is over are missing;
 *   2. a status within check_status;
 *   3. with check_body: that text, within the first PROBE_BODY_BYTES_MAX bytes of the body;
 *      without it: as many bytes as Content-Length says, or the first PROBE_BODY_BYTES_MAX of them. A body without
 *      Content-Length, chunked or not, may end anywhere.
 *
 * Pure functions of explicit state, which the caller owns; one thread. */
#ifndef HEALTH_ANSWER_H
#define HEALTH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/settings.h"
#include "health/probe.h"

/* Most bytes of headers that are read, those of interim answers and trailers included. */
#define ANSWER_HEADER_BYTES_MAX 65536

enum answer_stage {
    ANSWER_NOTHING, /* no status line of a final answer */
    ANSWER_HEADERS, /* in the middle of the headers */
    ANSWER_BODY     /* the headers are complete */
};

struct answer {
    const struct pool_settings *settings; /* borrowed */
    enum answer_stage stage;
    long status;                    /* of the last status line, of an interim answer, too; 0: there was none */
    bool has_content_length, has_transfer_encoding;
    bool has_text;                  /* check_body was found */
    bool timed_out;                 /* the caller's time is over, and the connection still open */
    bool no_memory;
    size_t header_bytes;
    size_t body_bytes;              /* read so far, at most PROBE_BODY_BYTES_MAX */
    char *body;                     /* owned; what check_body is looked for in; NULL: nothing yet, or no check_body */
    size_t body_capacity;
};

void answer_init(struct answer *answer, const struct pool_settings *settings);
/* Safe on a zeroed one, and twice. */
void answer_deinit(struct answer *answer);

/* Takes a line of the headers: a status line, a header, an empty line or a trailer. `status` is that of the last status
 * line. False: there are more than ANSWER_HEADER_BYTES_MAX; read no further. */
bool answer_add_header(struct answer *answer, const char *line, size_t bytes, long status);

/* Takes bytes of the body. False: read no further, for there are enough, or no_memory is set. */
bool answer_add_body(struct answer *answer, const char *data, size_t bytes);

/* Whether nothing that may still arrive can change the outcome. */
bool answer_is_decided(const struct answer *answer);

/* Applies the rule. `cut` says for the log how the answer was cut off ("connection reset"); NULL when it came to its
 * end, or as far as it is read. Fills `result` and returns its outcome: passed or failed. */
enum probe_outcome answer_judge(const struct answer *answer, const char *cut, struct probe_result *result);

#endif
