/* base/addr.c: converts socket addresses between text and sockaddr.
 *
 * Pure functions, any thread. The only system call looks up the interface name in a scoped IPv6 address. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIX_PREFIX "unix:"
#define PATH_OFFSET offsetof(struct sockaddr_un, sun_path)
#define PATH_BYTES_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

#define DIGITS "0123456789"

static const char not_numeric[] = "not a numeric address (names are not looked up)";
static const char no_port[] = "no port; write ADDRESS:PORT";
static const char bad_port[] = "the port is not a number from 1 to 65535";
static const char not_ascii[] = "contains a character that is not ASCII, such as a no-break space";
static const char not_unix[] = "a UNIX socket is unix:/PATH or unix:@NAME";

/* Accepts digits only, without a sign or a leading zero, because strtoul() would accept " +080". */
static const char *parse_port(uint16_t *port, const char *text)
{
    unsigned value = 0;
    size_t n = strspn(text, DIGITS);
    if (*text == '\0')
        return no_port;
    if (n > 0 && text[n] == '-' && text[n + 1] != '\0' && strspn(text + n + 1, DIGITS) == strlen(text + n + 1))
        return "a range of ports, where one port is needed";
    if (text[n] != '\0' || n > 5 || text[0] == '0')
        return bad_port;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    if (value > 65535)
        return bad_port;
    *port = (uint16_t)value;
    return NULL;
}

/* Whether the text contains a "/": that of a network such as 10.0.0.0/8 or [2001:db8::]/32, or of a path after the port. */
static const char *explain_slash(const char *text, const char *slash)
{
    const char *colon = memchr(text, ':', (size_t)(slash - text));
    bool after_port = colon && !memchr(colon + 1, ':', (size_t)(slash - colon - 1));
    size_t bits = strspn(slash + 1, DIGITS);

    if (!after_port && bits > 0 && bits <= 3 && (slash[1 + bits] == '\0' || slash[1 + bits] == ':' || slash[1 + bits] == ']'))
        return "a network; write one address, without \"/\" and the number of bits";
    return "no path belongs here: write ADDRESS:PORT";
}

/* Whether the text, or the part before its last colon, is an IPv6 address, with or without a scope. */
static bool is_bare_in6(const char *text)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr in6;
    size_t n = strcspn(text, "%");

    for (int i = 0; i < 2 && n < sizeof(copy); i++) {
        memcpy(copy, text, n);
        copy[n] = '\0';
        if (inet_pton(AF_INET6, copy, &in6) == 1)
            return true;
        char *colon = strrchr(copy, ':');
        n = colon ? (size_t)(colon - copy) : 0;
    }
    return false;
}

/* Recognises common mistakes in place of ADDRESS:PORT. Returns a message, or NULL if it recognises none. */
static const char *explain_shape(const char *text)
{
    const char *slash = strchr(text, '/'), *colon = strchr(text, ':');

    for (const char *c = text; *c; c++)
        if ((unsigned char)*c >= 0x80)
            return not_ascii;
    if (strchr("\"'", *text) && *text)
        return "no quotes belong here: write ADDRESS:PORT";
    if (strstr(text, "://"))
        return "no scheme and no path belong here: write ADDRESS:PORT";
    if (*text == '/' || *text == '@' || (strncasecmp(text, "unix", 4) == 0 && text[4] && strchr(":@/", text[4])))
        return not_unix;
    if (strpbrk(text, " \t"))
        return "contains a blank; write a single ADDRESS:PORT";
    if (strchr(text, ','))
        return "contains a comma; write a single ADDRESS:PORT";
    if (strchr(text, '@'))
        return "contains an \"@\"; write a single ADDRESS:PORT";
    if (slash)
        return explain_slash(text, slash);
    if (*text != '[' && colon && strchr(colon + 1, ':'))
        return is_bare_in6(text) ? "an IPv6 address is written in brackets: [ADDRESS]:PORT" : "more than one \":\"; write ADDRESS:PORT";
    if (colon == text || (*text && text[strspn(text, DIGITS)] == '\0'))
        return "no address before the port; write ADDRESS:PORT";
    return NULL;
}

