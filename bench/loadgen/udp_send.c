/* udp_send.c: builds and sends the datagrams of a flow, several with one call. Main thread. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "udp_load.h"

bool udp_send_error(struct udp_load *load, int error_number)
{
    struct udp_result *result = load->result;
    switch (error_number) {
    case EAGAIN:
    case EINTR:
    case ENOBUFS: /* the queue of the device is full */
        return true;
    case ECONNREFUSED:
        result->refused++;
        return true;
    default:
        result->others++;
        if (result->other_errno == 0)
            result->other_errno = error_number;
        /* Routes and packet filters (EPERM) can change during the run. */
        return error_number == EHOSTUNREACH || error_number == ENETUNREACH || error_number == EPERM;
    }
}

/* Sets header `i` and its two parts to datagram `number` of the flow. Returns the size of the datagram. */
static size_t build_datagram(struct udp_load *load, const struct udp_flow *flow, uint32_t i, uint32_t number)
{
    const struct udp_settings *settings = load->settings;
    struct udp_header *header = &load->headers[i];
    struct iovec *parts = &load->parts[2 * i];
    size_t size = udp_protocol_size(settings->size_min, settings->size_max, settings->seed, flow->index, number), span;
    *header = (struct udp_header){.magic = UDP_REQUEST_MAGIC, .run = load->run, .flow = flow->index, .number = number};
    parts[0] = (struct iovec){.iov_base = header, .iov_len = size < sizeof(*header) ? size : sizeof(*header)};
    parts[1].iov_base = (void *)(uintptr_t)protocol_span(udp_protocol_key(header), 0, &span); /* is as long as any datagram */
    parts[1].iov_len = size - parts[0].iov_len;
    return size;
}

static void record_sent(struct udp_load *load, struct udp_flow *flow, size_t bytes, uint64_t intended_ns)
{
    udp_window_send(&flow->window, load->now_ns, intended_ns);
    load->in_flight++;
    load->result->sent++;
    load->result->sent_bytes += bytes;
}

/* Sends all datagrams as one message. */
static uint32_t send_train(struct udp_load *load, struct udp_flow *flow, uint32_t count, uint64_t intended_ns)
{
    size_t size = load->settings->size_min;
    for (uint32_t i = 0; i < count; i++)
        build_datagram(load, flow, i, flow->window.next + i);
    struct msghdr message = {.msg_iov = load->parts, .msg_iovlen = 2 * count};
    if (count > 1)
        udp_socket_set_segment(&message, load->control, size);
    load->now_ns = clock_now_ns();
    if (sendmsg(flow->fd, &message, MSG_NOSIGNAL) < 0)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        record_sent(load, flow, size, intended_ns);
    return count;
}

static uint32_t send_batch(struct udp_load *load, struct udp_flow *flow, uint32_t count, uint64_t intended_ns)
{
    for (uint32_t i = 0; i < count; i++) {
        build_datagram(load, flow, i, flow->window.next + i);
        load->messages[i].msg_hdr = (struct msghdr){.msg_iov = &load->parts[2 * i], .msg_iovlen = 2};
    }
    load->now_ns = clock_now_ns();
    int sent = sendmmsg(flow->fd, load->messages, count, MSG_NOSIGNAL);
    for (int i = 0; i < sent; i++)
        record_sent(load, flow, load->messages[i].msg_len, intended_ns);
    return sent > 0 ? (uint32_t)sent : 0;
}

/* The longest train that one message can hold. */
static uint32_t train_limit(const struct udp_settings *settings)
{
    uint64_t fitting = UDP_DATAGRAM_MAX / settings->size_max;
    return fitting < UDP_TRAIN_MAX ? (uint32_t)fitting : UDP_TRAIN_MAX;
}

uint32_t udp_send(struct udp_load *load, struct udp_flow *flow, uint32_t count, uint64_t intended_ns)
{
    bool offload = load->settings->offload;
    uint32_t limit = offload ? train_limit(load->settings) : UDP_BATCH_MAX, total = 0;
    unsigned errors = 0;
    while (total < count) {
        uint32_t part = count - total < limit ? count - total : limit;
        uint32_t sent = offload ? send_train(load, flow, part, intended_ns) : send_batch(load, flow, part, intended_ns);
        total += sent;
        if (sent > 0)
            continue;
        int error = errno;
        if (!udp_send_error(load, error))
            load->result->fatal_errno = error;
        /* The first failure may be an ICMP error about an earlier datagram. Reporting it has cleared it, so a second try can succeed. */
        if (load->result->fatal_errno != 0 || error == EAGAIN || error == ENOBUFS || ++errors > 1)
            break;
    }
    return total;
}
