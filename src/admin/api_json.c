/* admin/api_json.c: values of JSON for the admin API. Pure functions, any thread. */
#include "admin/api_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/utf8.h"

json_t *api_json_text(const char *text)
{
    char *clean = strdup(text);
    json_t *json;

    if (!clean)
        return NULL;
    for (char *at = clean; *at != '\0';) {
        size_t length = utf8_length(at);

        if (length == 0 || (unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
        at += length ? length : 1;
    }
    json = json_string(clean);
    free(clean);
    return json;
}

json_t *api_json_text_or_null(const char *text)
{
    return text && *text != '\0' ? api_json_text(text) : json_null();
}

json_t *api_json_count(uint64_t count)
{
    return json_integer((json_int_t)(count <= INT64_MAX ? count : INT64_MAX));
}

json_t *api_json_ms(uint64_t us)
{
    return json_real((double)us / 1000);
}

json_t *api_json_seconds(uint64_t ns)
{
    return json_real((double)(ns / 1000000) / 1000);
}

json_t *api_json_time(const struct timespec *time)
{
    struct tm parts;
    char text[64];
    size_t length;

    if (!gmtime_r(&time->tv_sec, &parts))
        return json_null();
    length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + length, sizeof(text) - length, ".%03ldZ", time->tv_nsec / 1000000);
    return json_string(text);
}

json_t *api_json_addr(const struct addr *addr)
{
    char text[ADDR_TEXT_BYTES];

    if (addr_family(addr) == AF_UNSPEC)
        return json_null();
    return api_json_text(addr_format(addr, text, sizeof(text)));
}

json_t *api_json_append(json_t *list, json_t *item)
{
    if (list && json_array_append_new(list, item) == 0)
        return list;
    json_decref(list);
    if (!list)
        json_decref(item);
    return NULL;
}

json_t *api_json_merge(json_t *object, json_t *more)
{
    if (object && more && json_object_update_new(object, more) == 0)
        return object;
    json_decref(object);
    if (!object)
        json_decref(more);
    return NULL;
}
