/* admin/api_json.h: values of JSON for the admin API. Pure functions, any thread.
 *
 * Each returns a new reference, or NULL if out of memory, which json_pack() passes on. */
#ifndef ADMIN_API_JSON_H
#define ADMIN_API_JSON_H

#include <jansson.h>
#include <stdint.h>
#include <time.h>

/* How answers are written: "0.21" rather than "0.20999999999999999". */
#define API_JSON_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* Bytes that are not UTF-8, and control characters, become '?'. */
json_t *api_json_text(const char *text);

/* The same, but null for NULL and "". */
json_t *api_json_text_or_null(const char *text);

/* A count. JSON's readers have 53 bits for sure, which are enough for a byte count of nine petabytes. */
json_t *api_json_count(uint64_t count);

/* Milliseconds with three decimals; seconds with three decimals. */
json_t *api_json_ms(uint64_t us);
json_t *api_json_seconds(uint64_t ns);

/* A moment of CLOCK_REALTIME in the form of RFC 3339, in UTC, with milliseconds. */
json_t *api_json_time(const struct timespec *time);

/* An IP address with its port or the path of a UNIX socket, as in a configuration file. */
struct addr;
json_t *api_json_addr(const struct addr *addr);

/* Adds `item` to the end of the array `list`, and takes it over. If one of them is NULL, frees the other. Returns the array, or NULL if out of memory. */
json_t *api_json_append(json_t *list, json_t *item);

/* Adds the members of `more` to `object`, and takes `more` over. If one of them is NULL, frees the other. Returns `object`, or NULL if out of memory. */
json_t *api_json_merge(json_t *object, json_t *more);

#endif