static const char *parse_unix(struct addr *out, const char *path)
{
    struct addr addr = {.length = 0};
    size_t n = strlen(path);

    if (n == 0 || (path[0] != '/' && path[0] != '@') || (path[0] == '@' && n == 1))
        return not_unix;
    if (n > PATH_BYTES_MAX)
        return "the path of a UNIX socket is at most 107 bytes long";
    addr.un.sun_family = AF_UNIX;
    memcpy(addr.un.sun_path, path, n);
    if (path[0] == '@') {
        addr.un.sun_path[0] = '\0';
        addr.length = (socklen_t)(PATH_OFFSET + n); /* the length of an abstract name does not include a terminating zero */
    } else {
        addr.length = (socklen_t)(PATH_OFFSET + n + 1);
    }
    *out = addr;
    return NULL;
}

static const char *parse_scope(uint32_t *scope, const char *name)
{
    char *end;
    unsigned index = if_nametoindex(name);
    if (index == 0 && *name >= '1' && *name <= '9' && strlen(name) <= 9) {
        index = (unsigned)strtoul(name, &end, 10);
        if (*end != '\0')
            index = 0;
    }
    if (index == 0)
        return "no such network interface after the %";
    *scope = index;
    return NULL;
}

static const char *parse_in6(struct addr *out, const char *host, uint16_t port)
{
    struct addr addr = {.length = sizeof(addr.in6)};
    char copy[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    char *scope;

    if (strlen(host) >= sizeof(copy))
        return not_numeric;
    memcpy(copy, host, strlen(host) + 1);
    scope = strchr(copy, '%');
    if (scope)
        *scope++ = '\0';
    addr.in6.sin6_family = AF_INET6;
    addr.in6.sin6_port = htons(port);
    if (inet_pton(AF_INET6, copy, &addr.in6.sin6_addr) != 1)
        return "not an IPv6 address between the brackets";
    /* Refuse IPv4-mapped addresses: our IPv6 sockets are IPv6 only, and two spellings of one address would defeat the checks for duplicates. */
    if (IN6_IS_ADDR_V4MAPPED(&addr.in6.sin6_addr))
        return "an IPv4 address inside IPv6; write the IPv4 address itself";
    if (scope) {
        const char *problem = parse_scope(&addr.in6.sin6_scope_id, scope);
        if (problem)
            return problem;
    }
    /* Refuse an interface on any other address: the kernel ignores it, so one address would again have two spellings. */
    if (scope && !IN6_IS_ADDR_LINKLOCAL(&addr.in6.sin6_addr))
        return "only a link-local address (fe80::) has an interface after a \"%\"; leave it out";
    *out = addr;
    return NULL;
}

static const char *parse_in(struct addr *out, const char *host, uint16_t port)
{
    struct addr addr = {.length = sizeof(addr.in)};
    addr.in.sin_family = AF_INET;
    addr.in.sin_port = htons(port);
    if (inet_pton(AF_INET, host, &addr.in.sin_addr) != 1)
        return host[strspn(host, DIGITS ".")] == '\0' ? "not an IPv4 address: four numbers from 0 to 255, without leading zeros" : not_numeric;
    *out = addr;
    return NULL;
}

const char *addr_parse(struct addr *out, const char *text)
{
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    const char *colon, *problem;
    uint16_t port = 0;
    size_t n;
    bool bracketed = text[0] == '[';

    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return parse_unix(out, text + strlen(UNIX_PREFIX));
    problem = explain_shape(text);
    if (problem)
        return problem;
    if (bracketed) {
        const char *end = strchr(++text, ']');
        if (!end)
            return "no \"]\" after the IPv6 address";
        n = (size_t)(end - text);
        colon = end + 1;
        if (*colon != ':')
            return *colon == '\0' ? no_port : "something other than :PORT after the \"]\"";
    } else {
        colon = strchr(text, ':');
        if (!colon)
            return no_port;
        n = (size_t)(colon - text);
    }
    if (n >= sizeof(host))
        return not_numeric;
    memcpy(host, text, n);
    host[n] = '\0';
    problem = parse_port(&port, colon + 1);
    if (problem)
        return problem;
    return bracketed ? parse_in6(out, host, port) : parse_in(out, host, port);
}

/* Returns the length of a UNIX name without a terminating zero. The kernel includes the zero of a path in some calls and not in others. */
static size_t unix_name_bytes(const struct addr *addr)
{
    size_t n = addr->length > PATH_OFFSET ? addr->length - PATH_OFFSET : 0;
    if (n > sizeof(addr->un.sun_path))
        n = sizeof(addr->un.sun_path);
    return n > 0 && addr->un.sun_path[0] != '\0' ? strnlen(addr->un.sun_path, n) : n;
}

static void format_unix(const struct addr *addr, char *buffer, size_t size)
{
    char name[sizeof(addr->un.sun_path) + 1];
    size_t n = unix_name_bytes(addr);

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)addr->un.sun_path[i];
        name[i] = (char)(c == '\0' && i == 0 ? '@' : c < 0x20 || c == 0x7f ? '?' : c); /* the client chose the name; it must not break the log line */
    }
    name[n] = '\0';
    snprintf(buffer, size, UNIX_PREFIX "%s", name);
}

