/* health/http_request.c: sets the request of an HTTP probe as options of libcurl. Health thread; owns nothing. */
#include "health/http_request.h"

#include <stdio.h>
#include <string.h>

/* Sends check_path as written (CURLOPT_REQUEST_TARGET), because libcurl would normalise it. "Connection: close" tells the server that the probe closes the
 * connection. */
bool http_request_set(struct probe *probe)
{
    const struct pool_settings *settings = probe->request.settings;
    CURL *easy = probe->easy;
    char host[512];

    probe->headers = curl_slist_append(NULL, "Connection: close");
    if (!probe->headers)
        return false;
    if (settings->check_host) {
        snprintf(host, sizeof(host), "Host: %s", settings->check_host);
        if (!curl_slist_append(probe->headers, host))
            return false;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, probe->headers);
    if (strcmp(settings->check_method, "HEAD") == 0) /* otherwise libcurl would wait for a body */
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, settings->check_method) == CURLE_OK
           && curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, settings->check_path) == CURLE_OK;
}
