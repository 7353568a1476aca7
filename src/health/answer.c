/* health/answer.c: collects the response to an HTTP probe as it arrives, and judges it. Pure; health thread. */
#include "health/answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/status_list.h"

enum { SWITCHING_PROTOCOLS = 101, FIRST_FINAL_STATUS = 200, FIRST_BODY_BYTES = 4096 };

void answer_init(struct answer *answer, const struct pool_settings *settings)
{
    *answer = (struct answer){.settings = settings};
}

void answer_deinit(struct answer *answer)
{
    free(answer->body);
    *answer = (struct answer){0};
}

static bool begins_with(const char *line, size_t bytes, const char *word)
{
    return bytes >= strlen(word) && strncasecmp(line, word, strlen(word)) == 0;
}

/* Whether the response is interim (1xx). 101 is final: nothing follows it in HTTP/1. */
static bool is_interim(long status)
{
    return status < FIRST_FINAL_STATUS && status != SWITCHING_PROTOCOLS;
}

bool answer_add_header(struct answer *answer, const char *line, size_t bytes, long status)
{
    answer->header_bytes += bytes;
    if (answer->header_bytes > ANSWER_HEADER_BYTES_MAX)
        return false;
    if (answer->stage == ANSWER_BODY) /* a trailer */
        return true;
    answer->status = status;
    if (line[0] == '\r' || line[0] == '\n')
        answer->stage = is_interim(status) ? ANSWER_NOTHING : ANSWER_BODY;
    else if (!is_interim(status))
        answer->stage = ANSWER_HEADERS;
    if (answer->stage != ANSWER_HEADERS)
        return true;
    if (begins_with(line, bytes, "Content-Length:"))
        answer->has_content_length = true;
    else if (begins_with(line, bytes, "Transfer-Encoding:"))
        answer->has_transfer_encoding = true;
    return true;
}

static bool keep_body(struct answer *answer, const char *data, size_t bytes)
{
    if (answer->body_bytes + bytes > answer->body_capacity) {
        size_t capacity = answer->body_capacity == 0 ? FIRST_BODY_BYTES : answer->body_capacity;
        while (capacity < answer->body_bytes + bytes)
            capacity *= 2;
        char *body = realloc(answer->body, capacity);
        if (!body)
            return false;
        answer->body = body;
        answer->body_capacity = capacity;
    }
    memcpy(answer->body + answer->body_bytes, data, bytes);
    return true;
}

/* Searches the last `bytes` bytes, and any match that begins before them. */
static bool find_text(const struct answer *answer, size_t bytes)
{
    const char *text = answer->settings->check_body;
    size_t length = strlen(text), before = answer->body_bytes < length ? answer->body_bytes : length - 1;

    return memmem(answer->body + answer->body_bytes - before, before + bytes, text, length) != NULL;
}

bool answer_add_body(struct answer *answer, const char *data, size_t bytes)
{
    size_t room = PROBE_BODY_BYTES_MAX - answer->body_bytes;

    if (bytes > room)
        bytes = room;
    if (answer->settings->check_body && !answer_is_decided(answer) && bytes > 0) {
        answer->no_memory = !keep_body(answer, data, bytes);
        if (answer->no_memory)
            return false;
        answer->has_text = find_text(answer, bytes);
    }
    answer->body_bytes += bytes;
    return answer->body_bytes < PROBE_BODY_BYTES_MAX;
}

static bool is_good_status(const struct answer *answer)
{
    return status_list_contains(answer->settings->check_status, answer->status);
}

/* Transfer-Encoding takes precedence over Content-Length (RFC 9112, 6.3). */
static bool has_length(const struct answer *answer)
{
    return answer->has_content_length && !answer->has_transfer_encoding;
}

bool answer_is_decided(const struct answer *answer)
{
    if (answer->stage != ANSWER_BODY)
        return false;
    if (!is_good_status(answer))
        return true;
    return answer->settings->check_body ? answer->has_text : !has_length(answer);
}

static enum probe_outcome judge_status(const struct answer *answer, struct probe_result *result)
{
    if (is_good_status(answer))
        return result->outcome = PROBE_PASSED;
    return probe_failed(result, "HTTP status %ld, wanted %s", answer->status, answer->settings->check_status);
}

static enum probe_outcome judge_body(const struct answer *answer, const char *cut, struct probe_result *result)
{
    const char *text = answer->settings->check_body;

    if (!text && cut && has_length(answer))
        return probe_failed(result, "%s in the middle of its answer", cut);
    if (text && !answer->has_text && cut)
        return probe_failed(result, "%s, and the body so far lacks \"%s\"", cut, text);
    if (text && !answer->has_text)
        return probe_failed(result, "body lacks \"%s\"", text);
    return probe_passed(result);
}

static enum probe_outcome judge_arrived(const struct answer *answer, const char *cut, struct probe_result *result)
{
    if (answer->stage == ANSWER_NOTHING && answer->status != 0)
        return probe_failed(result, "interim HTTP status %ld, then %s", answer->status, cut);
    if (answer->stage == ANSWER_NOTHING)
        return probe_failed(result, "%s", cut);
    if (judge_status(answer, result) != PROBE_PASSED)
        return result->outcome;
    if (answer->stage == ANSWER_HEADERS && answer->timed_out)
        return probe_failed(result, "%s in the middle of its headers", cut);
    return judge_body(answer, cut, result);
}

enum probe_outcome answer_judge(const struct answer *answer, const char *cut, struct probe_result *result)
{
    bool is_refusal = answer->stage != ANSWER_NOTHING && !is_good_status(answer);

    if (judge_arrived(answer, cut, result) == PROBE_FAILED && answer->timed_out && !is_refusal)
        result->outcome = PROBE_TIMED_OUT;
    return result->outcome;
}
