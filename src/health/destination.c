/* health/destination.c: sets the address of a probe as options of libcurl. Health thread; owns nothing. */
#include "health/destination.h"

#include <stdio.h>

#include "base/host.h"
#include "health/tls.h"

/* The URL of a probe over TLS names the host that the certificate must be for. libcurl connects to `address` instead, unless it is NULL, and does not look the
 * name up. */
static bool set_tls_url(struct probe *probe, const char *address)
{
    char name[HOST_BYTES_MAX + 3], url[sizeof(name) + 24], connect_to[ADDR_TEXT_BYTES + 8];
    const struct probe_request *request = &probe->request;

    tls_format_name(name, sizeof(name), request->settings, request->addr);
    if (address)
        snprintf(url, sizeof(url), "https://%s:%u/", name, addr_port(request->addr));
    else
        snprintf(url, sizeof(url), "https://%s/", name);
    if (curl_easy_setopt(probe->easy, CURLOPT_URL, url) != CURLE_OK || !tls_set_options(probe->easy, request->settings))
        return false;
    if (!address)
        return true;
    snprintf(connect_to, sizeof(connect_to), "::%s", address); /* for any host and port of a URL */
    probe->connect_to = curl_slist_append(NULL, connect_to);
    return probe->connect_to && curl_easy_setopt(probe->easy, CURLOPT_CONNECT_TO, probe->connect_to) == CURLE_OK;
}

static bool set_unix(CURL *easy, const struct addr *addr)
{
    char path[ADDR_TEXT_BYTES];
    size_t bytes = addr->length - offsetof(struct sockaddr_un, sun_path);
    bool abstract = addr->un.sun_path[0] == '\0';

    snprintf(path, sizeof(path), "%.*s", (int)bytes - abstract, addr->un.sun_path + abstract);
    return curl_easy_setopt(easy, abstract ? CURLOPT_ABSTRACT_UNIX_SOCKET : CURLOPT_UNIX_SOCKET_PATH, path) == CURLE_OK;
}

bool destination_set(struct probe *probe)
{
    char text[ADDR_TEXT_BYTES], url[ADDR_TEXT_BYTES + 16];
    const struct addr *addr = probe->request.addr;
    bool is_unix = addr_family(addr) == AF_UNIX;
    struct addr plain = *addr;

    if (is_unix && !set_unix(probe->easy, addr))
        return false;
    if (addr_family(addr) == AF_INET6) { /* set the zone by its number, because in a URL it would need escaping */
        curl_easy_setopt(probe->easy, CURLOPT_ADDRESS_SCOPE, (long)addr->in6.sin6_scope_id);
        plain.in6.sin6_scope_id = 0;
    }
    addr_format(&plain, text, sizeof(text));
    if (probe->tls)
        return set_tls_url(probe, is_unix ? NULL : text);
    snprintf(url, sizeof(url), "http://%s/", is_unix ? "localhost" : text);
    return curl_easy_setopt(probe->easy, CURLOPT_URL, url) == CURLE_OK;
}
