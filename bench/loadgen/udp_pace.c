/* udp_pace.c: which flow sends how many datagrams when: as many as its window permits (closed loop), or by the clock (open loop). Main thread. */
#include "udp_load.h"
#include "units.h"

/* STARTING_MAX limits the flows that wait for their first answer. TURN_MAX limits the datagrams, or the flows, that are sent or filled before answers are
 * received again. Without them, thousands of flows would overflow the queues of sockets when they start. */
enum { STARTING_MAX = 256, TURN_MAX = 512 };

/* Open loop: when datagram `begun` of the run is due. */
static uint64_t due_ns(const struct udp_load *load)
{
    uint64_t rate = load->settings->rate;
    return load->start_ns + load->begun / rate * NS_PER_S + load->begun % rate * NS_PER_S / rate;
}

/* Open loop: how many datagrams are due that are not sent yet. */
static uint64_t due_count(const struct udp_load *load)
{
    uint64_t rate = load->settings->rate, until_ns = load->now_ns < load->end_ns ? load->now_ns : load->end_ns - 1;
    uint64_t passed_ns = until_ns - load->start_ns, due = passed_ns / NS_PER_S * rate + passed_ns % NS_PER_S * rate / NS_PER_S + 1;
    return due > load->begun ? due - load->begun : 0;
}

bool udp_pace_may_begin(const struct udp_load *load)
{
    if (load->to_begin == 0 || load->result->fatal_errno != 0)
        return false;
    return (load->settings->rate > 0 ? due_ns(load) : load->now_ns) < load->end_ns;
}

uint64_t udp_pace_next_ns(const struct udp_load *load)
{
    if (!udp_pace_may_begin(load))
        return UINT64_MAX;
    if (load->settings->rate > 0)
        return due_ns(load);
    return load->filled > 0 && load->filled < load->flow_count ? load->now_ns : UINT64_MAX;
}

static void count_begun(struct udp_load *load, uint64_t count)
{
    load->begun += count;
    if (load->to_begin != UINT64_MAX)
        load->to_begin -= count;
}

static uint64_t smaller_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* In a closed loop, each flow first sends one datagram. The windows are filled when all flows have settled, or when the timeout has passed. */
static bool is_opening(const struct udp_load *load)
{
    return load->settled < load->flow_count && load->now_ns - load->start_ns < load->settings->timeout_ns;
}

static uint64_t window_of(const struct udp_load *load, const struct udp_flow *flow)
{
    if (is_opening(load))
        return flow->window.sent == 0 ? 1 : 0;
    return load->settings->window;
}

void udp_pace_fill(struct udp_load *load, struct udp_flow *flow)
{
    for (uint64_t window; udp_pace_may_begin(load) && flow->window.in_flight < (window = window_of(load, flow));) {
        uint64_t count = smaller_of(window - flow->window.in_flight, udp_window_room(&flow->window));
        count = smaller_of(smaller_of(count, load->to_begin), UDP_BATCH_MAX);
        if (count == 0)
            return; /* the oldest datagram in flight will be answered or lost */
        uint32_t sent = udp_send(load, flow, (uint32_t)count, UINT64_MAX);
        count_begun(load, sent);
        if (sent < count) {
            list_append(&load->blocked, &flow->link);
            return;
        }
    }
}

static void fill_more_flows(struct udp_load *load)
{
    struct list todo;
    list_take(&todo, &load->blocked);
    for (struct list *link; (link = list_pop(&todo)) != NULL;)
        udp_pace_fill(load, LIST_OWNER(link, struct udp_flow, link));
    if (is_opening(load)) {
        while (load->started < load->flow_count && load->started - load->settled < STARTING_MAX && udp_pace_may_begin(load))
            udp_pace_fill(load, &load->flows[load->started++]);
        return;
    }
    for (unsigned turn = 0; turn < TURN_MAX && load->filled < load->flow_count; turn++)
        udp_pace_fill(load, &load->flows[load->filled++]);
}

/* The flows take turns. Each sends `window` datagrams, or its share of what is due if that is more. */
static void send_due(struct udp_load *load)
{
    const struct udp_settings *settings = load->settings;
    for (uint64_t turn = 0, due; turn < TURN_MAX && udp_pace_may_begin(load) && (due = due_count(load)) > 0;) {
        uint64_t count = due / settings->flows > settings->window ? due / settings->flows : settings->window, intended_ns = due_ns(load);
        count = smaller_of(smaller_of(count, load->to_begin), UDP_BATCH_MAX);
        struct udp_flow *flow = &load->flows[load->next_flow];
        if (load->now_ns - intended_ns > settings->timeout_ns || udp_window_room(&flow->window) < count) {
            load->result->unsent += count;
            count_begun(load, count);
            continue;
        }
        uint32_t sent = udp_send(load, flow, (uint32_t)count, intended_ns);
        count_begun(load, sent);
        if (sent < count) {
            list_append(&load->blocked, &flow->link); /* so that the loop tries again soon */
            return;
        }
        turn += count;
        load->next_flow = (load->next_flow + 1) % settings->flows;
    }
}

void udp_pace_dispatch(struct udp_load *load)
{
    if (load->settings->rate == 0) {
        fill_more_flows(load);
        return;
    }
    while (list_pop(&load->blocked))
        ;
    send_due(load);
}
