/* udp_refusal_comes_before_sending: if an ICMP error for an earlier datagram is pending on a connected UDP socket, sendmmsg(2) fails with ECONNREFUSED and sends
 * nothing; the next call sends. If the error comes up within a call, the call returns the number of messages before it, and the error is lost.
 *
 * Seen: 6.18.
 * Relied on by: src/io/kernel_datagram.c, which gives the messages back as not sent, and src/worker/udp_relay.c, which then sends them to another backend. */
#include "fact.h"

static struct mmsghdr messages[3];
static struct iovec part = {.iov_base = (char[]){"x"}, .iov_len = 1};

static int send_messages(int fd, unsigned count)
{
    int sent;

    for (unsigned i = 0; i < count; i++)
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    sent = sendmmsg(fd, messages, count, MSG_DONTWAIT);
    return sent < 0 ? -errno : sent;
}

int main(void)
{
    int client = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), server = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)), sent;
    struct sockaddr_in address = fact_loopback(0);
    char byte;

    (void)MUST(-fact_bind(server, &address));
    address = fact_name(server);
    (void)close(server);
    (void)MUST(-fact_connect(client, &address));
    sent = send_messages(client, 3);
    fact_holds(sent == 1, "sendmmsg to nobody returned %d instead of 1", sent);
    fact_holds(send(client, "x", 1, MSG_DONTWAIT) == 1, "the error was not lost: %s", strerror(errno));
    fact_holds(fact_await(client, POLLIN) & POLLERR, "the refusal of a datagram does not come up"); /* now an error is pending */
    server = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    (void)MUST(-fact_bind(server, &address));
    sent = send_messages(client, 3);
    fact_holds(sent == -ECONNREFUSED, "sendmmsg with a pending error returned %d", sent);
    fact_holds(recv(server, &byte, 1, MSG_DONTWAIT) < 0, "a datagram was sent although sendmmsg failed");
    sent = send_messages(client, 3);
    fact_holds(sent == 3, "sendmmsg after the error returned %d", sent);
    return 0;
}
