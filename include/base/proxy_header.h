/* base/proxy_header.h: writes the header of the PROXY protocol, version 2, which tells a backend the client's address.
 *
 * Source: proxy-protocol.txt of HAProxy, section 2.2. A header is 16 bytes and the addresses: 12 bytes for IPv4, 36 for IPv6. It precedes the first byte of
 * a stream, and the payload in a datagram. Pure; any thread. */
#ifndef BASE_PROXY_HEADER_H
#define BASE_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum { PROXY_HEADER_BYTES_MAX = 16 + 36 };

enum proxy_transport { PROXY_STREAM, PROXY_DGRAM };

/* Writes a header to `out`, which has room for PROXY_HEADER_BYTES_MAX bytes, and returns its length. `source` is the client's address, `destination` the
 * address to which the client sent. An IPv6 address is written without its interface, for which the header has no field.
 *
 * If the two addresses are not both IPv4 or both IPv6, the header has the command LOCAL and no addresses, and is 16 bytes long. A receiver must accept it, and
 * must use the addresses of its own socket. So a backend sees Penstock's address instead of the client's. UNIX addresses are treated like this too: the
 * protocol can carry them, but a client of a UNIX socket usually has no name, and some receivers (Envoy) close the connection on this family. */
size_t proxy_header_write(uint8_t *out, enum proxy_transport transport, const struct addr *source, const struct addr *destination);

#endif
