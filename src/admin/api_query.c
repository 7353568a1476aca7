/* admin/api_query.c: the query of a URL as a question about sessions or flows. Pure functions; owns nothing. */
#include "admin/api_query.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/api_number.h"
#include "base/duration.h"

enum { ROWS_DEFAULT = 100 };

/* Answers 400 with `name=value: problem`. */
static bool refuse_argument(struct http_answer *answer, const char *name, const char *value, const char *problem)
{
    http_answer_error(answer, 400, "%s=%.80s: %s", name, value, problem);
    return false;
}

/* Whether the text can be the name of a section or a backend in a configuration file. */
static bool is_name(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

    return length > 0 && length < SURVEY_NAME_BYTES && text[length] == '\0';
}

static bool take_name(char into[SURVEY_NAME_BYTES], const struct http_request *request, const char *name, struct http_answer *answer)
{
    const char *value = http_request_argument(request, name);

    if (!value)
        return true;
    if (!is_name(value))
        return refuse_argument(answer, name, value, "not a name");
    (void)snprintf(into, SURVEY_NAME_BYTES, "%s", value);
    return true;
}

/* Parses an IP address without a port. */
static bool parse_ip(struct addr *addr, const char *text)
{
    *addr = (struct addr){0};
    if (inet_pton(AF_INET, text, &addr->in.sin_addr) == 1) {
        addr->in.sin_family = AF_INET;
        addr->length = sizeof(addr->in);
        return true;
    }
    *addr = (struct addr){0};
    if (inet_pton(AF_INET6, text, &addr->in6.sin6_addr) == 1) {
        addr->in6.sin6_family = AF_INET6;
        addr->length = sizeof(addr->in6);
        return true;
    }
    *addr = (struct addr){0};
    return false;
}

/* Reads ADDRESS, ADDRESS/BITS or ADDRESS:PORT. */
static bool take_client(struct survey_query *query, const struct http_request *request, struct http_answer *answer)
{
    const char *value = http_request_argument(request, "client"), *slash;
    char text[ADDR_TEXT_BYTES] = "";
    uint64_t bits, bits_max;

    if (!value)
        return true;
    slash = strchr(value, '/');
    if (strlen(value) < sizeof(text)) /* otherwise it is longer than any address */
        (void)snprintf(text, sizeof(text), "%.*s", slash ? (int)(slash - value) : ADDR_TEXT_BYTES, value);
    if (!parse_ip(&query->client, text) && (slash || addr_parse(&query->client, text) || addr_family(&query->client) == AF_UNIX))
        return refuse_argument(answer, "client", value, "not an IP address, a network such as 10.0.0.0/8, or an address with a port");
    bits = bits_max = addr_family(&query->client) == AF_INET ? 32 : 128;
    if (slash && !api_number_parse(&bits, slash + 1, 0, bits_max))
        return refuse_argument(answer, "client", value, "the length of the network is not a number from 0 to 32, or to 128 for IPv6");
    query->client_bits = (uint8_t)bits;
    return true;
}

static bool take_age(struct survey_query *query, const struct http_request *request, struct http_answer *answer)
{
    const char *value = http_request_argument(request, "older"), *problem;
    uint64_t ms;

    if (!value)
        return true;
    problem = duration_parse(&ms, value);
    if (!problem && ms > UINT64_MAX / 1000000)
        problem = "too large";
    if (problem)
        return refuse_argument(answer, "older", value, problem);
    query->older_ns = ms * 1000000;
    return true;
}

/* What listing and closing have in common. */
static bool take_filter(struct survey_query *query, const struct http_request *request, struct http_answer *answer)
{
    return take_name(query->listener, request, "listener", answer) && take_name(query->pool, request, "pool", answer) &&
           take_name(query->backend, request, "backend", answer) && take_client(query, request, answer) && take_age(query, request, answer);
}

static bool take_order(struct survey_query *query, const struct http_request *request, struct http_answer *answer)
{
    static const char *const words[] = {[SURVEY_AGE] = "age", [SURVEY_IDLE] = "idle", [SURVEY_BYTES] = "bytes"};
    const char *value = http_request_argument(request, "sort");

    if (!value)
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) != 0)
            continue;
        query->order = (enum survey_order)i;
        return true;
    }
    return refuse_argument(answer, "sort", value, "not one of age, idle and bytes");
}

bool api_query_list(struct survey_query *query, bool flows, const struct http_request *request, struct http_answer *answer)
{
    static const char *const names[] = {"listener", "pool", "backend", "client", "older", "sort", "limit", "tcp_info"};
    const char *limit = http_request_argument(request, "limit"), *tcp_info = http_request_argument(request, "tcp_info");
    uint64_t number = ROWS_DEFAULT, wanted = 0;

    *query = (struct survey_query){.flows = flows};
    if (!http_request_allow(request, names, sizeof(names) / sizeof(names[0]) - (flows ? 1 : 0), answer) || !take_filter(query, request, answer) ||
        !take_order(query, request, answer))
        return false;
    if (limit && !api_number_parse(&number, limit, 1, SURVEY_ROWS_MAX))
        return refuse_argument(answer, "limit", limit, "not a number from 1 to 1000");
    if (tcp_info && !api_number_parse(&wanted, tcp_info, 0, 1))
        return refuse_argument(answer, "tcp_info", tcp_info, "not 0 or 1");
    query->limit = (uint32_t)number;
    query->tcp_info = wanted == 1;
    return true;
}

bool api_query_close(struct survey_query *query, const struct http_request *request, struct http_answer *answer)
{
    static const char *const names[] = {"listener", "pool", "backend", "client", "older"};

    *query = (struct survey_query){0};
    if (!http_request_allow(request, names, sizeof(names) / sizeof(names[0]), answer) || !take_filter(query, request, answer))
        return false;
    if (request->argument_count > 0)
        return true;
    http_answer_error(answer, 400, "which sessions? Give at least one of listener, pool, backend, client and older; older=0s means all");
    return false;
}

bool api_query_session(struct survey_query *query, const char *id, struct http_answer *answer)
{
    char worker_text[24];
    const char *point = strchr(id, '.');
    uint64_t worker;

    *query = (struct survey_query){0};
    (void)snprintf(worker_text, sizeof(worker_text), "%.*s", (int)(point ? point - id : 0), id);
    if (point && point - id < (ptrdiff_t)sizeof(worker_text) && api_number_parse(&worker, worker_text, 0, UINT32_MAX) &&
        api_number_parse(&query->number, point + 1, 1, UINT64_MAX)) {
        query->worker = (unsigned)worker;
        return true;
    }
    http_answer_error(answer, 400, "\"%.80s\" is not the number of a session, such as 2.1734", id);
    return false;
}
