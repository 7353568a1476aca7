/* base/host.c: finds the host in a text. Pure; any thread. */
#include "base/host.h"

#include <arpa/inet.h>
#include <string.h>

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_port(const char *text)
{
    size_t digits = strspn(text, DIGITS);

    return digits > 0 && digits <= 5 && text[digits] == '\0';
}

static bool is_v6_address(const struct host *host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (host->bytes >= sizeof(text))
        return false;
    memcpy(text, host->text, host->bytes);
    text[host->bytes] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

bool host_parse(struct host *out, const char *text)
{
    const char *colon = strchr(text, ':'), *bracket = strchr(text, ']');

    *out = (struct host){.text = text, .bytes = strlen(text)};
    if (text[0] == '[') {
        if (!bracket || (bracket[1] != '\0' && (bracket[1] != ':' || !is_port(bracket + 2))))
            return false;
        *out = (struct host){.text = text + 1, .bytes = (size_t)(bracket - text - 1), .is_v6 = true, .has_port = bracket[1] != '\0'};
        return is_v6_address(out);
    }
    if (colon && strchr(colon + 1, ':')) {
        out->is_v6 = true;
        return is_v6_address(out);
    }
    if (colon) {
        out->bytes = (size_t)(colon - text);
        out->has_port = true;
    }
    return out->bytes > 0 && out->bytes <= HOST_BYTES_MAX && strspn(text, LETTERS DIGITS "-_.") == out->bytes && (!colon || is_port(colon + 1));
}
