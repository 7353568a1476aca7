/* table/survey.h: a question about the sessions or the flows of all workers, and its answer: plain values. Any thread. worker_survey() (worker/worker.h) asks
 * the workers. */
#ifndef TABLE_SURVEY_H
#define TABLE_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct lease;

enum {
    SURVEY_NAME_BYTES = 64,  /* of the longest name in a configuration, with its terminating zero */
    SURVEY_ROWS_MAX = 1000,
};

/* Which rows are first: the oldest, those that have been idle for the longest time, or those with the most bytes in both directions together. */
enum survey_order { SURVEY_AGE, SURVEY_IDLE, SURVEY_BYTES };

/* What is done with the sessions or flows that match. */
enum survey_action { SURVEY_LIST, SURVEY_CLOSE };

/* All zero matches every session. */
struct survey_query {
    bool flows;              /* UDP flows instead of sessions */
    char listener[SURVEY_NAME_BYTES], pool[SURVEY_NAME_BYTES], backend[SURVEY_NAME_BYTES]; /* "": any */
    struct addr client;      /* an address of the network in which the client must be; a port other than 0 must be the client's. No address: any client */
    uint8_t client_bits;     /* length of the prefix of `client`: 0 to 32, or to 128 */
    uint64_t older_ns;       /* the minimum age */
    unsigned worker;         /* of the only one that matches, if `number` is set */
    uint64_t number;         /* the number of the only one that matches, as in log lines: 2.1734 is number 1734 of worker 2. 0: any */
    enum survey_order order;
    uint32_t limit;          /* number of rows, 1 to SURVEY_ROWS_MAX: the first ones in the order. SURVEY_LIST only */
    bool tcp_info;           /* also reads the round-trip time and the retransmits of both ends. This takes two system calls a row */
};

/* The value of a time that is not known yet. */
#define SURVEY_UNKNOWN UINT64_MAX

/* What TCP knows about one end. */
struct survey_tcp {
    bool known;              /* false: it was not asked for, or the end is closed or a UNIX socket */
    uint32_t rtt_us;         /* smoothed */
    uint32_t retransmits;    /* number of segments that were sent again, since the connection began */
};

/* One session or flow. Arrays of two have the client's end, or the bytes that came from the client, at [0], and the backend's at [1]. */
struct survey_row {
    unsigned worker;
    uint64_t number;
    struct addr client;      /* no address: a flow that all clients share */
    char listener[SURVEY_NAME_BYTES], pool[SURVEY_NAME_BYTES];
    char backend[SURVEY_NAME_BYTES]; /* "": none is selected at present */
    struct addr backend_addr;
    const char *state;       /* a constant: the name of the state in log lines, such as "RELAYING" */
    uint64_t age_ns;         /* when the question was asked; 0 if it began later */
    uint64_t idle_ns;        /* the same, since bytes last moved or, while it connects, since the attempt began */
    uint64_t connect_us;     /* from accepting the client until a backend was connected; SURVEY_UNKNOWN for flows */
    uint64_t first_byte_us;  /* from then until the first byte came from the backend; SURVEY_UNKNOWN for flows */
    uint64_t bytes[2];
    uint64_t datagrams[2];   /* of flows */
    bool spliced[2];         /* the bytes are spliced at present, not copied */
    struct survey_tcp tcp[2];
};

/* The answer. All zero is empty. */
struct survey {
    struct survey_row *rows; /* owned; in the order of the query */
    size_t count;
    uint64_t matched;        /* number of sessions or flows that matched: at least `count` */
    uint64_t closed;         /* number of those that were closed by SURVEY_CLOSE */
    unsigned late;           /* number of workers that did not answer in time, and whose part is missing */
};

/* Frees the rows. Safe on all zero and twice. */
void survey_free(struct survey *survey);

/* A session or flow that is compared with a query. Borrows everything. */
struct survey_subject {
    unsigned worker;
    uint64_t number;
    const struct lease *lease; /* with its listener and pool; the backend may be NULL */
    const struct addr *client; /* may have no address */
    uint64_t age_ns, idle_ns;
    uint64_t bytes[2];
};

/* Whether it is one of those that were asked for. */
bool survey_matches(const struct survey_query *query, const struct survey_subject *subject);

/* Fills the fields of a row that a subject has too, or that lead from its lease. The others become zero. */
void survey_fill_row(struct survey_row *row, const struct survey_subject *subject);

/* What is compared in the given order: the row with the larger value is first. Equal ones are in the order of worker and number. */
uint64_t survey_rank(enum survey_order order, uint64_t age_ns, uint64_t idle_ns, const uint64_t bytes[2]);

#endif
