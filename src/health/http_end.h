/* health/http_end.h: what libcurl says at the end of an HTTP probe, in the terms of the rule in health/answer.h. Pure; any
 * thread. */
#ifndef HEALTH_HTTP_END_H
#define HEALTH_HTTP_END_H

#include <curl/curl.h>
#include <stdbool.h>

#include "health/answer.h"

struct http_end {
    CURLcode code;
    long os_error;   /* CURLINFO_OS_ERRNO; 0: none */
    bool connected;  /* there was a connection */
    bool was_unread; /* the answer came by way of health/unread.h: the connection itself was reset */
};

/* Fills `result` and returns its outcome; `addr` is where the probe went. */
enum probe_outcome http_end_judge(const struct http_end *end, const struct answer *answer, const struct addr *addr,
                                  struct probe_result *result);

#endif
