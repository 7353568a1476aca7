/* admin/metrics_table.h: the list of all metrics: one row for each. The documentation, the dashboard, the alert rules and the tests are checked against it. */
#ifndef ADMIN_METRICS_TABLE_H
#define ADMIN_METRICS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/metrics.h"
#include "table/report.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM, METRIC_TYPES };

/* Subjects of UDP alone do not have the metrics of TCP, and the other way round. */
enum metric_protocol { METRIC_TCP = 1, METRIC_UDP = 2, METRIC_ANY = METRIC_TCP | METRIC_UDP };

/* How the field of a subject is read. METRIC_TEXT is the value of the row's label, in a sample of value 1. */
enum metric_kind { METRIC_BOOL, METRIC_U32, METRIC_U64, METRIC_TEXT, METRIC_BUCKETS };

/* The subjects: METRICS_WORKER is about struct report_worker, METRICS_LISTENER about struct report_listener, METRICS_BACKEND about struct report_backend. The
 * other two are made from a report, because they are sums of several of its parts. */
struct metrics_process {
    struct metrics_facts facts;
    uint32_t sessions, flows;
    uint64_t log_dropped[2];
};

struct metrics_pool {
    const char *name, *service;
    uint32_t sessions, usable, serving; /* `serving`: number of backends that take new sessions */
    uint32_t states[REPORT_STATES];  /* number of backends in each */
    struct report_traffic traffic;   /* of all backends, including those that are freed */
    struct report_events events;
};

struct metric {
    const char *name;                /* of a histogram: without _bucket, _sum and _count */
    const char *help;                /* a sentence, needs no escape */
    enum metric_type type;
    enum metrics_level level;        /* gives the type of the subject, and the labels that name it */
    enum metric_protocol protocol;
    enum metric_kind kind;
    size_t offset;                   /* of the field in the subject */
    uint64_t (*value)(const void *subject, unsigned i); /* computes the (i-th) value instead; NULL: read the field */
    bool (*applies)(const void *subject); /* whether the subject has this metric; NULL: always */
    unsigned decimals;               /* the field counts units of 10^-decimals */
    const char *label;               /* one more label; NULL: none */
    const char *(*word)(unsigned i); /* its i-th value; the field is then an array. NULL if the label's value is a METRIC_TEXT */
    unsigned word_count;
};

extern const struct metric metrics_table[];
extern const size_t metrics_table_count;

/* The name of a level in ?level=, and the labels that name its subject, separated by a comma. */
const char *metrics_level_word(enum metrics_level level);
const char *metrics_level_labels(enum metrics_level level);

/* The word of the TYPE line. */
const char *metric_type_word(enum metric_type type);

#endif
