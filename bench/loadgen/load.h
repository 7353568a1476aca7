/* load.h: `penstock-bench load`: settings, threads, connections, and the interface between the loop and the kinds of work.
 *
 * Each struct load_thread and its connections are used only by that thread, except `shared`. The settings are read-only while threads run. */
#ifndef LOADGEN_LOAD_H
#define LOADGEN_LOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/histogram.h"
#include "list.h"
#include "protocol.h"

int load_main(char **argv);

enum { LOAD_BUFFER_BYTES = 262144, LOAD_NAMES_MAX = 64, LOAD_THREADS_MAX = 64 };

enum load_error {
    LOAD_REFUSED,
    LOAD_STALL, /* no reply within the timeout; open loop: also no free connection within it */
    LOAD_RESET,
    LOAD_EOF,   /* the stream ended early */
    LOAD_WRONG, /* a byte differs from the expected one */
    LOAD_OTHER, /* another errno */
    LOAD_ERRORS
};

struct load_settings {
    struct addr target;
    const char *target_text;
    const struct load_work *work;
    uint64_t connections, threads, rate; /* the rate is in requests a second over all threads; 0: closed loop */
    uint64_t size, reply, bytes;
    uint64_t duration_ns; /* 0: until `requests` are answered */
    uint64_t requests;    /* 0: no limit */
    uint64_t warmup_ns, timeout_ns, retry, seed;
    bool json, progress, expect_names, reconnect;
    int stop_fd; /* eventfd; it is readable when no more requests may begin */
};

struct load_name {
    char name[PROTOCOL_NAME_BYTES];
    uint64_t requests, connections;
};

/* Results of one thread, or the sum over all threads. Errors and retries cover the whole run; the other fields cover the time after the warm-up. */
struct load_result {
    uint64_t requests; /* answered without a wrong byte */
    uint64_t warmup_requests;
    uint64_t errors[LOAD_ERRORS];  /* lost requests, and broken connections that had no request */
    uint64_t retries[LOAD_ERRORS]; /* requests that were cut off and sent again */
    uint64_t connects, reconnects; /* established connections; of these, the replacements of broken ones */
    uint64_t open_peak;            /* maximum number of open connections */
    uint64_t sent_bytes, received_bytes, verified_bytes;
    uint64_t unnamed;      /* replies without the name of a backend */
    uint64_t elapsed_ns;   /* from the end of the warm-up to the last reply */
    int other_errno;       /* of the first LOAD_OTHER */
    char first_wrong[128]; /* description of the first wrong byte */
    unsigned name_count;
    struct load_name names[LOAD_NAMES_MAX];
    struct histogram latency;
};

/* Counters for the progress line. The load thread writes them and the main thread reads them, both under the lock. */
struct load_shared {
    pthread_mutex_t lock;
    uint64_t requests, errors, retries, bytes, open, latency_sum_ns;
};

enum load_state {
    CONN_CLOSED,  /* never opened, given up, or waiting for a request that will use a new connection */
    CONN_WAITING, /* will be opened at retry_at_ns */
    CONN_CONNECTING,
    CONN_OPEN
};

struct load_conn {
    int fd;
    enum load_state state;
    bool dead;        /* given up: it gets no more requests */
    bool has_request; /* a request to send, in flight, or to send again */
    bool readable;    /* an event has reported data, and no read since then was short */
    bool peer_ended;  /* an event has reported the end of the peer's stream; there may still be bytes to read before it */
    bool sending;     /* the request is not completely sent */
    bool echo;        /* the reply is the request itself */
    bool named;       /* the connection is already counted for a backend */
    bool settled;     /* was open once or is dead; the opening phase does not wait for it */
    uint32_t index;   /* unique over all threads */
    uint32_t serial;  /* number of requests begun */
    uint32_t attempts, backoff;
    struct list link; /* in the thread's list idle or waiting, or in none */
    struct list ready;
    uint64_t intended_ns, deadline_ns, retry_at_ns;
    struct protocol_request request;
    uint64_t sent, received, expected; /* bytes of the current request; `expected` is 0 until the header of the reply is read */
    uint8_t head[48];
    uint32_t head_bytes;
    unsigned name; /* index of the last backend in result->names; valid if `named` */
    struct protocol_digest digest;
};

struct load_thread {
    const struct load_settings *settings;
    struct load_shared shared;
    struct load_result *result;
    struct load_conn *conns;
    uint64_t conn_count, first_index;
    int epoll_fd;
    struct list idle, waiting, ready; /* connections that can take a request; that wait to be opened again; that must run again in the next turn of the loop */
    uint64_t now_ns, next_tick_ns;
    bool running; /* the opening phase is over, and the four times below are set */
    uint64_t start_ns, measure_ns;
    uint64_t end_ns, hard_end_ns; /* UINT64_MAX: no limit */
    uint64_t number;              /* index of the thread; it determines the times of its requests in an open loop */
    uint64_t begun, to_begin;     /* numbers of requests; to_begin is UINT64_MAX if there is no limit */
    uint64_t unfinished;          /* connections with a request */
    uint64_t open_count, connecting, opened_to, unsettled, living;
    uint64_t opening_end_ns;
    uint64_t alive_ns; /* the last tick at which a connection was open */
    int result_errno;
    int done_fd; /* eventfd; written when the thread ends */
    uint8_t scratch[65536];
    uint8_t buffer[LOAD_BUFFER_BYTES];
};

