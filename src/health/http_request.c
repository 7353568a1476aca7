/* health/http_request.c: sets the request of an HTTP probe as options of libcurl. Health thread; owns nothing. */
#include "health/http_request.h"

#include <stdio.h>
#include <string.h>

#include "health/destination.h"

/* Sends check_path as written (CURLOPT_REQUEST_TARGET), because libcurl would normalise it. "Connection: close" tells the server that the probe closes the
 * connection. */
static bool set_request(CURL *easy, const struct pool_settings *settings, struct curl_slist **headers)
{
    char host[512];

    *headers = curl_slist_append(NULL, "Connection: close");
    if (!*headers)
        return false;
    if (settings->check_host) {
        snprintf(host, sizeof(host), "Host: %s", settings->check_host);
        if (!curl_slist_append(*headers, host))
            return false;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers);
    if (strcmp(settings->check_method, "HEAD") == 0) /* otherwise libcurl would wait for a body */
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, settings->check_method) == CURLE_OK
           && curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, settings->check_path) == CURLE_OK
           && curl_easy_setopt(easy, CURLOPT_USERAGENT, "penstock") == CURLE_OK
           && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK;
}

bool http_request_set(CURL *easy, const struct probe_request *request, struct curl_slist **headers)
{
    return destination_set(easy, request->addr) && set_request(easy, request->settings, headers);
}
