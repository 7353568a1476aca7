/* health/http_request.h: tells libcurl where an HTTP probe goes and what it sends. Health thread only. */
#ifndef HEALTH_HTTP_REQUEST_H
#define HEALTH_HTTP_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>

#include "health/probe.h"

/* Sets URL, headers, method and protocol of `easy`. `*headers` is then the caller's, to be freed after `easy`, also
 * when this fails. False: out of memory. */
bool http_request_set(CURL *easy, const struct probe_request *request, struct curl_slist **headers);

#endif