enum load_step {
    LOAD_GO_ON,
    LOAD_BLOCKED, /* the socket is full */
    LOAD_DONE,    /* the reply is complete and correct */
    LOAD_FAILED_WRONG,
    LOAD_FAILED_EOF,
    LOAD_FAILED_ERRNO /* the last call failed with errno */
};

struct load_work {
    const char *name;
    bool persistent; /* a connection carries many requests; otherwise one */
    bool hold;       /* connections remain idle, and each gets one request at the end */
    bool bulk;       /* the timeout applies to progress, not to the whole transfer */
    /* Prepares to send the current request from its first byte, for the first time or again. */
    void (*begin)(struct load_thread *thread, struct load_conn *conn);
    /* Calls send() once. Clears conn->sending after the last byte. */
    enum load_step (*send)(struct load_thread *thread, struct load_conn *conn);
    enum load_step (*receive)(struct load_thread *thread, struct load_conn *conn, const uint8_t *data, size_t length);
    /* Called when the peer has ended its stream during a request. */
    enum load_step (*end)(struct load_thread *thread, struct load_conn *conn);
};
extern const struct load_work load_work_rpc, load_work_connect, load_work_idle;
extern const struct load_work load_work_bulk_up, load_work_bulk_down, load_work_bulk_both;

/* load_loop.c: runs from the opening phase to the last reply. If it cannot, it sets thread->result_errno. */
void load_loop(struct load_thread *thread);

/* load_pace.c: decides when each request begins. */
void load_pace_start(struct load_thread *thread);             /* called when the opening phase is over */
bool load_pace_may_begin(const struct load_thread *thread);   /* returns whether another request will begin, now or later */
uint64_t load_pace_next_ns(const struct load_thread *thread); /* returns when the next one begins; UINT64_MAX: not at a fixed time */
void load_pace_dispatch(struct load_thread *thread);          /* assigns due requests to free connections */
void load_pace_stop(struct load_thread *thread);              /* requests that are not due yet will not begin */
/* Called when the connection has no request, or none any more. It gets the next request if it is open and one is due; the caller then runs it. Otherwise it
 * becomes idle, or is closed if no more requests will begin. */
void load_pace_free(struct load_thread *thread, struct load_conn *conn);
/* Open loop: counts requests that found no free connection within the timeout as stalls. */
void load_pace_expire(struct load_thread *thread);

/* load_conn.c */
void load_conn_open(struct load_thread *thread, struct load_conn *conn);
void load_conn_close(struct load_thread *thread, struct load_conn *conn);
void load_conn_event(struct load_thread *thread, struct load_conn *conn, uint32_t events);
/* Assigns a request to the connection. The caller then runs the connection or opens it. */
void load_conn_begin(struct load_thread *thread, struct load_conn *conn, uint64_t intended_ns);
/* Sends and receives what is possible now. May close the connection. */
void load_conn_run(struct load_thread *thread, struct load_conn *conn);

/* load_fail.c */
void load_fail(struct load_thread *thread, struct load_conn *conn, enum load_error error);
void load_fail_errno(struct load_thread *thread, struct load_conn *conn, int error_number);
/* Schedules a closed connection to be opened again. */
void load_wait(struct load_thread *thread, struct load_conn *conn, uint64_t delay_ns);
/* Opens the waiting connections whose time has come. */
void load_run_waiting(struct load_thread *thread);
/* Counts requests and attempts to connect that took too long as stalls, and closes their connections. */
void load_check_deadlines(struct load_thread *thread);
/* Notes that the opening phase need not wait for this connection any more. */
void load_settle(struct load_thread *thread, struct load_conn *conn);

/* work_answer.c: reads and verifies replies of the protocol. */
enum load_step load_answer(struct load_thread *thread, struct load_conn *conn, const uint8_t *data, size_t length,
                           bool may_echo);
enum load_step load_pattern(struct load_thread *thread, struct load_conn *conn, uint64_t offset, const uint8_t *data,
                            size_t length);
bool load_name_is_right(const char *name, uint16_t check);
/* Counts a complete reply for the backend whose name it contains. */
void load_count_name(struct load_thread *thread, struct load_conn *conn);
enum load_step load_wrong(struct load_thread *thread, struct load_conn *conn, uint64_t position, const char *what);
enum load_step load_send(struct load_thread *thread, struct load_conn *conn, const void *data, size_t length);

/* Returns the share `n`, from 0, of `total` divided into `parts` nearly equal shares. */
static inline uint64_t load_share(uint64_t total, uint64_t parts, uint64_t n)
{
    return total / parts + (n < total % parts);
}

#endif
