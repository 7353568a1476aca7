/* health/http_end.h: translates the result of libcurl for an HTTP probe into the rule of health/answer.h. Pure; any thread. */
#ifndef HEALTH_HTTP_END_H
#define HEALTH_HTTP_END_H

#include <curl/curl.h>
#include <stdbool.h>

#include "health/answer.h"

struct http_end {
    CURLcode code;
    long os_error;   /* CURLINFO_OS_ERRNO; 0: none */
    bool connected;  /* a connection was established */
    bool was_unread; /* the answer was read through health/unread.h, because the connection was reset */
};

/* Fills `result` and returns its outcome. `addr` is the probed address. */
enum probe_outcome http_end_judge(const struct http_end *end, const struct answer *answer, const struct addr *addr,
                                  struct probe_result *result);

#endif
