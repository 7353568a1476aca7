/* closing_member_resets_queue: closing a listening socket resets the connections in its accept queue, even if another socket of its SO_REUSEPORT group still
 * listens.
 *
 * Seen: 6.18. net.ipv4.tcp_migrate_req = 1 (5.14) would move them to the other socket.
 * Relied on by: src/worker/acceptor.c, drain_one(), which empties the queue before it closes the socket. */
#include "fact.h"

enum { CALLS_MAX = 1000 };

static int listen_in_group(struct sockaddr_in *address)
{
    int fd = fact_socket();

    fact_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (fact_bind(fd, address) || listen(fd, CALLS_MAX) < 0)
        fact_broken("cannot listen: %s", strerror(errno));
    *address = fact_name(fd);
    return fd;
}

static bool queues_move(void)
{
    char value = '0';
    int fd = open("/proc/sys/net/ipv4/tcp_migrate_req", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)MUST(read(fd, &value, 1));
        (void)close(fd);
    }
    return value != '0';
}

int main(void)
{
    struct sockaddr_in address = fact_loopback(0);
    int closing = listen_in_group(&address), staying = listen_in_group(&address), client, events;

    if (queues_move())
        fact_skip("net.ipv4.tcp_migrate_req is set");
    for (int i = 0;; i++) { /* the kernel chooses one of the two sockets by a hash of the addresses */
        struct pollfd pollers[2] = {{.fd = closing, .events = POLLIN}, {.fd = staying, .events = POLLIN}};

        if (i == CALLS_MAX)
            fact_broken("none of %d connections came to the first socket", CALLS_MAX);
        client = fact_call(&address);
        (void)MUST(poll(pollers, 2, FACT_DEADLINE_MS));
        if (pollers[0].revents)
            break;
        (void)close(MUST(accept4(staying, NULL, NULL, SOCK_CLOEXEC)));
        (void)close(client);
    }
    fact_holds(!(fact_ready(client, POLLIN) & (POLLERR | POLLHUP)), "the connection was reset before anything was closed");
    (void)close(closing);
    events = fact_await(client, POLLIN);
    fact_holds(events & POLLERR, "the client of the socket that was closed sees 0x%x instead of a reset", (unsigned)events);
    return 0;
}
