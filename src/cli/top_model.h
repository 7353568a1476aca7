/* cli/top_model.h: what `penstock top` shows: the answers of the admin API, and rates from the difference between two of them. Main thread. */
#ifndef CLI_TOP_MODEL_H
#define CLI_TOP_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line: a backend, or the heading of its pool. All texts belong to the answers that the model keeps. */
struct top_row {
    const char *pool, *backend, *address, *state, *reason; /* backend NULL: a heading; then `state` is the pool's service */
    double since_s;
    uint64_t sessions, limit;         /* limit 0: none */
    uint64_t weight;
    double new_rate, out_rate;        /* sessions and flows per second, bytes per second to clients */
    double failed_rate;               /* sessions and attempts that failed, per second */
    double connect_ms, first_byte_ms; /* means of the last period in which there were any; negative: there was none */
};

struct top_worker {
    uint64_t sessions;
    double cpu;                       /* share of one CPU: 1 is all of it */
};

enum top_order { TOP_BY_NAME, TOP_BY_SESSIONS, TOP_BY_RATE, TOP_BY_FIRST_BYTE, TOP_BY_FAILURES, TOP_ORDERS };

struct top_model {
    struct top_row *rows;             /* owned; the heading of each pool, then its backends */
    size_t row_count;
    struct top_worker *workers;       /* owned */
    size_t worker_count;
    const char *version, *engine, *state;
    double uptime_s;
    uint64_t sessions, flows;
    double new_rate, in_rate, out_rate, failed_rate;
    json_t *status, *pools, *workers_json, *listeners; /* owned: the last answers */
    json_t *means;                    /* owned: connect_ms and first_byte_ms by "POOL BACKEND ADDRESS" */
    uint64_t taken_ns;                /* when they were taken; 0: never */
};

/* The answers to GET /v1/status, /v1/pools, /v1/workers and /v1/listeners. */
struct top_answers {
    json_t *status, *pools, *workers, *listeners;
};

/* Takes the answers over, also on failure, and computes the rates since the last ones. If they come from another process than those, there are no rates yet.
 * Missing members count as 0. Returns 0 or -ENOMEM, after which the model is empty. */
int top_model_take(struct top_model *model, const struct top_answers *answers, uint64_t now_ns);

/* Whether an answer to GET /v1/status is from the process whose answers the model has. */
bool top_model_is_from(const struct top_model *model, const json_t *status);

/* Sorts the backends of each pool, the largest first, or by the configuration. */
void top_model_sort(struct top_model *model, enum top_order order);

/* Frees what it holds. Safe on all zero and twice. */
void top_model_clear(struct top_model *model);

#endif
