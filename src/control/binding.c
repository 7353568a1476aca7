/* control/binding.c: makes one socket of a listener. Control's thread; owns nothing. */
#include "control/binding.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#include "io/congestion.h"
#include "log/log.h"

enum { UDP_BUFFER_BYTES = 4 << 20 }; /* some 5,000 small datagrams */

struct binding binding_make(const struct config_listener *listener, const struct config_bind *bind, const char *on_loopback)
{
    return (struct binding){
        .listener = listener,
        .bind = bind,
        .addr = bind->addr,
        .congestion = bind->udp ? NULL : congestion_for_client(listener->settings.congestion_control, on_loopback, &bind->addr),
    };
}

bool binding_beside(const char *on_loopback, const struct binding *wildcard, struct binding *beside)
{
    if (wildcard->bind->udp || !addr_is_wildcard(&wildcard->addr) || wildcard->listener->settings.interface)
        return false;
    *beside = *wildcard;
    if (addr_family(&wildcard->addr) == AF_INET)
        beside->addr.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        beside->addr.in6.sin6_addr = in6addr_loopback;
    beside->congestion = congestion_for_client(wildcard->listener->settings.congestion_control, on_loopback, &beside->addr);
    return beside->congestion && !wildcard->congestion;
}

static const char setting_congestion[] = "set the congestion control of";

static const char *congestion_advice(int error)
{
    switch (error) {
    case ENOENT:
        return "; this kernel has none of that name: see sysctl net.ipv4.tcp_available_congestion_control";
    case EPERM:
        return "; root or CAP_NET_ADMIN is needed for one that is not in sysctl net.ipv4.tcp_allowed_congestion_control";
    default:
        return "";
    }
}

static const char *address_advice(const struct binding *binding, int error)
{
    switch (error) {
    case EEXIST:
        return "; a file that is no socket is in the way: move it away, or choose another path";
    case EBUSY:
        return "; another listener has the same socket under another name: remove one of the two";
    case EADDRINUSE:
        return "; another process serves this address: stop it, or choose another one";
    case EACCES:
    case EPERM:
        return addr_family(&binding->addr) == AF_UNIX
                     ? "; the directory must be writable for this user"
                     : "; a port below 1024 needs root or CAP_NET_BIND_SERVICE, and `interface` may need CAP_NET_RAW";
    case EADDRNOTAVAIL:
        return "; this machine has no such address";
    case EMFILE:
        return "; raise the descriptor limit (ulimit -n, LimitNOFILE=) or bind fewer ports";
    case ENOENT:
        return "; the directory does not exist";
    case ENODEV:
        return "; there is no such network interface";
    default:
        return "";
    }
}

void binding_complain(const struct binding *binding, const char *doing, int error)
{
    char text[ADDR_TEXT_BYTES];
    const char *advice = doing == setting_congestion ? congestion_advice(error) : address_advice(binding, error);

    log_error("%s:%u: listener %s: cannot %s %s: %s%s", binding->bind->file, binding->bind->line, binding->listener->name, doing,
              addr_format(&binding->addr, text, sizeof(text)), strerror(error), advice);
}

static int set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_interface(int fd, const struct config_listener *listener)
{
    const char *name = listener->settings.interface;

    return name && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1) < 0 ? -errno : 0;
}

/* Sets the size of a UDP socket's buffers. The one that a kernel gives by default holds some 270 small datagrams, which one burst can exceed. Only with
 * CAP_NET_ADMIN may they be larger than net.core.rmem_max and wmem_max. */
static int set_udp_buffers(int fd, const struct listener_settings *settings)
{
    int receive = settings->receive_buffer_bytes ? (int)settings->receive_buffer_bytes : UDP_BUFFER_BYTES;
    int send = settings->send_buffer_bytes ? (int)settings->send_buffer_bytes : UDP_BUFFER_BYTES;
    int result = set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, receive);

    if (result < 0)
        result = set_int(fd, SOL_SOCKET, SO_RCVBUF, receive);
    if (result == 0 && set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, send) < 0)
        result = set_int(fd, SOL_SOCKET, SO_SNDBUF, send);
    return result;
}

static int set_udp_options(int fd, const struct binding *binding)
{
    const struct config_listener *listener = binding->listener;
    bool ipv4 = addr_family(&binding->addr) == AF_INET;
    int result = set_udp_buffers(fd, &listener->settings);

    if (result == 0 && addr_is_wildcard(&binding->addr)) /* the reply must come from the address that the client has sent to */
        result = set_int(fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1);
    (void)set_int(fd, SOL_UDP, UDP_GRO, 1); /* before Linux 5.0 there are no trains */
    return result == 0 ? set_interface(fd, listener) : result;
}

/* Options that accepted TCP sockets inherit, so that no call is needed for each client. Accepted UNIX sockets inherit none (io/kernel_listen.c). */
static int set_options(int fd, const struct binding *binding)
{
    const struct config_listener *listener = binding->listener;
    int result = 0;

    if (addr_family(&binding->addr) == AF_UNIX)
        return 0;
    if (binding->bind->udp)
        return set_udp_options(fd, binding);
    if (listener->settings.receive_buffer_bytes)
        result = set_int(fd, SOL_SOCKET, SO_RCVBUF, (int)listener->settings.receive_buffer_bytes);
    if (result == 0 && listener->settings.send_buffer_bytes)
        result = set_int(fd, SOL_SOCKET, SO_SNDBUF, (int)listener->settings.send_buffer_bytes);
    if (result == 0)
        result = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (result == 0)
        result = set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1); /* an urgent byte is a byte like any other */
    if (result == 0 && listener->settings.tcp_user_timeout_ms)
        result = set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)listener->settings.tcp_user_timeout_ms);
    if (result == 0 && listener->settings.keepalive_ms)
        result = set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)(listener->settings.keepalive_ms / 1000));
    if (result == 0 && listener->settings.keepalive_ms)
        result = set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (result == 0 && listener->settings.defer_accept)
        result = set_int(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
    return result == 0 ? set_interface(fd, listener) : result;
}

static int set_congestion(int fd, const struct binding *binding)
{
    const char *name = binding->congestion;

    if (!name || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0)
        return 0;
    return strcmp(name, binding->listener->settings.congestion_control) == 0 ? -errno : 0; /* what nobody has asked for by name is done without */
}

int binding_socket(const struct binding *binding, bool shared, const char **doing)
{
    const struct addr *addr = &binding->addr;
    int family = addr_family(addr), fd, result = 0;

    *doing = "make a socket for";
    fd = socket(family, (binding->bind->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (family != AF_UNIX && !binding->bind->udp) /* with this option, UDP sockets may share an address without an error */
        result = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (result == 0 && family == AF_INET6)
        result = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (result == 0 && shared && family != AF_UNIX)
        result = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (result == 0) {
        *doing = "set the options of";
        result = set_options(fd, binding);
    }
    if (result == 0) {
        *doing = setting_congestion;
        result = set_congestion(fd, binding);
    }
    if (result == 0) {
        *doing = "bind";
        result = bind(fd, &addr->sa, addr->length) < 0 ? -errno : 0;
    }
    if (result == 0)
        return fd;
    (void)close(fd);
    return result;
}
