/* health/agent_report.c: reads the line that an agent sends. Pure; any thread. */
#include "health/agent_report.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define MAX_CONNECTIONS_MAX 10000000 /* as in the configuration */

struct word {
    const char *text;
    size_t bytes;
};

static bool is_word(const struct word *word, const char *text)
{
    return word->bytes == strlen(text) && strncasecmp(word->text, text, word->bytes) == 0;
}

/* Removes a prefix. Returns false if the word does not begin with it. */
static bool take_prefix(struct word *word, const char *prefix)
{
    size_t bytes = strlen(prefix);

    if (word->bytes < bytes || strncasecmp(word->text, prefix, bytes) != 0)
        return false;
    word->text += bytes;
    word->bytes -= bytes;
    return true;
}

/* Reads all of the word as a number. */
static bool read_number(const struct word *word, uint32_t max, uint32_t *number)
{
    *number = 0;
    for (size_t i = 0; i < word->bytes; i++) {
        if (!isdigit((unsigned char)word->text[i]))
            return false;
        *number = *number * 10 + (uint32_t)(word->text[i] - '0');
        if (*number > max)
            return false;
    }
    return word->bytes > 0;
}

static bool take_weight(struct agent_report *report, struct word word, bool needs_percent)
{
    bool is_percent = word.bytes > 0 && word.text[word.bytes - 1] == '%';

    word.bytes -= is_percent;
    report->weight_unit = is_percent ? AGENT_UNIT_PERCENT : AGENT_UNIT_ABSOLUTE;
    return (is_percent || !needs_percent) && read_number(&word, is_percent ? AGENT_PERCENT_MAX : AGENT_WEIGHT_MAX, &report->weight);
}

static bool take_mode(struct agent_report *report, const struct word *word)
{
    static const char *const modes[] = {[AGENT_MODE_READY] = "ready", [AGENT_MODE_DRAIN] = "drain", [AGENT_MODE_MAINTENANCE] = "maint"};

    for (int i = AGENT_MODE_READY; i <= AGENT_MODE_MAINTENANCE; i++) {
        if (is_word(word, modes[i])) {
            report->mode = (enum agent_mode)i;
            return true;
        }
    }
    return false;
}

static bool take_service(struct agent_report *report, const struct word *word)
{
    static const char *const words[] = {"up", "down", "fail", "stopped"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (is_word(word, words[i])) {
            report->service = i == 0 ? AGENT_SERVICE_UP : AGENT_SERVICE_DOWN;
            report->service_word = words[i];
            return true;
        }
    }
    return false;
}

static bool take_word(struct agent_report *report, struct word word)
{
    if (take_mode(report, &word) || take_service(report, &word))
        return true;
    if (take_prefix(&word, "maxconn:"))
        return report->has_limit = read_number(&word, MAX_CONNECTIONS_MAX, &report->max_connections);
    if (take_prefix(&word, "weight:"))
        return take_weight(report, word, false);
    return take_weight(report, word, true);
}

/* Takes what follows the "#". It goes to the log. */
static void take_reason(struct agent_report *report, const char *text, size_t bytes)
{
    size_t length = 0;

    for (size_t i = 0; i < bytes && length + 1 < sizeof(report->reason); i++) {
        if (length > 0 || (text[i] != ' ' && text[i] != '\t'))
            report->reason[length++] = isprint((unsigned char)text[i]) ? text[i] : '?';
    }
    report->reason[length] = '\0';
}

bool agent_report_find_line(const uint8_t *data, size_t bytes, bool is_end, size_t *length)
{
    size_t i = 0;

    while (i < bytes && data[i] != '\r' && data[i] != '\n')
        i++;
    *length = i;
    return i < bytes || is_end;
}

bool agent_report_parse(struct agent_report *report, const char *line, size_t length, const char **bad, size_t *bad_bytes)
{
    size_t at = 0;

    *report = (struct agent_report){.mode = AGENT_MODE_SAME};
    while (at < length) {
        struct word word = {.text = line + at};
        while (at + word.bytes < length && !memchr(" \t,#", word.text[word.bytes], 4))
            word.bytes++;
        if (word.bytes > 0 && !take_word(report, word)) {
            *bad = word.text;
            *bad_bytes = word.bytes;
            return false;
        }
        at += word.bytes;
        if (at < length && line[at] == '#') {
            take_reason(report, line + at + 1, length - at - 1);
            break;
        }
        at++;
    }
    return true;
}
