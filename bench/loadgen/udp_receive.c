/* udp_receive.c: receives the answers of a flow, checks every byte and counts them. Main thread. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "udp_load.h"

void udp_receive_settle(struct udp_load *load, struct udp_flow *flow)
{
    load->settled += !flow->settled;
    flow->settled = true;
}

static void describe_wrong(struct udp_load *load, const struct udp_flow *flow, const struct udp_header *header, const char *what, size_t at, size_t length)
{
    struct udp_result *result = load->result;
    if (result->first_wrong[0] == '\0')
        snprintf(result->first_wrong, sizeof(result->first_wrong), "flow %" PRIu32 ", datagram %" PRIu32 ": %s (byte %zu of %zu)", flow->index,
                 header->number, what, at, length);
}

/* Whether the size, the name and the pattern of an answer to datagram header->number of this flow are right. */
static bool contents_are_right(struct udp_load *load, const struct udp_flow *flow, const struct udp_header *header, const uint8_t *data, size_t length)
{
    const struct udp_settings *settings = load->settings;
    size_t expected = udp_protocol_size(settings->size_min, settings->size_max, settings->seed, flow->index, header->number);
    if (length != expected) {
        describe_wrong(load, flow, header, "its size is wrong", length, expected);
        return false;
    }
    if (!udp_protocol_name_is_right(header)) {
        describe_wrong(load, flow, header, "the server's name is damaged", UDP_DATAGRAM_MIN, length);
        return false;
    }
    size_t head = length < sizeof(*header) ? length : sizeof(*header);
    size_t right = head + protocol_verify(udp_protocol_key(header), 0, data + head, length - head);
    if (right < length)
        describe_wrong(load, flow, header, "a byte is wrong", right, length);
    return right == length;
}

/* Returns the index of the name in the result's table plus one, or 0 if the table is full. */
static uint8_t find_name(struct udp_result *result, const char *name)
{
    unsigned at = 0;
    while (at < result->name_count && memcmp(result->names[at].name, name, PROTOCOL_NAME_BYTES) != 0)
        at++;
    if (at == UDP_NAMES_MAX)
        return 0;
    if (at == result->name_count)
        memcpy(result->names[result->name_count++].name, name, PROTOCOL_NAME_BYTES);
    return (uint8_t)(at + 1);
}

/* Counts the server of a named answer. An answer that was overtaken does not tell which server the flow has now. */
static void count_server(struct udp_load *load, struct udp_flow *flow, const struct udp_header *header, bool in_order, bool measured)
{
    struct udp_result *result = load->result;
    uint8_t name = flow->name;
    if (name == 0 || memcmp(result->names[name - 1].name, header->name, PROTOCOL_NAME_BYTES) != 0)
        name = find_name(result, header->name);
    if (name == 0)
        return;
    result->names[name - 1].requests += measured;
    if (!in_order)
        return;
    if (flow->name != 0 && flow->name != name) {
        result->moves++;
        result->moved_flows += !flow->moved;
        flow->moved = true;
    }
    flow->name = name;
}

static void count_answer(struct udp_load *load, struct udp_flow *flow, const struct udp_header *header, size_t length, const struct udp_slot *slot,
                         bool in_order)
{
    struct udp_result *result = load->result;
    uint64_t intended_ns = slot->sent_ns - slot->lag_ns;
    bool measured = intended_ns >= load->measure_ns;
    result->received++;
    result->reordered += !in_order;
    if (header->magic == UDP_REPLY_MAGIC)
        count_server(load, flow, header, in_order, measured);
    else if (length >= sizeof(*header))
        result->unnamed += measured;
    if (!measured) {
        result->warmup_requests++;
        return;
    }
    result->requests++;
    histogram_record(&result->latency, load->now_ns - intended_ns);
    result->elapsed_ns = load->now_ns - load->measure_ns;
}

/* An answer to a datagram of this flow, or to none. */
static void take_answer(struct udp_load *load, struct udp_flow *flow, const struct udp_header *header, const uint8_t *data, size_t length)
{
    struct udp_result *result = load->result;
    const struct udp_slot *slot;
    uint32_t in_flight = flow->window.in_flight;
    enum udp_verdict verdict = udp_window_receive(&flow->window, header->number, &slot);
    load->in_flight -= in_flight - flow->window.in_flight;
    load->last_ns = load->now_ns;
    udp_receive_settle(load, flow);
    if (verdict == UDP_UNKNOWN) {
        result->unexpected++;
        describe_wrong(load, flow, header, "was not sent yet", 0, length);
    } else if (!contents_are_right(load, flow, header, data, length)) {
        result->corrupt++;
    } else if (verdict == UDP_DUPLICATE) {
        result->duplicates++;
    } else if (verdict == UDP_LATE) {
        result->late++;
    } else {
        count_answer(load, flow, header, length, slot, verdict == UDP_IN_ORDER);
    }
}

static void take_datagram(struct udp_load *load, struct udp_flow *flow, const uint8_t *data, size_t length)
{
    struct udp_header header = {0};
    struct udp_result *result = load->result;
    result->received_bytes += length;
    memcpy(&header, data, length < sizeof(header) ? length : sizeof(header));
    if (length < UDP_DATAGRAM_MIN || (header.magic != UDP_REQUEST_MAGIC && header.magic != UDP_REPLY_MAGIC)) {
        result->corrupt++;
        describe_wrong(load, flow, &header, "is not of this protocol", 0, length);
    } else if (header.run != load->run) {
        result->unexpected++;
        describe_wrong(load, flow, &header, "belongs to another run", 0, length);
    } else if (header.flow != flow->index) {
        result->wrong_flow++;
        describe_wrong(load, flow, &header, "belongs to another flow", 0, length);
    } else {
        take_answer(load, flow, &header, data, length);
    }
}

static void take_message(struct udp_load *load, struct udp_flow *flow, int i)
{
    const uint8_t *data = load->batch.parts[i].iov_base;
    size_t length = load->batch.messages[i].msg_len, segment = udp_batch_segment(&load->batch, i), at = 0;
    do {
        size_t part = length - at < segment ? length - at : segment;
        take_datagram(load, flow, data + at, part);
        at += part;
    } while (at < length);
}

/* More answers than datagrams in flight are rare. Asking for no more saves the kernel a look at an empty queue. */
static unsigned receive_limit(const struct udp_load *load, const struct udp_flow *flow)
{
    uint32_t expected = load->settings->offload ? 1 + flow->window.in_flight / UDP_TRAIN_MAX : flow->window.in_flight;
    return expected == 0 ? 1 : expected < UDP_BATCH_MAX ? expected : UDP_BATCH_MAX;
}

void udp_receive(struct udp_load *load, struct udp_flow *flow)
{
    int count = udp_batch_receive(&load->batch, flow->fd, receive_limit(load, flow));
    load->now_ns = clock_now_ns();
    if (count < 0)
        (void)udp_send_error(load, -count); /* the next send shows whether the flow can go on */
    for (int i = 0; i < count; i++)
        take_message(load, flow, i);
}
