/* base/addr.h: socket addresses (IPv4, IPv6, UNIX) as values.
 *
 * Pure functions, any thread, nothing allocated. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* A socket address with its length. All zero is "no address" (family AF_UNSPEC). */
struct addr {
    socklen_t length;
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
};

/* Size of the longest text that addr_format() writes, including the terminating zero. */
#define ADDR_TEXT_BYTES 128

/* Parses "1.2.3.4:80", "[::1]:80", "[fe80::1%eth0]:80", "unix:/path" or "unix:@abstract".
 * The port is 1 to 65535. Host names are not looked up. Only link-local addresses may have an interface. On success fills `out` and returns NULL. Otherwise
 * leaves `out` unchanged and returns a constant text that says what is wrong and what to write instead. */
const char *addr_parse(struct addr *out, const char *text);

/* Writes the form that addr_parse() reads ("unix:" alone for an unnamed UNIX client) and returns `buffer`. Never fails:
 * text that does not fit `size` is truncated. */
const char *addr_format(const struct addr *addr, char *buffer, size_t size);

/* Returns the address family, AF_UNSPEC if there is no address. */
int addr_family(const struct addr *addr);

/* Returns the port in host byte order; 0 for a UNIX address. */
uint16_t addr_port(const struct addr *addr);

/* Sets the port (host byte order). Does nothing to a UNIX address. */
void addr_set_port(struct addr *addr, uint16_t port);

/* Whether the address is a loopback address: 127.0.0.0/8 (also as ::ffff:127.0.0.0/104) or ::1. */
bool addr_is_loopback(const struct addr *addr);

/* Whether the address is 0.0.0.0 or ::, with any port. */
bool addr_is_wildcard(const struct addr *addr);

/* Whether no connection to the address is possible: multicast, or the broadcast address 255.255.255.255. */
bool addr_is_group(const struct addr *addr);

/* Whether the address is link-local without an interface. connect(2) refuses it, and so does bind(2) unless the socket is bound to an interface. */
bool addr_lacks_interface(const struct addr *addr);

/* Whether family, address, scope and port are equal (UNIX: the path). */
bool addr_equal(const struct addr *a, const struct addr *b);

#endif
