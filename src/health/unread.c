/* health/unread.c: saves an answer that was not read, and offers it to libcurl again. Health thread. */
#include "health/unread.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "health/answer.h"

enum { UNREAD_BYTES_MAX = ANSWER_HEADER_BYTES_MAX + PROBE_BODY_BYTES_MAX };

void unread_init(struct unread *unread)
{
    *unread = (struct unread){.server = -1};
}

void unread_deinit(struct unread *unread)
{
    free(unread->data);
    if (unread->server >= 0)
        close(unread->server);
    unread_init(unread);
}

void unread_save(struct unread *unread, int fd)
{
    char first;

    if (recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
        return;
    unread->data = malloc(UNREAD_BYTES_MAX);
    if (!unread->data)
        return;
    while (unread->bytes < UNREAD_BYTES_MAX) {
        ssize_t bytes = recv(fd, unread->data + unread->bytes, UNREAD_BYTES_MAX - unread->bytes, MSG_DONTWAIT);
        if (bytes <= 0)
            break;
        unread->bytes += (size_t)bytes;
    }
}

/* The kernel assigns an abstract name (unix(7), autobind), which fits into a struct sockaddr. */
int unread_open(struct unread *unread, struct curl_sockaddr *address)
{
    const struct sockaddr any = {.sa_family = AF_UNIX};

    address->family = AF_UNIX;
    address->addrlen = sizeof(address->addr);
    unread->server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (unread->server < 0 || bind(unread->server, &any, sizeof(any.sa_family)) < 0 || listen(unread->server, 1) < 0
        || getsockname(unread->server, &address->addr, &address->addrlen) < 0)
        return -1;
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void unread_send(struct unread *unread)
{
    int fd = accept4(unread->server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    close(unread->server);
    unread->server = fd;
    if (fd < 0)
        return;
    /* An empty socket accepts as much as its buffer holds, which by default is more than this. */
    (void)!send(fd, unread->data, unread->bytes, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
}
