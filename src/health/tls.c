/* health/tls.c: sets up TLS in libcurl, and says why it failed. Health thread; owns nothing.
 *
 * libcurl reports the reason only as a text of the library that it uses for TLS. OpenSSL and GnuTLS are known here: those are what Debian's libcurl uses. */
#include "health/tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"

enum { CA_CACHE_S = 60 };

const char *tls_format_name(char *out, size_t size, const struct pool_settings *settings, const struct addr *addr)
{
    const char *text = settings->check_tls_name ? settings->check_tls_name : settings->check_host;
    char address[ADDR_TEXT_BYTES] = "localhost";
    struct addr plain = *addr;
    struct host host;

    if (!text && addr_family(addr) != AF_UNIX) {
        if (addr_family(addr) == AF_INET6) /* no certificate has a zone */
            plain.in6.sin6_scope_id = 0;
        addr_format(&plain, address, sizeof(address));
    }
    if (!text || !host_parse(&host, text))
        host_parse(&host, address);
    snprintf(out, size, host.is_v6 ? "[%.*s]" : "%.*s", (int)host.bytes, host.text);
    return out;
}

bool tls_set_options(CURL *easy, const struct pool_settings *settings)
{
    long verify = settings->check_tls_verify;

    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* with a folder, nothing is cached */
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_S);
    return !settings->check_tls_ca || curl_easy_setopt(easy, CURLOPT_CAINFO, settings->check_tls_ca) == CURLE_OK;
}

/* Fails with the part of libcurl's text that an operator understands: without the names of functions and codes before it, and an errno of 0 after it. */
static void fail_with_text(const char *what, const char *text, struct probe_result *result)
{
    static const char problem[] = "certificate problem: ";
    const char *found = strstr(text, problem), *last;

    text = found ? found + strlen(problem) : text;
    while ((found = strstr(text, "::")) != NULL)
        text = found + 2;
    last = strstr(text, ", errno 0");
    probe_failed(result, "%s: %.*s", what, last ? (int)(last - text) : (int)strlen(text), text);
}

static void explain_certificate(const char *text, const struct probe *probe, struct probe_result *result)
{
    char name[HOST_BYTES_MAX + 3];

    tls_format_name(name, sizeof(name), probe->request.settings, probe->request.addr);
    if (strstr(text, "name") && strstr(text, "match"))
        probe_failed(result, "certificate is for another name than %s", name);
    else if (strstr(text, "expired") || strstr(text, "expiration"))
        probe_failed(result, "certificate has expired");
    else if (strstr(text, "not yet valid"))
        probe_failed(result, "certificate is not yet valid");
    else
        fail_with_text("certificate is not trusted", text, result);
}

/* A peer that speaks another protocol sends something that is no TLS record. */
static bool is_no_record(const char *text)
{
    static const char *const signs[] = {"wrong version number", "packet length too long", "http request", "unexpected message", "unexpected TLS packet",
                                        "unsupported extension", "record type", "record layer"};

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (strstr(text, signs[i]))
            return true;
    return false;
}

static void explain_handshake(const char *text, long os_error, const struct addr *addr, struct probe_result *result)
{
    struct probe_result scratch;

    if (os_error != 0) {
        probe_errno(&scratch, (int)os_error, addr);
        probe_failed(result, "%s in the TLS handshake", scratch.reason);
    } else if (strstr(text, "SSL_ERROR_SYSCALL") || strstr(text, "unexpected eof") || strstr(text, "terminated")) {
        probe_failed(result, "closed the connection in the TLS handshake");
    } else if (is_no_record(text)) {
        probe_failed(result, "does not speak TLS");
    } else {
        fail_with_text("TLS handshake failed", text, result);
    }
}

/* That libcurl cannot read the accepted certificates is this machine's fault. */
static void explain_ca_file(const struct pool_settings *settings, struct probe_result *result)
{
    const char *path = settings->check_tls_ca;

    probe_failed(result, "cannot read %s%s", path ? "the certificates in " : "the system's certificates", path ? path : "");
    result->outcome = PROBE_NO_MEANS;
}

bool tls_explain_end(const struct probe *probe, const struct transfer_end *end, struct probe_result *result)
{
    switch (end->code) {
    case CURLE_SSL_CACERT_BADFILE:
        explain_ca_file(probe->request.settings, result);
        return true;
    case CURLE_PEER_FAILED_VERIFICATION:
        explain_certificate(probe->error_text, probe, result);
        return true;
    case CURLE_SSL_CONNECT_ERROR:
        explain_handshake(probe->error_text, end->os_error, probe->request.addr, result);
        return true;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR: /* an alert that comes after the handshake, such as one that asks for a certificate of the client */
        if (end->os_error != 0 || !strstr(probe->error_text, "alert"))
            return false;
        fail_with_text("TLS failed", probe->error_text, result);
        return true;
    default:
        return false;
    }
}
