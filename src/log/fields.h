/* log/fields.h: the fields of a line of the access log, in order. The only place that knows their names. Pure; the log thread. */
#ifndef LOG_FIELDS_H
#define LOG_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "log/access.h"

enum { FIELDS_MAX = 28 };

enum field_kind {
    FIELD_NONE,   /* unknown */
    FIELD_WORD,   /* may be a peer's */
    FIELD_TEXT,   /* our own words */
    FIELD_NUMBER,
    FIELD_MS,     /* `number` is in microseconds and written as milliseconds */
};

struct field {
    const char *name;     /* in small letters */
    enum field_kind kind;
    const char *text;
    uint64_t number;
};

struct fields {
    size_t count;
    struct field list[FIELDS_MAX];
    char number[32], client[ADDR_TEXT_BYTES], addr[ADDR_TEXT_BYTES]; /* texts of fields */
};

/* Lists the fields of a record, which must stay unchanged as long as `fields` is used. */
void fields_list(struct fields *fields, const struct access_record *record);

#endif
