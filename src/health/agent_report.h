/* health/agent_report.h: what an agent says about its server: one line of text, as HAProxy's agent-check defines it (configuration.txt, "agent-check").
 *
 *   line    words, separated by blanks, tabs or commas, up to the first CR or LF, or the end of the connection. "#" begins a description up to the end of line
 *   word    75%, weight:75%        weight in percent of the configured one
 *           weight:30              weight, 0 to 256; 0 drains
 *           maxconn:30             maximum number of connections; 0: as configured
 *           ready, drain, maint    administrative state
 *           up                     the server works
 *           down, fail, stopped    the server does not work
 *
 * The case of letters does not matter. What a line does not say stays as it was. If a line says the same thing twice, the last word counts.
 * HAProxy ignores words that it does not know. Here such a word makes the whole line invalid, so that an answer in another protocol or language, such as "the
 * disk is down to 75%", changes nothing.
 *
 * Pure functions; any thread. */
#ifndef HEALTH_AGENT_REPORT_H
#define HEALTH_AGENT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AGENT_LINE_BYTES_MAX = 1024, AGENT_WEIGHT_MAX = 256, AGENT_PERCENT_MAX = 25600, AGENT_REASON_BYTES = 80 };

enum agent_mode { AGENT_MODE_SAME, AGENT_MODE_READY, AGENT_MODE_DRAIN, AGENT_MODE_MAINTENANCE };
enum agent_service { AGENT_SERVICE_SAME, AGENT_SERVICE_UP, AGENT_SERVICE_DOWN };
enum agent_unit { AGENT_UNIT_SAME, AGENT_UNIT_PERCENT, AGENT_UNIT_ABSOLUTE };

struct agent_report {
    enum agent_mode mode;
    enum agent_service service;
    const char *service_word;    /* up, down, fail or stopped; a constant; NULL: none */
    enum agent_unit weight_unit;
    uint32_t weight;
    bool has_limit;
    uint32_t max_connections;    /* 0: as configured */
    char reason[AGENT_REASON_BYTES]; /* the description, cut off if it is long, without control characters */
};

/* Returns whether the bytes hold a whole line, and sets its length. `is_end`: nothing more follows. */
bool agent_report_find_line(const uint8_t *data, size_t bytes, bool is_end, size_t *length);

/* Reads a line without its end. Returns true, or false after setting `*bad` and `*bad_bytes` to the word that is not valid; then the report is undefined. An
 * empty line is valid and says nothing. */
bool agent_report_parse(struct agent_report *report, const char *line, size_t length, const char **bad, size_t *bad_bytes);

#endif
