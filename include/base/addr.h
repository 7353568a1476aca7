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

/* Longest text that addr_format() makes, with its ending zero. */
#define ADDR_TEXT_BYTES 128

/* Parses "1.2.3.4:80", "[::1]:80", "[fe80::1%eth0]:80", "unix:/path" or "unix:@abstract".
 * The port is 1 to 65535; names are not looked up; only link-local addresses may have an interface. Returns NULL and fills `out`, or returns a constant
 * text that says what is wrong with it and what to write, and leaves `out` alone. */
const char *addr_parse(struct addr *out, const char *text);

/* Writes the form that addr_parse() reads ("unix:" alone for an unnamed UNIX client) and returns `buffer`. Never fails:
 * a text that does not fit `size` is cut. */
const char *addr_format(const struct addr *addr, char *buffer, size_t size);

/* The family, AF_UNSPEC where there is no address. */
int addr_family(const struct addr *addr);

/* The port in host order; 0 for a UNIX address. */
uint16_t addr_port(const struct addr *addr);

/* Sets the port (host order); does nothing to a UNIX address. */
void addr_set_port(struct addr *addr, uint16_t port);

/* Whether it never leaves the machine: 127.0.0.0/8 (also as ::ffff:127.0.0.0/104) or ::1. */
bool addr_is_loopback(const struct addr *addr);

/* 0.0.0.0 or ::, whatever the port. */
bool addr_is_wildcard(const struct addr *addr);

/* Multicast, or the broadcast address 255.255.255.255: no connection goes there. */
bool addr_is_group(const struct addr *addr);

/* Link-local without an interface: connect(2), and bind(2) of a socket that is bound to no interface either, refuse it. */
bool addr_lacks_interface(const struct addr *addr);

/* Same family, address, scope and port (UNIX: same path). */
bool addr_equal(const struct addr *a, const struct addr *b);

#endif
