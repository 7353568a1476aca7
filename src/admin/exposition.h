/* admin/exposition.h: writes the text format of Prometheus, version 0.0.4, into memory that grows.
 *
 * Source of the format: prometheus/docs, content/docs/instrumenting/exposition_formats.md. Numbers are integers with a number of decimals, so that neither the
 * locale nor the rounding of binary fractions changes them. If memory runs out, the text is marked as failed, and everything that follows is ignored.
 *
 * Admin thread; any thread may use an exposition of its own. */
#ifndef ADMIN_EXPOSITION_H
#define ADMIN_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exposition {
    char *text; /* not terminated; NULL while nothing was written */
    size_t length, capacity;
    bool failed; /* memory ran out */
};

/* One line. */
struct exposition_sample {
    const char *name, *suffix;              /* suffix: "", or "_sum" and so on */
    const char *labels;                     /* what exposition_add_label() has written; not terminated */
    size_t labels_length;
    const char *label_name, *label_value;   /* one more label; NULL: none */
    uint64_t number;                        /* the value times 10^decimals */
    unsigned decimals;                      /* 0 to 9 */
};

/* An all-zero struct is empty and valid. deinit frees the text and makes the struct empty again. */
void exposition_deinit(struct exposition *exposition);

/* Appends the HELP and TYPE lines of a family of metrics. Call it once for each, before its samples. `help` needs no escape. */
void exposition_add_family(struct exposition *exposition, const char *name, const char *type, const char *help);

/* Appends `name="value"`, with a comma before it unless it is the first label since `start`, which is a length of the exposition. Here and in samples, values
 * are escaped. A byte that is not part of valid UTF-8 becomes '?', because Prometheus would refuse the whole scrape; so does a control character. */
void exposition_add_label(struct exposition *exposition, size_t start, const char *name, const char *value);

void exposition_add_sample(struct exposition *exposition, const struct exposition_sample *sample);

/* Writes `number` divided by 10^decimals, without trailing zeros, and a terminator. `decimals`: 0 to 9. Returns the length. */
#define EXPOSITION_NUMBER_BYTES 24
size_t exposition_format_number(char text[EXPOSITION_NUMBER_BYTES], uint64_t number, unsigned decimals);

#endif
