/* health/unread.h: the answer of a server that closed the connection before libcurl had sent its request.
 *
 * When sending fails, libcurl closes the connection without reading from it. But a server that does not wait for the
 * request may have answered already: then the answer is in the socket. It is saved here before libcurl closes the
 * socket, and libcurl reads it from a UNIX connection within this process, which takes a second descriptor and for a
 * moment a third. (CURL_SOCKOPT_ALREADY_CONNECTED would be simpler, but libcurl 7.88 calls connect(2) all the same.)
 * Health thread only. */
#ifndef HEALTH_UNREAD_H
#define HEALTH_UNREAD_H

#include <curl/curl.h>
#include <stddef.h>

struct unread {
    char *data; /* owned; NULL: nothing was left unread */
    size_t bytes;
    int server; /* owned: the socket that sends it, first listening, then connected; -1: none */
};

void unread_init(struct unread *unread);
/* Safe twice. */
void unread_deinit(struct unread *unread);

/* Takes what has arrived on `fd` and was not read, as far as it matters to a probe; nothing when there is no memory. */
void unread_save(struct unread *unread, int fd);

/* Opens a listening socket, and sets `*address` to its address. Returns another socket, which the caller owns and is to
 * connect there, or -1 with errno set. */
int unread_open(struct unread *unread, struct curl_sockaddr *address);

/* To be called when that socket is connected: sends what was saved, then end of file. */
void unread_send(struct unread *unread);

#endif
