/* base/host.h: the host in a text such as example.com:80 or [::1]:80, as a Host header has it. Pure; any thread; nothing allocated. */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stdbool.h>
#include <stddef.h>

enum { HOST_BYTES_MAX = 253 }; /* longest name (RFC 1035, 2.3.4, less the bytes that only its encoding needs) */

struct host {
    const char *text; /* within the parsed text; an IPv6 address without brackets */
    size_t bytes;
    bool is_v6;       /* an IPv6 address */
    bool has_port;    /* a port follows */
};

/* Parses NAME, IPv4 or [IPv6], each with or without a port, or IPv6 alone. A name has letters, digits, "-", "_" and ".". Returns false if it is none of
 * them. */
bool host_parse(struct host *out, const char *text);

#endif
