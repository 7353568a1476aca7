/* health/destination.c: sets the address of a probe as options of libcurl. Health thread; owns nothing. */
#include "health/destination.h"

#include <stdio.h>

/* The name in the URL is never looked up. */
bool destination_set(CURL *easy, const struct addr *addr)
{
    char host[ADDR_TEXT_BYTES], text[ADDR_TEXT_BYTES + 16];
    struct addr plain = *addr;

    if (addr_family(addr) == AF_UNIX) {
        size_t bytes = addr->length - offsetof(struct sockaddr_un, sun_path);
        bool abstract = addr->un.sun_path[0] == '\0';
        snprintf(text, sizeof(text), "%.*s", (int)bytes - abstract, addr->un.sun_path + abstract);
        CURLoption option = abstract ? CURLOPT_ABSTRACT_UNIX_SOCKET : CURLOPT_UNIX_SOCKET_PATH;
        return curl_easy_setopt(easy, CURLOPT_URL, "http://localhost/") == CURLE_OK
               && curl_easy_setopt(easy, option, text) == CURLE_OK;
    }
    if (addr_family(addr) == AF_INET6) { /* set the zone by its number, because in a URL it would need escaping */
        curl_easy_setopt(easy, CURLOPT_ADDRESS_SCOPE, (long)addr->in6.sin6_scope_id);
        plain.in6.sin6_scope_id = 0;
    }
    snprintf(text, sizeof(text), "http://%s/", addr_format(&plain, host, sizeof(host)));
    return curl_easy_setopt(easy, CURLOPT_URL, text) == CURLE_OK;
}
