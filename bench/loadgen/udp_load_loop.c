/* udp_load_loop.c: opens the flows and runs the event loop until every datagram is answered or lost. Main thread; owns the flows. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "udp_load.h"
#include "units.h"

enum {
    EVENTS_MAX = 256,
    TICK_MS = 50,
    BLOCKED_MS = 1, /* how long a flow whose socket was full waits */
    LINGER_MS = 50, /* duplicates are received for this long after the last answer */
    PROGRESS_MS = 500,
    SLOTS_TOTAL = 1 << 20,
    SLOTS_MIN = 64
};

/* The datagrams that a window remembers: at least four windows; at least twice those that an open loop sends within the timeout. The total over all flows
 * is at least those of a second at a million a second, so that the answer to a datagram that is lost is recognised when it comes later. */
static uint32_t choose_capacity(const struct udp_settings *settings)
{
    uint64_t wanted = SLOTS_TOTAL / settings->flows, in_time = settings->rate / settings->flows + 1, capacity = SLOTS_MIN;
    in_time = 2 * (in_time * (settings->timeout_ns / NS_PER_MS + 2 * TICK_MS) / 1000 + settings->window);
    wanted = wanted > in_time ? wanted : in_time;
    wanted = wanted > 4 * settings->window ? wanted : 4 * settings->window;
    while (capacity < wanted && capacity < 1u << 30)
        capacity *= 2;
    return (uint32_t)capacity;
}

static int open_flow(struct udp_load *load, uint32_t capacity)
{
    struct udp_flow *flow = &load->flows[load->flow_count];
    *flow = (struct udp_flow){.index = (uint32_t)load->flow_count};
    list_init(&flow->link);
    int result = udp_window_init(&flow->window, capacity);
    if (result < 0)
        return result;
    flow->fd = udp_socket_connect(&load->settings->target, load->settings->offload);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = flow};
    if (flow->fd < 0)
        result = flow->fd;
    else if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, flow->fd, &event) < 0)
        result = -errno;
    if (result < 0) {
        udp_window_deinit(&flow->window);
        if (flow->fd >= 0)
            close(flow->fd);
        return result;
    }
    load->flow_count++;
    return 0;
}

static int open_flows(struct udp_load *load)
{
    uint32_t capacity = choose_capacity(load->settings);
    for (uint64_t i = 0; i < load->settings->flows; i++) {
        int result = open_flow(load, capacity);
        if (result < 0) {
            fprintf(stderr, "penstock-bench: cannot open flow %u of %u\n", (unsigned)i + 1, (unsigned)load->settings->flows);
            return result;
        }
    }
    return 0;
}

static void close_flows(struct udp_load *load)
{
    for (uint64_t i = 0; i < load->flow_count; i++) {
        close(load->flows[i].fd);
        udp_window_deinit(&load->flows[i].window);
    }
    free(load->flows);
    load->flows = NULL;
}

static void start_clock(struct udp_load *load)
{
    const struct udp_settings *settings = load->settings;
    load->now_ns = load->start_ns = load->last_ns = clock_now_ns();
    load->measure_ns = load->start_ns + settings->warmup_ns;
    load->end_ns = settings->duration_ns > 0 ? load->measure_ns + settings->duration_ns : UINT64_MAX;
    load->to_begin = settings->requests > 0 ? settings->requests : UINT64_MAX;
    load->tick_ns = settings->timeout_ns / 8 < TICK_MS * NS_PER_MS ? settings->timeout_ns / 8 + 1 : TICK_MS * NS_PER_MS;
    load->next_tick_ns = load->start_ns + load->tick_ns;
    load->shown = (struct report_progress){.started_ns = load->start_ns, .shown_ns = load->start_ns};
}

/* The first signal lets datagrams in flight be answered, the second ends at once. */
static void take_signal(struct udp_load *load)
{
    struct signalfd_siginfo info;
    if (read(load->signal_fd, &info, sizeof(info)) != sizeof(info))
        return;
    if (++load->signals > 1) {
        fputs("penstock-bench: ended by a second signal\n", stderr);
        exit(1);
    }
    if (load->now_ns < load->end_ns)
        load->end_ns = load->now_ns;
}

