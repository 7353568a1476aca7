/* base/proxy_header.c: writes the header of the PROXY protocol, version 2. Pure; any thread; owns nothing. */
#include "base/proxy_header.h"

#include <assert.h>
#include <string.h>

enum { VERSION_2 = 0x20, COMMAND_LOCAL = 0x00, COMMAND_PROXY = 0x01 };
enum { FAMILY_UNSPEC = 0x00, FAMILY_IN = 0x10, FAMILY_IN6 = 0x20 };
enum { TRANSPORT_STREAM = 0x01, TRANSPORT_DGRAM = 0x02 };

static const uint8_t signature[12] = {'\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

static uint8_t *append_bytes(uint8_t *out, const void *data, size_t bytes)
{
    memcpy(out, data, bytes);
    return out + bytes;
}

/* Appends both addresses and both ports, in network byte order as they are in a sockaddr. Returns the end. */
static uint8_t *append_addresses(uint8_t *out, const struct addr *source, const struct addr *destination)
{
    if (addr_family(source) == AF_INET) {
        out = append_bytes(out, &source->in.sin_addr, sizeof(source->in.sin_addr));
        out = append_bytes(out, &destination->in.sin_addr, sizeof(destination->in.sin_addr));
        out = append_bytes(out, &source->in.sin_port, sizeof(source->in.sin_port));
        return append_bytes(out, &destination->in.sin_port, sizeof(destination->in.sin_port));
    }
    out = append_bytes(out, &source->in6.sin6_addr, sizeof(source->in6.sin6_addr));
    out = append_bytes(out, &destination->in6.sin6_addr, sizeof(destination->in6.sin6_addr));
    out = append_bytes(out, &source->in6.sin6_port, sizeof(source->in6.sin6_port));
    return append_bytes(out, &destination->in6.sin6_port, sizeof(destination->in6.sin6_port));
}

size_t proxy_header_write(uint8_t *out, enum proxy_transport transport, const struct addr *source, const struct addr *destination)
{
    int family = addr_family(source);
    uint8_t *head = append_bytes(out, signature, sizeof(signature)), *addresses = head + 4, *end = addresses;

    if ((family == AF_INET || family == AF_INET6) && addr_family(destination) == family) {
        head[0] = VERSION_2 | COMMAND_PROXY;
        head[1] = (uint8_t)((family == AF_INET ? FAMILY_IN : FAMILY_IN6) | (transport == PROXY_STREAM ? TRANSPORT_STREAM : TRANSPORT_DGRAM));
        end = append_addresses(addresses, source, destination);
    } else {
        head[0] = VERSION_2 | COMMAND_LOCAL;
        head[1] = FAMILY_UNSPEC;
    }
    head[2] = 0; /* length of the addresses, big-endian; it is less than 256 */
    head[3] = (uint8_t)(end - addresses);
    assert(end - out <= PROXY_HEADER_BYTES_MAX);
    return (size_t)(end - out);
}
