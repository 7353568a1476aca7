/* health/unread.h: the answer of a server that closed the connection before libcurl had sent its request. Health thread only.
 *
 * If sending fails, libcurl closes the connection without reading from it. But a server that does not wait for the request may have answered already, and
 * its answer is in the socket. It is saved here before libcurl closes the socket. libcurl then reads it from a UNIX connection within this process, which
 * needs a second descriptor and briefly a third. CURL_SOCKOPT_ALREADY_CONNECTED would be simpler, but libcurl 7.88 calls connect(2) regardless. */
#ifndef HEALTH_UNREAD_H
#define HEALTH_UNREAD_H

#include <curl/curl.h>
#include <stddef.h>

struct unread {
    char *data; /* owned; NULL: no unread answer */
    size_t bytes;
    int server; /* owned; the socket that sends the answer, first listening and then connected; -1: none */
};

void unread_init(struct unread *unread);
/* May be called twice. */
void unread_deinit(struct unread *unread);

/* Saves the unread bytes of `fd`, as far as a probe needs them. Saves nothing if memory runs out. */
void unread_save(struct unread *unread, int fd);

/* Opens a listening socket and sets `*address` to its address. Returns another socket, which the caller owns and must connect to that address, or -1 with errno
 * set. */
int unread_open(struct unread *unread, struct curl_sockaddr *address);

/* Call it when that socket is connected: sends the saved bytes and the end of the stream. */
void unread_send(struct unread *unread);

#endif
