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
    uint64_t service_ns; /* fixed, or the median */
    double service_sigma;
    enum serve_fault fault;
    uint64_t fault_every; /* replies; FAULT_SLOW_READ: bytes a second for each connection */
    uint64_t concurrency; /* 0: no limit */
    uint64_t threads, seed, connections_max;
    int stop_fd; /* eventfd; readable when all threads must end */
};

struct serve_stats {
    uint64_t accepted, replies, received_bytes, sent_bytes;
    uint64_t broken;        /* connections that ended by an error */
    uint64_t bad_requests;  /* not our protocol, or more than one request at a time */
    uint64_t wrong_payload; /* requests with a wrong byte */
    uint64_t accept_pauses;
};

struct serve_conn {
    int fd;          /* -1: closed and free for reuse */
    bool readable;   /* an edge came and no short read since */
    bool peer_ended; /* the kernel said so; bytes may still lie before the end */
    bool ended;      /* read up to the end */
    bool stalled;    /* a fault makes it never reply */
    bool close_after_output;
    struct list open, ready, waiting; /* links in lists: all open connections; those that must run again soon; those queued for service */
    struct timer timer;               /* end of service, or of the pause of a slow reader */
    bool in_service;
    uint64_t read_after_ns; /* slow reader */

    /* Output: a header and then pattern bytes; in echo mode, the held bytes. */
    uint8_t head[48];
    uint32_t head_bytes;
    uint64_t out_bytes, out_sent, out_key;
    uint64_t out_corrupt_at; /* UINT64_MAX: nowhere */
    uint8_t *held;           /* SERVE_BUFFER_BYTES, allocated when first needed */

    /* Input: a request for rpc and source, a stream for sink. */
    struct protocol_request request;
    uint64_t request_got;
    bool request_wrong;
    struct protocol_digest digest;
};

struct serve_thread {
    struct serve_settings *settings;
    struct serve_stats stats;
    int epoll_fd;
    uint64_t now_ns; /* as of the last wake-up */
    struct list open, ready, waiting, dead, spare;
    uint64_t conn_count, in_service, concurrency, connections_max;
    struct timers timers;
    bool accept_paused;
    uint64_t accept_resume_ns;
    uint64_t random, fault_counter;
    uint8_t buffer[SERVE_BUFFER_BYTES];  /* what was just received */
    uint8_t scratch[SERVE_BUFFER_BYTES]; /* what is just being sent */
};

enum serve_step {
    SERVE_GO_ON,
    SERVE_CLOSE, /* close normally */
    SERVE_RESET, /* close with RST */
    SERVE_FAILED /* the connection is broken: count it and close */
};

/* One mode of serving; all state is in the connection. */
struct serve_mode {
    const char *name;
    /* Handles received bytes, and may change `data`. Called only if no output is pending. */
    enum serve_step (*input)(struct serve_thread *thread, struct serve_conn *conn, uint8_t *data, size_t length);
    /* The peer ended its stream, and all output is sent. */
    enum serve_step (*end)(struct serve_thread *thread, struct serve_conn *conn);
};
extern const struct serve_mode serve_mode_echo, serve_mode_sink, serve_mode_source, serve_mode_rpc;

/* serve_loop.c: runs until stop_fd is readable; closes all connections. Negative errno. */
int serve_loop(struct serve_thread *thread);

/* serve_conn.c */
/* Does all that can be done now; may close. */
void serve_conn_run(struct serve_thread *thread, struct serve_conn *conn);
void serve_conn_close(struct serve_thread *thread, struct serve_conn *conn, bool reset);

/* serve_output.c: what modes send with. A step other than SERVE_GO_ON is for the caller to return. */
enum serve_step serve_reply(struct serve_thread *thread, struct serve_conn *conn, const void *head,
                            uint64_t total_bytes, uint64_t key);
enum serve_step serve_echo_back(struct serve_thread *thread, struct serve_conn *conn, uint8_t *data, size_t length);
/* Continues sending. */
enum serve_step serve_output(struct serve_thread *thread, struct serve_conn *conn, bool *blocked);

/* serve_rpc.c: reads a request's header, which is whole once conn->request_got has its size. `data` and `length` move
 * on. */
enum serve_step serve_take_request(struct serve_thread *thread, struct serve_conn *conn, const uint8_t **data,
                                   size_t *length);

/* serve_service.c: a whole request waits for its turn and its service time; then it is answered. */
enum serve_step serve_service_begin(struct serve_thread *thread, struct serve_conn *conn);
enum serve_step serve_service_end(struct serve_thread *thread, struct serve_conn *conn);
/* Gives up the service of a connection that ends. */
void serve_service_abandon(struct serve_thread *thread, struct serve_conn *conn);
const char *serve_service_parse(void *settings, const char *text);
enum serve_step serve_rpc_answer(struct serve_thread *thread, struct serve_conn *conn);

#endif
