/* health/transfer.h: probes that libcurl carries out: how its transfers are driven, whatever their request is. Health thread only.
 *
 * A kind of check has a struct transfer_kind. Its probe begins with a struct probe, and may have more after it. Every probe opens a connection of its own,
 * because it tests reachability, to a numeric address, because libcurl's resolver would start a thread. It uses no proxy, redirect or cookie.
 *
 * A probe ends when libcurl reports the end of its transfer. Once its outcome is certain, it waits at most TRANSFER_ORDERLY_END_MS longer for that, because
 * closing the connection earlier would reset it. */
#ifndef HEALTH_TRANSFER_H
#define HEALTH_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "health/probe.h"
#include "health/unread.h"

enum { TRANSFER_ORDERLY_END_MS = 100 };

struct transfer_prober;

struct probe {
    struct probe_request request;
    struct transfer_prober *prober;
    CURL *easy;
    bool tls;              /* set by `prepare`, which is called before the address is set */
    struct curl_slist *headers;    /* owned; set by `prepare`; NULL: none */
    struct curl_slist *connect_to; /* owned; the address, if the URL has a name instead; NULL: none */
    struct list link;      /* in one of the prober's lists */
    uint64_t report_ns;    /* CLOCK_MONOTONIC: when to stop waiting for the end; 0: undecided */
    bool connected;        /* a connection was established, perhaps to itself */
    bool heard;            /* a header line has arrived */
    bool saves_unread;     /* set by `prepare`: the answer can be read again; see health/unread.h */
    bool opened;           /* a socket was opened */
    bool refused;          /* the server refused the HTTP/2 stream */
    bool again;            /* the answer is read from `unread` */
    int fd;                /* descriptor of the connection, owned by libcurl; -1: none */
    struct unread unread;
    char error_text[CURL_ERROR_SIZE]; /* what libcurl says about a failure; empty: nothing */
    int connect_errno;     /* why there is no connection, if libcurl does not know; else 0 */
};

/* How a transfer ended. */
struct transfer_end {
    CURLcode code;
    long os_error;   /* CURLINFO_OS_ERRNO; 0: none */
    bool connected;  /* a connection was established */
    const char *text; /* what libcurl says about a failure */
    bool refused;    /* the server refused the HTTP/2 stream (REFUSED_STREAM) */
    bool was_unread; /* the answer was read through health/unread.h, because the connection was reset */
};

struct transfer_kind {
    const struct probe_ops *ops;
    size_t probe_bytes; /* of the kind's probe */
    /* Sets the options of probe->easy for the request, except the address and TLS, and the kind's own fields, which are zero. Returns false if memory runs
     * out. */
    bool (*prepare)(struct probe *probe);
    /* Frees what the kind's own fields own, after probe->easy was freed. NULL: nothing. */
    void (*clean)(struct probe *probe);
    /* Takes a header line, with its line end, or bytes of the body. `status` is the status of the last status line. Returns false to end the transfer. */
    bool (*add_header)(struct probe *probe, const char *line, size_t bytes, long status);
    bool (*add_body)(struct probe *probe, const char *data, size_t bytes);
    /* Whether the outcome is certain, whatever still arrives. */
    bool (*is_decided)(const struct probe *probe);
    /* Fills `result` after the end of the transfer. `end` is NULL if the outcome is certain and the end was not awaited. */
    void (*judge)(const struct probe *probe, const struct transfer_end *end, struct probe_result *result);
    /* Fills `result` when the time of the probe is over. */
    void (*judge_late)(struct probe *probe, struct probe_result *result);
};

/* These have the contract of the functions with the same names in struct probe_ops. transfer_open() keeps `kind`. */
struct prober *transfer_open(const struct transfer_kind *kind, probe_done_fn *done, int *error);
void transfer_close(struct prober *base);
enum probe_outcome transfer_start(struct prober *base, const struct probe_request *request, struct probe **out, struct probe_result *result);
void transfer_abandon(struct prober *base, struct probe *probe);
void transfer_expire(struct prober *base, struct probe *probe, struct probe_result *result);
void transfer_process(struct prober *base);

#endif
