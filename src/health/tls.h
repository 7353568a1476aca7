/* health/tls.h: TLS of the probes that libcurl carries out. Health thread only.
 *
 * The certificate of the server must be signed by one of check_tls_ca and be for check_tls_name, unless check_tls_verify is off. libcurl keeps the certificates
 * that it has read in the prober's multi handle, because reading those of the system takes it some 10 ms. It reads the file again after a minute. */
#ifndef HEALTH_TLS_H
#define HEALTH_TLS_H

#include <curl/curl.h>
#include <stdbool.h>

#include "health/transfer.h"

/* Writes the host that the URL of a probe over TLS names: check_tls_name, or the host of check_host, or that of the probed address. libcurl sends it to the
 * server (SNI) if it is a name, and expects it in the certificate. It is in brackets if it is an IPv6 address. Returns `out`. */
const char *tls_format_name(char *out, size_t size, const struct pool_settings *settings, const struct addr *addr);

/* Sets which certificates are accepted. Returns false if memory runs out. */
bool tls_set_options(CURL *easy, const struct pool_settings *settings);

/* If the transfer of a probe over TLS ended because of TLS, fills `result` and returns true. */
bool tls_explain_end(const struct probe *probe, const struct transfer_end *end, struct probe_result *result);

#endif
