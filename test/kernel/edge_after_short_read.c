/* edge_after_short_read: on TCP, a read that returned fewer bytes than it asked for has emptied the socket. Edge-triggered epoll then reports the next
 * bytes, and FIN, although no read has returned EAGAIN.
 *
 * Seen: 6.18; documented for streams in epoll(7).
 * Relied on by: src/io/epoll.c, short_means_empty(), which saves one call for each message. */
#include <sys/epoll.h>

#include "fact.h"

static unsigned wait_for_edge(int epoll)
{
    struct epoll_event event = {0};

    (void)MUST(epoll_wait(epoll, &event, 1, FACT_DEADLINE_MS));
    return event.events;
}

int main(void)
{
    struct epoll_event everything = {.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET};
    struct fact_pair pair = fact_tcp_pair();
    int epoll = MUST(epoll_create1(EPOLL_CLOEXEC));
    unsigned edge;
    char bytes[100];

    fact_block(pair.ours, false);
    (void)MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, pair.ours, &everything));
    edge = wait_for_edge(epoll);
    fact_holds(edge == EPOLLOUT, "the first events are 0x%x", edge);
    for (int i = 0; i < 100; i++) {
        (void)MUST(send(pair.theirs, "message", 7, 0));
        edge = wait_for_edge(epoll);
        fact_holds(edge & EPOLLIN, "message %d after a short read: events 0x%x", i, edge);
        fact_holds(recv(pair.ours, bytes, sizeof(bytes), 0) == 7, "message %d did not come whole", i);
    }
    (void)MUST(shutdown(pair.theirs, SHUT_WR));
    edge = wait_for_edge(epoll);
    fact_holds(edge & EPOLLRDHUP, "FIN after a short read: events 0x%x", edge);
    return 0;
}
