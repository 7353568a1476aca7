/* scripted_server.h: a server for the tests of probes. Its thread serves one connection at a time: it reads a request, plays its part and closes. */
#ifndef TEST_SCRIPTED_SERVER_H
#define TEST_SCRIPTED_SERVER_H

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"

enum part {
    ANSWER,          /* sends `answer`, then closes normally */
    FLOOD,           /* sends `answer`, then 'x' until the client is gone */
    FLOOD_HEADERS,   /* sends `answer`, which is a status line, then headers until the client is gone */
    HANG,            /* sends `answer`, then nothing until the client closes */
    RESET,           /* sends `answer`, then resets */
    DRIP,            /* sends each byte of `answer` in its own segment, then closes normally */
    REPEAT,          /* sends `answer` again and again until the client is gone */
    HEAR,            /* reads once, whatever it is, sends `answer` and FIN, then reads until the client closes */
    UNREAD,          /* waits for the request but does not read it: sends `answer`, and closing then resets the connection */
    UNASKED,         /* sends `answer` before there is a request, then closes normally */
    UNASKED_RESET,   /* sends `answer` before there is a request, then resets */
};

struct server {
    int listener, stop_pipe[2];
    pthread_t thread;
    enum part part;
    const char *answer;
    size_t answer_bytes;
    char request[2048]; /* the last request; the test may read it after server_stop() */
    unsigned connections;
    struct addr addr;
};

static bool stopped_or_readable(const struct server *server, int fd)
{
    struct pollfd pollers[2] = { { .fd = server->stop_pipe[0], .events = POLLIN }, { .fd = fd, .events = POLLIN } };
    return poll(pollers, 2, -1) < 0 || pollers[0].revents != 0;
}

static bool read_request(struct server *server, int fd)
{
    size_t length = 0;

    while (length + 1 < sizeof server->request && strstr(server->request, "\r\n\r\n") == NULL) {
        if (stopped_or_readable(server, fd))
            return false;
        ssize_t got = recv(fd, server->request + length, sizeof server->request - 1 - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
        server->request[length] = '\0';
    }
    return true;
}

/* Waits as the part says. Returns false if the test or the client has ended. */
static bool await_request(struct server *server, int fd)
{
    char x[4096];

    if (server->part >= UNASKED)
        return true;
    if (server->part == UNREAD)
        return !stopped_or_readable(server, fd);
    if (server->part == HEAR)
        return !stopped_or_readable(server, fd) && recv(fd, x, sizeof x, 0) > 0;
    return read_request(server, fd);
}

static void drip(const struct server *server, int fd)
{
    const int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (size_t i = 0; i < server->answer_bytes; i++)
        send(fd, server->answer + i, 1, MSG_NOSIGNAL);
}

static void play(struct server *server, int fd)
{
    static const char header[] = "X-More: yes\r\n";
    char x[4096];

    memset(x, 'x', sizeof x);
    if (!await_request(server, fd))
        return;
    if (server->part == DRIP)
        drip(server, fd);
    else
        send(fd, server->answer, server->answer_bytes, MSG_NOSIGNAL);
    if (server->part == REPEAT)
        while (send(fd, server->answer, server->answer_bytes, MSG_NOSIGNAL) > 0)
            ;
    if (server->part == FLOOD)
        while (send(fd, x, sizeof x, MSG_NOSIGNAL) > 0)
            ;
    if (server->part == FLOOD_HEADERS)
        while (send(fd, header, sizeof header - 1, MSG_NOSIGNAL) > 0)
            ;
    if (server->part == HEAR)
        shutdown(fd, SHUT_WR);
    if (server->part == HANG || server->part == HEAR)
        while (!stopped_or_readable(server, fd) && recv(fd, x, sizeof x, 0) > 0)
            ;
    struct linger linger = { .l_onoff = 1 };
    if (server->part == RESET || server->part == UNASKED_RESET)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void *serve(void *argument)
{
    struct server *server = argument;

    while (!stopped_or_readable(server, server->listener)) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        server->connections++;
        server->request[0] = '\0';
        play(server, fd);
        close(fd);
    }
    return NULL;
}

static int listen_on(struct addr *addr, int backlog)
{
    int fd = socket(addr_family(addr), SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &addr->sa, addr->length), 0);
    addr->length = sizeof addr->un;
    assert_int_equal(getsockname(fd, &addr->sa, &addr->length), 0);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static struct addr loopback(int family)
{
    struct addr addr = { 0 };
    if (family == AF_INET6) {
        addr.length = sizeof addr.in6;
        addr.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    } else {
        addr.length = sizeof addr.in;
        addr.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    }
    return addr;
}

static inline struct addr unix_name(const char *form, int number)
{
    char text[100], with_number[120];
    struct addr addr;
    snprintf(text, sizeof text, "unix:%s", form);
    snprintf(with_number, sizeof with_number, "%s-%d-%d", text, (int)getpid(), number);
    assert_null(addr_parse(&addr, with_number));
    return addr;
}

static void server_start(struct server *server)
{
    if (server->answer_bytes == 0 && server->answer != NULL)
        server->answer_bytes = strlen(server->answer);
    if (server->addr.length == 0)
        server->addr = loopback(AF_INET);
    server->listener = listen_on(&server->addr, 16);
    fcntl(server->listener, F_SETFL, O_NONBLOCK);
    assert_int_equal(pipe2(server->stop_pipe, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
    assert_int_equal(write(server->stop_pipe[1], "", 1), 1);
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->stop_pipe[0]);
    close(server->stop_pipe[1]);
}

#endif
