/* udp_load.h: `penstock-bench load udp`: settings, results, flows, and the interface between its parts. Main thread. */
#ifndef LOADGEN_UDP_LOAD_H
#define LOADGEN_UDP_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/histogram.h"
#include "list.h"
#include "protocol.h"
#include "report.h"
#include "udp_protocol.h"
#include "udp_socket.h"
#include "udp_window.h"

/* Returns the exit status. */
int udp_load_main(char **argv);

enum { UDP_NAMES_MAX = 64 };

struct udp_settings {
    struct addr target;
    const char *target_text;
    uint64_t flows, window;
    uint64_t rate;               /* datagrams a second over all flows; 0: closed loop */
    uint64_t size_min, size_max; /* bytes */
    uint64_t duration_ns;        /* 0: until `requests` datagrams are sent */
    uint64_t requests;           /* 0: no limit */
    uint64_t warmup_ns, timeout_ns, seed;
    double loss_allowed; /* per cent of the datagrams */
    bool offload, json, progress, expect_names;
};

struct udp_name {
    char name[PROTOCOL_NAME_BYTES];
    uint64_t requests; /* datagrams that it answered after the warm-up */
    uint64_t flows;    /* flows that it answered last; set at the end */
};

/* `requests`, `unnamed`, the latency and the servers' requests cover the time after the warm-up. The other fields cover the whole run. */
struct udp_result {
    uint64_t requests, warmup_requests; /* answered in time and without a wrong byte */
    uint64_t sent, received, lost;
    uint64_t unsent; /* open loop: datagrams that could not be sent within the timeout */
    uint64_t late, duplicates, reordered, corrupt;
    uint64_t wrong_flow; /* answers to another flow of this run */
    uint64_t unexpected; /* answers to nothing that this run has sent */
    uint64_t refused;    /* the kernel reported that no server listens */
    uint64_t others;     /* other errors that the kernel reported */
    uint64_t unnamed;    /* answers without a name, although they have room for one */
    uint64_t moves, moved_flows; /* answers from another server than the answer before; flows that had any */
    uint64_t sent_bytes, received_bytes;
    uint64_t elapsed_ns;  /* from the end of the warm-up to the last answer */
    int other_errno;      /* of the first of `others` */
    int fatal_errno;      /* of a send that cannot succeed; it ended the run */
    char first_wrong[96]; /* description of the first wrong datagram */
    unsigned name_count;
    struct udp_name names[UDP_NAMES_MAX];
    struct histogram latency;
};

struct udp_flow {
    int fd;
    uint32_t index;
    uint8_t name;     /* index of its server in the result's names, plus one; 0: none yet */
    bool moved;       /* has had two servers */
    bool settled;     /* an answer has come or a datagram was lost */
    struct list link; /* in the list of blocked flows, or in none */
    struct udp_window window;
};

struct udp_load {
    const struct udp_settings *settings;
    struct udp_result *result;
    struct udp_flow *flows;
    uint64_t flow_count; /* flows that are open */
    uint32_t run;
    int epoll_fd, signal_fd;
    unsigned signals;
    uint64_t now_ns, start_ns, measure_ns, next_tick_ns, tick_ns;
    uint64_t end_ns;           /* no datagram is sent later; UINT64_MAX: no limit */
    uint64_t begun, to_begin;  /* datagrams sent or given up; to be sent, UINT64_MAX: no limit */
    uint64_t settled;          /* number of settled flows */
    uint64_t started, filled;  /* closed loop: flows that have sent their first datagram; flows whose window was filled after that */
    uint64_t next_flow;        /* open loop: whose turn it is */
    uint64_t in_flight;
    uint64_t last_ns;    /* time of the last answer or loss */
    struct list blocked; /* flows whose socket was full */
    struct report_progress shown;
    struct udp_batch batch;
    struct mmsghdr messages[UDP_BATCH_MAX];
    struct iovec parts[2 * UDP_BATCH_MAX];
    struct udp_header headers[UDP_BATCH_MAX];
    _Alignas(struct cmsghdr) uint8_t control[UDP_CONTROL_BYTES];
};

/* udp_load_loop.c: sends and receives until the run is over. Returns 0 or a negative errno. */
int udp_load_loop(struct udp_load *load);

/* udp_pace.c: decides how many datagrams are sent when. */
bool udp_pace_may_begin(const struct udp_load *load);   /* whether another datagram will be sent, now or later */
uint64_t udp_pace_next_ns(const struct udp_load *load); /* when the next one is due; UINT64_MAX: not at a fixed time */
void udp_pace_dispatch(struct udp_load *load);          /* sends what is due, starts more flows, retries blocked ones */
/* Closed loop: fills the window of the flow. */
void udp_pace_fill(struct udp_load *load, struct udp_flow *flow);

/* udp_send.c: sends up to `count` datagrams of the flow, at most UDP_BATCH_MAX. Returns how many the kernel took; fewer than `count` if the socket is full or
 * the run has failed (result->fatal_errno). `intended_ns` is when they were due; a time later than now counts as now. */
uint32_t udp_send(struct udp_load *load, struct udp_flow *flow, uint32_t count, uint64_t intended_ns);
/* Counts an error of the socket. Returns whether a later send can succeed. */
bool udp_send_error(struct udp_load *load, int error_number);

/* udp_receive.c: receives what the socket has, at most one batch, and checks it. */
void udp_receive(struct udp_load *load, struct udp_flow *flow);
/* The flow has an answer or a loss. */
void udp_receive_settle(struct udp_load *load, struct udp_flow *flow);

/* udp_report.c */
bool udp_report_clean(const struct udp_settings *settings, const struct udp_result *result);
void udp_report_table(const struct udp_settings *settings, const struct udp_result *result);
void udp_report_json(const struct udp_settings *settings, const struct udp_result *result);

#endif
