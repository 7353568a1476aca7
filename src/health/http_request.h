/* health/http_request.h: sets the address and the request of an HTTP probe in libcurl. Health thread only. */
#ifndef HEALTH_HTTP_REQUEST_H
#define HEALTH_HTTP_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>

#include "health/probe.h"

/* Sets URL, headers, method and protocol of `easy`. The caller frees `*headers` after `easy`, also after a failure. Returns false if memory runs out. */
bool http_request_set(CURL *easy, const struct probe_request *request, struct curl_slist **headers);

#endif