const char *addr_format(const struct addr *addr, char *buffer, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "", scope[IF_NAMESIZE] = "";

    switch (addr_family(addr)) {
    case AF_INET:
        inet_ntop(AF_INET, &addr->in.sin_addr, host, sizeof(host));
        snprintf(buffer, size, "%s:%u", host, addr_port(addr));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &addr->in6.sin6_addr, host, sizeof(host));
        if (addr->in6.sin6_scope_id == 0)
            snprintf(buffer, size, "[%s]:%u", host, addr_port(addr));
        else if (if_indextoname(addr->in6.sin6_scope_id, scope))
            snprintf(buffer, size, "[%s%%%s]:%u", host, scope, addr_port(addr));
        else /* the interface no longer exists */
            snprintf(buffer, size, "[%s%%%u]:%u", host, addr->in6.sin6_scope_id, addr_port(addr));
        break;
    case AF_UNIX:
        format_unix(addr, buffer, size);
        break;
    default:
        snprintf(buffer, size, "-");
    }
    return buffer;
}

int addr_family(const struct addr *addr)
{
    return addr->length == 0 ? AF_UNSPEC : addr->sa.sa_family;
}

uint16_t addr_port(const struct addr *addr)
{
    switch (addr_family(addr)) {
    case AF_INET:
        return ntohs(addr->in.sin_port);
    case AF_INET6:
        return ntohs(addr->in6.sin6_port);
    default:
        return 0;
    }
}

void addr_set_port(struct addr *addr, uint16_t port)
{
    if (addr_family(addr) == AF_INET)
        addr->in.sin_port = htons(port);
    else if (addr_family(addr) == AF_INET6)
        addr->in6.sin6_port = htons(port);
}

bool addr_is_loopback(const struct addr *addr)
{
    switch (addr_family(addr)) {
    case AF_INET:
        return ntohl(addr->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&addr->in6.sin6_addr) && addr->in6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
    default:
        return false;
    }
}

bool addr_is_wildcard(const struct addr *addr)
{
    switch (addr_family(addr)) {
    case AF_INET:
        return addr->in.sin_addr.s_addr == htonl(INADDR_ANY);
    case AF_INET6:
        return IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
    default:
        return false;
    }
}

bool addr_is_group(const struct addr *addr)
{
    switch (addr_family(addr)) {
    case AF_INET:
        return IN_MULTICAST(ntohl(addr->in.sin_addr.s_addr)) || addr->in.sin_addr.s_addr == htonl(INADDR_BROADCAST);
    case AF_INET6:
        return IN6_IS_ADDR_MULTICAST(&addr->in6.sin6_addr);
    default:
        return false;
    }
}

bool addr_lacks_interface(const struct addr *addr)
{
    return addr_family(addr) == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->in6.sin6_addr) && addr->in6.sin6_scope_id == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    if (addr_family(a) != addr_family(b))
        return false;
    switch (addr_family(a)) {
    case AF_INET:
        return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    case AF_INET6:
        return a->in6.sin6_port == b->in6.sin6_port && a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
               memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
    case AF_UNIX:
        return unix_name_bytes(a) == unix_name_bytes(b) &&
               memcmp(a->un.sun_path, b->un.sun_path, unix_name_bytes(a)) == 0;
    default:
        return true;
    }
}
