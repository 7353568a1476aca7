/* admin/http.c: splits and decodes the target of a request; makes answers. Any thread; owns nothing. */
#include "admin/http.h"

#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_TEXT_BYTES 1536

/* Returns the value of a hexadecimal digit, or -1. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes percent escapes in place, and in a query also '+', which means a blank there. Returns false for an incomplete escape or a zero byte. */
static bool decode_text(char *text, bool in_query)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        if (*from == '%') {
            int high = digit_value(from[1]), low = high < 0 ? -1 : digit_value(from[2]);

            if (low < 0 || high + low == 0)
                return false;
            *to++ = (char)(high * 16 + low);
            from += 2;
        } else {
            *to++ = in_query && *from == '+' ? ' ' : *from;
        }
    }
    *to = '\0';
    return true;
}

/* Splits the path, which begins after the first slash. One slash at the end is ignored. Decodes after splitting, so that an escaped slash is part of a name. */
static bool split_path(struct http_request *request, char *path)
{
    while (path && *path != '\0') {
        char *segment = strsep(&path, "/");

        if (request->segment_count == HTTP_SEGMENTS_MAX || !decode_text(segment, false))
            return false;
        request->segments[request->segment_count++] = segment;
    }
    return true;
}

static bool split_query(struct http_request *request, char *query)
{
    while (query) {
        char *name = strsep(&query, "&"), *value = strchr(name, '=');

        if (*name == '\0')
            continue;
        if (value)
            *value++ = '\0';
        else
            value = strchr(name, '\0');
        if (request->argument_count == HTTP_ARGUMENTS_MAX || !decode_text(name, true) || !decode_text(value, true))
            return false;
        request->arguments[request->argument_count++] = (struct http_argument){.name = name, .value = value};
    }
    return true;
}

static bool find_method(enum http_method *method, const char *name)
{
    static const char *const names[HTTP_METHODS] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

    for (unsigned i = 0; i < HTTP_METHODS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *method = (enum http_method)i;
            return true;
        }
    }
    *method = HTTP_GET;
    return strcmp(name, "HEAD") == 0;
}

unsigned http_request_parse(struct http_request *request, const char *method, const char *target)
{
    size_t length = strlen(target);
    char *query;

    request->segment_count = 0;
    request->argument_count = 0;
    if (!find_method(&request->method, method))
        return 501;
    if (length >= sizeof(request->text))
        return 414;
    if (*target != '/') /* "*", or a whole URL as for a proxy */
        return 400;
    memcpy(request->text, target, length + 1);
    query = strchr(request->text, '?');
    if (query)
        *query++ = '\0';
    return split_path(request, request->text + 1) && split_query(request, query) ? 0 : 400;
}

const char *http_request_argument(const struct http_request *request, const char *name)
{
    for (size_t i = 0; i < request->argument_count; i++) {
        if (strcmp(request->arguments[i].name, name) == 0)
            return request->arguments[i].value;
    }
    return NULL;
}

bool http_request_allow(const struct http_request *request, const char *const *names, size_t count, struct http_answer *answer)
{
    for (size_t i = 0; i < request->argument_count; i++) {
        const struct http_argument *argument = &request->arguments[i];
        bool known = false;

        for (size_t j = 0; j < count; j++)
            known |= strcmp(argument->name, names[j]) == 0;
        if (!known || http_request_argument(request, argument->name) != argument->value) {
            http_answer_error(answer, 400, "the query has %s \"%.100s\"", known ? "two values of" : "an unknown name", argument->name);
            return false;
        }
    }
    return true;
}

void http_answer_body(struct http_answer *answer, unsigned status, const char *type, char *body, size_t body_bytes)
{
    http_answer_deinit(answer);
    if (!body) {
        http_answer_error(answer, 503, "out of memory");
        return;
    }
    answer->status = status;
    answer->type = type;
    answer->body = body;
    answer->body_bytes = body_bytes;
}

void http_answer_error(struct http_answer *answer, unsigned status, const char *format, ...)
{
    static const char no_memory[] = "{\"error\":\"out of memory\"}\n";
    char text[ERROR_TEXT_BYTES], allow[sizeof(answer->allow)], *body = NULL;
    va_list arguments;
    json_t *json;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (char *at = text; *at != '\0'; at++) { /* names in the text may be any bytes of the client */
        if (!isprint((unsigned char)*at))
            *at = '?';
    }
    json = json_pack("{s:s}", "error", text);
    if (json)
        body = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    memcpy(allow, answer->allow, sizeof(allow));
    http_answer_deinit(answer);
    memcpy(answer->allow, allow, sizeof(allow));
    answer->status = status;
    answer->type = HTTP_TYPE_JSON;
    answer->body = body;
    answer->body_bytes = body ? strlen(body) : sizeof(no_memory) - 1;
    answer->fixed_body = body ? NULL : no_memory;
}

void http_answer_deinit(struct http_answer *answer)
{
    free(answer->body);
    *answer = (struct http_answer){0};
}
