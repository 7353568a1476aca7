/* table/survey_request.h: a query that one thread, the asker, puts to several workers, and their answers. As any request (table/request.h), it may be answered
 * after the asker has stopped to wait.
 *
 * Each worker writes only its own part. The asker reads a part only after its worker has answered (release and acquire), so that it has the other parts if one
 * is late. The memory is bounded: each part has room for query.limit rows, and the system provides that memory when it is first used. */
#ifndef TABLE_SURVEY_REQUEST_H
#define TABLE_SURVEY_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "table/request.h"
#include "table/survey.h"

/* A row that is among the first ones until now. */
struct survey_place {
    uint64_t rank;           /* survey_rank() */
    uint32_t row;            /* its index */
};

/* What one worker says. */
struct survey_part {
    /* Written by the worker that was asked. */
    struct survey_row *rows;
    struct survey_place *places; /* a heap of the rows in use: the last one in the order is at its top */
    uint32_t count;          /* rows in use */
    uint64_t matched, closed;
    int result;              /* 0; or -EBUSY: the worker has too many requests */
    _Atomic bool answered;   /* release: everything above is written */

    bool asked;              /* used only by the asker */
};

struct survey_request {
    struct request request;  /* first */

    /* Immutable. */
    struct survey_query query;
    enum survey_action action;
    unsigned workers;
    uint64_t asked_ns;       /* clock_now_ns() when it was made: ages count to this time */

    struct survey_part parts[]; /* by worker */
};

/* ---- the asker ---- */

/* Returns a request that nobody was asked yet. NULL: out of memory. */
struct survey_request *survey_request_new(const struct survey_query *query, enum survey_action action, unsigned workers);

/* Counts a worker that is being asked. Call it once for each worker, before the request is posted to its mailbox. If it cannot be posted, answer in place of
 * the worker. Before survey_request_wait(). */
void survey_request_ask(struct survey_request *request, unsigned worker);

/* Waits until all workers that were asked have answered, or until `deadline_ns` (clock_now_ns()). Once. Returns 0 or -ETIMEDOUT. */
int survey_request_wait(struct survey_request *request, uint64_t deadline_ns);

/* Merges what was answered until now into `survey`, which the caller has to free. Returns 0; or -EBUSY, if a worker refused; or -ENOMEM. After an error, the
 * survey has no rows. */
int survey_request_collect(struct survey_request *request, struct survey *survey);

/* Gives it back. The asker, last. */
void survey_request_drop(struct survey_request *request);

/* ---- a worker that was asked ---- */

/* Counts a subject that matches. Returns a row if the subject is among the first ones in the order until now; otherwise NULL. survey_fill_row() has filled the
 * row; the caller completes it. SURVEY_LIST. */
struct survey_row *survey_request_offer(struct survey_request *request, const struct survey_subject *subject);

/* Counts one that matches and was closed. SURVEY_CLOSE. */
void survey_request_note_closed(struct survey_request *request, unsigned worker);

/* Completes this worker's part, and gives the request back. `result`: 0 or -EBUSY. Once. */
void survey_request_answer(struct survey_request *request, unsigned worker, int result);

#endif
