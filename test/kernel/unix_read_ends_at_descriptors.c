/* unix_read_ends_at_descriptors: a read from a UNIX stream ends at a message that carried descriptors. A short read therefore does not mean that the socket
 * is empty.
 *
 * Seen: 6.18.
 * Relied on by: src/io/epoll.c, short_means_empty(), so that a UNIX socket is read until EAGAIN. */
#include "fact.h"

int main(void)
{
    int fds[2];
    char bytes[100];
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {.iov_base = bytes, .iov_len = 5};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    ssize_t got;

    memset(bytes, 'x', sizeof(bytes));
    *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(header), &(int){STDOUT_FILENO}, sizeof(int));
    (void)MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    (void)MUST(sendmsg(fds[0], &message, 0));
    (void)MUST(send(fds[0], bytes, 5, 0));
    got = recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT);
    fact_holds(got == 5, "a read of 10 bytes, 5 of which came with a descriptor, returned %d", (int)got);
    fact_holds(recv(fds[1], bytes, sizeof(bytes), MSG_DONTWAIT) == 5, "the bytes behind it did not come");
    return 0;
}
