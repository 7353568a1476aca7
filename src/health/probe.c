/* health/probe.c: shared by all kinds of probes: the address to probe, and what an errno means for an operator. Health thread; owns
 * nothing. */
#include "health/probe.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/local_address.h"
#include "table/backend.h"

void probe_address(struct addr *out, const struct pool_settings *settings, const struct backend *backend)
{
    uint16_t port = backend_settings(backend)->check_port;

    if (port == 0)
        port = settings->check_port;
    if (port == 0)
        port = addr_port(&backend->addr);
    *out = settings->check_address_set ? settings->check_address : backend->addr;
    if (port != 0)
        addr_set_port(out, port);
}

bool probe_needs_reply(const struct pool_settings *settings)
{
    return settings->check_send || settings->check_expect;
}

uint32_t probe_limit_ms(const struct pool_settings *settings)
{
    bool waits_for_error = settings->check == CONFIG_CHECK_UDP && !probe_needs_reply(settings);

    return waits_for_error && settings->check_timeout_ms > PROBE_SILENCE_MS ? PROBE_SILENCE_MS : settings->check_timeout_ms;
}

enum probe_outcome probe_passed(struct probe_result *result)
{
    result->reason[0] = '\0';
    return result->outcome = PROBE_PASSED;
}

enum probe_outcome probe_failed(struct probe_result *result, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(result->reason, sizeof(result->reason), format, arguments);
    va_end(arguments);
    return result->outcome = PROBE_FAILED;
}

enum probe_outcome probe_timed_out(struct probe_result *result, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(result->reason, sizeof(result->reason), format, arguments);
    va_end(arguments);
    return result->outcome = PROBE_TIMED_OUT;
}

/* Two errors of connect(2) have two meanings each. EAGAIN: the backlog of a UNIX socket is full, or no local port is free, which is our fault. A full backlog
 * counts as a timeout, because over TCP the same backend would not answer: its kernel drops the SYN. EADDRNOTAVAIL: this machine has no address of the
 * backend's family, so that this backend cannot be reached, or no local port is free. */
enum probe_outcome probe_errno(struct probe_result *result, int error, const struct addr *addr)
{
    if (error == EAGAIN && addr_family(addr) == AF_UNIX)
        return probe_timed_out(result, "its queue of connections is full");
    if (error == EADDRNOTAVAIL && local_address_is_missing(addr))
        return probe_failed(result, "this machine has no address from which it could be reached");
    switch (error) {
    case EAGAIN:
    case EADDRNOTAVAIL:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        snprintf(result->reason, sizeof(result->reason), "%s", strerror(error));
        result->outcome = PROBE_NO_MEANS;
        break;
    case ENOENT:
        return probe_failed(result, "no such socket file");
    case EHOSTUNREACH:
        return probe_failed(result, "host unreachable");
    case ECONNRESET:
    case EPIPE:
        return probe_failed(result, "connection reset");
    case ETIMEDOUT:
        return probe_timed_out(result, "connection timed out");
    default:
        probe_failed(result, "%s", strerror(error));
    }
    result->reason[0] = (char)tolower((unsigned char)result->reason[0]);
    return result->outcome;
}