/* Datagrams that were sent too long ago are lost. In a closed loop others are sent instead. */
static void expire_flow(struct udp_load *load, struct udp_flow *flow)
{
    uint32_t lost = udp_window_expire(&flow->window, load->now_ns - load->settings->timeout_ns);
    if (lost == 0)
        return;
    load->result->lost += lost;
    load->in_flight -= lost;
    load->last_ns = load->now_ns;
    udp_receive_settle(load, flow);
    if (load->settings->rate == 0)
        udp_pace_fill(load, flow);
}

static void show_progress(struct udp_load *load)
{
    const struct udp_result *result = load->result;
    struct load_shared sum = {.requests = result->requests + result->warmup_requests,
                              .errors = result->lost + result->unsent,
                              .bytes = result->received_bytes,
                              .open = load->flow_count,
                              .latency_sum_ns = result->latency.sum_ns};
    report_progress(&load->shown, &sum, load->now_ns);
}

static void run_tick(struct udp_load *load)
{
    load->now_ns = clock_now_ns();
    if (load->now_ns < load->next_tick_ns)
        return;
    load->next_tick_ns = load->now_ns + load->tick_ns;
    for (uint64_t i = 0; i < load->flow_count && load->in_flight > 0; i++)
        expire_flow(load, &load->flows[i]);
    if (load->settings->progress && load->now_ns - load->shown.shown_ns >= PROGRESS_MS * NS_PER_MS)
        show_progress(load);
}

static bool is_finished(const struct udp_load *load)
{
    if (udp_pace_may_begin(load))
        return false;
    return load->result->fatal_errno != 0 || (load->in_flight == 0 && load->now_ns - load->last_ns >= LINGER_MS * NS_PER_MS);
}

static int wait_events(struct udp_load *load, struct epoll_event *events)
{
    uint64_t until_ns = load->next_tick_ns, next_ns = udp_pace_next_ns(load);
    if (!list_empty(&load->blocked))
        next_ns = load->now_ns + BLOCKED_MS * NS_PER_MS;
    if (next_ns < until_ns)
        until_ns = next_ns;
    uint64_t wait_ns = until_ns > load->now_ns ? until_ns - load->now_ns : 0;
    struct timespec wait = {.tv_sec = (time_t)(wait_ns / NS_PER_S), .tv_nsec = (long)(wait_ns % NS_PER_S)};
    return epoll_pwait2(load->epoll_fd, events, EVENTS_MAX, &wait, NULL);
}

static void dispatch_events(struct udp_load *load, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        struct udp_flow *flow = events[i].data.ptr;
        if (!flow) {
            take_signal(load);
            continue;
        }
        udp_receive(load, flow);
        if (load->settings->rate == 0)
            udp_pace_fill(load, flow);
    }
}

static int prepare_load(struct udp_load *load)
{
    const struct udp_settings *settings = load->settings;
    list_init(&load->blocked);
    load->flows = calloc(settings->flows, sizeof(*load->flows));
    if (!load->flows)
        return -ENOMEM;
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (load->epoll_fd < 0 || epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, load->signal_fd, &event) < 0)
        return -errno;
    int result = udp_batch_init(&load->batch, settings->offload ? 65536 : settings->size_max + 1); /* the byte more shows a datagram that is too long */
    return result < 0 ? result : open_flows(load);
}

int udp_load_loop(struct udp_load *load)
{
    struct epoll_event events[EVENTS_MAX];
    int result = prepare_load(load);
    if (result == 0) {
        start_clock(load);
        for (;;) {
            udp_pace_dispatch(load);
            if (is_finished(load))
                break;
            int count = wait_events(load, events);
            load->now_ns = clock_now_ns();
            dispatch_events(load, events, count);
            run_tick(load);
        }
        for (uint64_t i = 0; i < load->flow_count; i++)
            if (load->flows[i].name > 0)
                load->result->names[load->flows[i].name - 1].flows++;
        report_progress_end(&load->shown);
    }
    close_flows(load);
    udp_batch_deinit(&load->batch);
    return result;
}
