/* time_wait_remembers_reuse: if an outgoing connection has left a port in TIME-WAIT, a server with SO_REUSEADDR can bind this port only if the socket of the
 * connection had SO_REUSEADDR too.
 *
 * Seen: 6.18.
 * Relied on by: src/health/probe_socket.c, probe_socket_open(). Probes must not keep a server that was down from binding its port. */
#include "fact.h"

static in_port_t port = 40000;

/* Leaves a port in TIME-WAIT by a connection whose socket has SO_REUSEADDR if `reuse` is set, and binds the port as a server. Returns 0 or a positive errno. */
static int serve_after(bool reuse)
{
    struct sockaddr_in address = fact_loopback(htons(++port));
    char range[32];
    int listener = fact_socket(), server = fact_socket(), client = fact_socket(), accepted, error;
    struct sockaddr_in elsewhere = fact_loopback(htons(30000));

    (void)snprintf(range, sizeof(range), "%u %u", port, port);
    fact_sysctl("/proc/sys/net/ipv4/ip_local_port_range", range);
    fact_set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
    if (fact_bind(listener, &elsewhere) || listen(listener, 1) < 0)
        fact_broken("cannot listen: %s", strerror(errno));
    fact_set(client, SOL_SOCKET, SO_REUSEADDR, reuse);
    (void)MUST(-fact_connect(client, &elsewhere));
    accepted = MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    (void)MUST(shutdown(client, SHUT_WR));
    (void)fact_await(accepted, POLLRDHUP);
    (void)close(accepted);
    (void)fact_await(client, POLLHUP);
    (void)close(client);
    (void)close(listener);

    fact_set(server, SOL_SOCKET, SO_REUSEADDR, 1);
    error = fact_bind(server, &address);
    if (!error && listen(server, 1) < 0)
        error = errno;
    (void)close(server);
    return error;
}

int main(void)
{
    int error;

    fact_own_network();
    error = serve_after(true);
    fact_holds(error == 0, "the port of a client with SO_REUSEADDR: %s", strerror(error));
    error = serve_after(false);
    fact_holds(error == EADDRINUSE, "the port of a client without SO_REUSEADDR: %s", strerror(error));
    return 0;
}
