/* serve.h: `penstock-bench serve`: settings, threads, connections, and the interface between the loop and the modes.
 *
 * Each struct serve_thread and the connections that it accepted are used only by that thread. The settings are read-only while threads run. */
#ifndef LOADGEN_SERVE_H
#define LOADGEN_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "list.h"
#include "protocol.h"
#include "timers.h"

int serve_main(char **argv);

/* Copies the text of --name, which may be NULL, to `name`, which is all zero and has PROTOCOL_NAME_BYTES. Refuses a name that is too long or not printable. */
void serve_set_name(char *name, const char *text);

enum { SERVE_BINDS_MAX = 64, SERVE_BUFFER_BYTES = 65536 };

enum serve_service { SERVICE_NONE, SERVICE_FIXED, SERVICE_LOGNORMAL };
enum serve_fault { FAULT_NONE, FAULT_CORRUPT, FAULT_TRUNCATE, FAULT_RESET, FAULT_STALL, FAULT_SLOW_READ };

struct serve_settings {
    struct addr binds[SERVE_BINDS_MAX];
    int listeners[SERVE_BINDS_MAX];
    unsigned bind_count;
    const struct serve_mode *mode;
    const char *name_text;
    char name[PROTOCOL_NAME_BYTES];
    enum serve_service service;
    uint64_t service_ns; /* the service time, or its median */
    double service_sigma;
    enum serve_fault fault;
    uint64_t fault_every; /* in replies; for FAULT_SLOW_READ, in bytes a second for each connection */
    uint64_t concurrency; /* 0: no limit */
    uint64_t threads, seed, connections_max;
    int stop_fd; /* eventfd; it is readable when all threads must end */
};

struct serve_stats {
    uint64_t accepted, replies, received_bytes, sent_bytes;
    uint64_t broken;        /* connections that ended by an error */
    uint64_t bad_requests;  /* not this protocol, or more than one request at a time */
    uint64_t wrong_payload; /* requests with a wrong byte */
    uint64_t accept_pauses;
};

struct serve_conn {
    int fd;          /* -1: closed and free for reuse */
    bool readable;   /* an event has reported data, and no read since then was short */
    bool peer_ended; /* an event has reported the end of the peer's stream; there may still be bytes to read before it */
    bool ended;      /* recv() has returned 0 */
    bool stalled;    /* a fault keeps it from ever replying */
    bool close_after_output;
    /* Links in the thread's lists: open or closed connections; those that must run again in the next turn of the loop; those that wait for service. */
    struct list open, ready, waiting;
    struct timer timer; /* due at the end of the service time, or of the pause of a slow reader */
    bool in_service;
    uint64_t read_after_ns; /* slow reader: it does not read earlier than this */

    /* The output is a header and then pattern bytes; in echo mode, it is the held bytes. */
    uint8_t head[48];
    uint32_t head_bytes;
    uint64_t out_bytes, out_sent, out_key;
    uint64_t out_corrupt_at; /* UINT64_MAX: nowhere */
    uint8_t *held;           /* SERVE_BUFFER_BYTES, allocated when first needed */

    /* The input is a request in the modes rpc and source, and a stream in mode sink. */
    struct protocol_request request;
    uint64_t request_got;
    bool request_wrong;
    struct protocol_digest digest;
};

struct serve_thread {
    struct serve_settings *settings;
    struct serve_stats stats;
    int epoll_fd;
    uint64_t now_ns; /* the time of the last wake-up */
    struct list open, ready, waiting, dead, spare;
    uint64_t conn_count, in_service, concurrency, connections_max;
    struct timers timers;
    bool accept_paused;
    uint64_t accept_resume_ns;
    uint64_t random, fault_counter;
    uint8_t buffer[SERVE_BUFFER_BYTES];  /* the bytes of the last recv() */
    uint8_t scratch[SERVE_BUFFER_BYTES]; /* the bytes of the next send(), if they must be copied */
};

enum serve_step {
    SERVE_GO_ON,
    SERVE_CLOSE, /* close normally */
    SERVE_RESET, /* close with RST */
    SERVE_FAILED /* the connection is broken: count it and close */
};

/* A mode. All its state is in the connection. */
struct serve_mode {
    const char *name;
    /* Handles received bytes, and may change `data`. Called only if no output is pending. */
    enum serve_step (*input)(struct serve_thread *thread, struct serve_conn *conn, uint8_t *data, size_t length);
    /* Called when the peer has ended its stream and all output is sent. */
    enum serve_step (*end)(struct serve_thread *thread, struct serve_conn *conn);
};
extern const struct serve_mode serve_mode_echo, serve_mode_sink, serve_mode_source, serve_mode_rpc;

/* serve_loop.c: serves until stop_fd is readable, then closes all connections. Returns 0 or a negative errno. */
int serve_loop(struct serve_thread *thread);

/* serve_conn.c */
/* Sends and receives what is possible now. May close the connection. */
void serve_conn_run(struct serve_thread *thread, struct serve_conn *conn);
void serve_conn_close(struct serve_thread *thread, struct serve_conn *conn, bool reset);

/* serve_output.c: sends the output of the modes. The caller returns a step that is not SERVE_GO_ON to its own caller. */
enum serve_step serve_reply(struct serve_thread *thread, struct serve_conn *conn, const void *head,
                            uint64_t total_bytes, uint64_t key);
enum serve_step serve_echo_back(struct serve_thread *thread, struct serve_conn *conn, uint8_t *data, size_t length);
/* Sends more of the pending output. */
enum serve_step serve_output(struct serve_thread *thread, struct serve_conn *conn, bool *blocked);

/* serve_rpc.c: reads bytes of a request's header, and advances `data` and `length` past them. The header is complete when conn->request_got has reached its
 * size. */
enum serve_step serve_take_request(struct serve_thread *thread, struct serve_conn *conn, const uint8_t **data,
                                   size_t *length);

/* serve_service.c: a complete request waits until a place is free, then for its service time, and is then answered. */
enum serve_step serve_service_begin(struct serve_thread *thread, struct serve_conn *conn);
enum serve_step serve_service_end(struct serve_thread *thread, struct serve_conn *conn);
/* Ends the service of a connection that is closed, without a reply. */
void serve_service_abandon(struct serve_thread *thread, struct serve_conn *conn);
const char *serve_service_parse(void *settings, const char *text);
enum serve_step serve_rpc_answer(struct serve_thread *thread, struct serve_conn *conn);

#endif
