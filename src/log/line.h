/* log/line.h: turns a record into what a sink writes. The log thread. */
#ifndef LOG_LINE_H
#define LOG_LINE_H

#include <stddef.h>

#include "log/target.h"
#include "log/thread.h"

/* Size of the longest line: the text of a record with each byte escaped for JSON. test_line.c has the longest of each kind. */
#define LINE_BYTES_MAX (5 * LOG_LINE_BYTES + 256)

struct line_form {
    enum log_target_kind kind;
    unsigned facility; /* of syslog */
    enum log_format format;
};

/* Writes the line to `out`, which has LINE_BYTES_MAX bytes, and returns its length.
 *   files, streams   a time stamp, the level and the text; or a JSON object; and a newline
 *   syslog           what syslog(3) of glibc sends (RFC 3164), with local time. The text is that of a file, without time and level; or the JSON object
 *   journal          the journal's native protocol: a field in each line. MESSAGE is the text as for syslog. A line of the access log also has each of its
 *                    fields as one of the journal, as in PENSTOCK_BACKEND=b1. (systemd.io/JOURNAL_NATIVE_PROTOCOL) */
size_t line_format(char *out, const struct log_record *record, const struct line_form *form);

#endif
