/* worker/udp_relay.c: moves datagrams between clients and backends, in batches. Worker thread; owns nothing.
 *
 * A datagram costs the kernel some microseconds on its way through the network stack, and several times as much as a system call. Datagrams of one flow that
 * are sent together are therefore joined into a train, which the kernel moves in one piece and takes apart at the end (UDP_SEGMENT).
 *   Input: the datagrams that arrived for one flow in one batch.
 *   Output: messages to send. Each is a datagram or a train.
 *
 *     A datagram of n bytes joins the message before it if that has datagrams of s bytes, none of them shorter, n <= s, s <= 1,452, and there is room for it:
 *     at most 64 datagrams and 65,507 bytes.
 *
 *   Example: datagrams of 100, 100, 100, 40 and 100 bytes make two messages: a train of 340 bytes, whose last datagram is shorter, and a datagram.
 *   Constants: 1,452 bytes with UDP and IPv6 headers fit into a frame of Ethernet. The kernel does not take trains of datagrams that the path cannot carry, and
 *   they would have to be sent again one by one. 64 is the limit of older kernels.
 *   Saves: row udp-64, where a request with its reply costs 1.23 times the CPU time without it (bench/README). */
#include "worker/udp_relay.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/proxy_header.h"
#include "config/settings.h"
#include "log/log.h"
#include "table/backend.h"
#include "table/counters.h"
#include "table/listener.h"
#include "table/pool.h"
#include "worker/context.h"
#include "worker/udp.h"
#include "worker/udp_flow.h"

enum {
    JOINED_MAX_BYTES = 1452,
    REPLY_BATCH = 16,  /* replies received from one flow at once */
    ERRORS_MAX = 4,    /* errors read from one flow's socket in a row */
};

/* ---- joining ---- */

/* Whether `bytes` more, a datagram or a train of datagrams of `segment_bytes`, may join the message. */
static bool can_join(const struct io_outgoing *message, uint32_t bytes, uint16_t segment_bytes)
{
    uint32_t unit = message->segment_bytes ? message->segment_bytes : message->bytes, joining = segment_bytes ? segment_bytes : bytes;

    if (bytes == 0 || unit == 0 || unit > JOINED_MAX_BYTES || message->bytes % unit != 0) /* the last datagram of the message is shorter than the others */
        return false;
    if (segment_bytes ? joining != unit : joining > unit)
        return false;
    return message->bytes + bytes <= IO_DATAGRAM_SEND_BYTES && message->bytes / unit + udp_relay_units(bytes, segment_bytes) <= IO_TRAIN_MAX;
}

static void join_message(struct io_outgoing *message, uint32_t bytes)
{
    if (!message->segment_bytes)
        message->segment_bytes = (uint16_t)message->bytes;
    message->bytes += bytes;
}

/* ---- from clients to backends ---- */

void udp_relay_add(struct flow *flow, const struct udp_item *item)
{
    struct udp *udp = flow->worker->udp;
    uint16_t place;

    assert(flow->state != FLOW_CLOSING);
    if (udp->item_count == UDP_ITEMS_MAX) {
        udp_relay_send_requests(udp);
        if (flow->state == FLOW_CLOSING) { /* the backend has refused the others, and they went to another one */
            udp_drop(flow->worker, flow->entry.key.socket->listener, UDP_DROP_NOT_SENT, udp_relay_units(item->bytes, item->segment_bytes), ECONNREFUSED);
            return;
        }
    }
    place = (uint16_t)udp->item_count++;
    udp->items[place] = *item;
    udp->items[place].next = UDP_ITEMS_MAX;
    if (list_empty(&flow->touched)) {
        list_append(&udp->touched, &flow->touched);
        flow->first_item = place;
    } else {
        udp->items[flow->last_item].next = place;
    }
    flow->last_item = place;
    flow->datagrams[0] += udp_relay_units(item->bytes, item->segment_bytes);
}

/* Writes the PROXY header of the flow. Returns its length. */
static uint32_t write_header(const struct flow *flow, uint8_t *out)
{
    const struct udp_listener *socket = flow->entry.key.socket;
    struct addr source, destination = socket->addr;
    union io_endpoint client;

    udp_flow_client(flow, &client);
    source = udp_flow_addr(&client);
    if (socket->wildcard && client.sa.sa_family == AF_INET)
        memcpy(&destination.in.sin_addr, flow->entry.key.local, sizeof(destination.in.sin_addr));
    else if (socket->wildcard)
        memcpy(&destination.in6.sin6_addr, flow->entry.key.local, sizeof(destination.in6.sin6_addr));
    return (uint32_t)proxy_header_write(out, PROXY_DGRAM, &source, &destination);
}

/* The messages of one flow that are being built. */
struct build {
    struct udp *udp;
    unsigned count, part_count;
    const uint8_t *header;
    uint32_t header_bytes;  /* 0: no header */
    bool each;              /* before each datagram; otherwise only before the first */
};

/* Adds the parts of an item: the header, if there is one, and the payload. */
static void add_item(struct build *build, uint16_t place)
{
    struct udp *udp = build->udp;
    struct udp_item *item = &udp->items[place];
    struct io_outgoing *last = build->count > 0 ? &udp->messages[build->count - 1] : NULL;
    struct iovec *parts = &udp->parts[build->part_count];
    uint32_t bytes = build->header_bytes + item->bytes, part_count = build->header_bytes ? 2 : 1;

    if (part_count == 2)
        parts[0] = (struct iovec){.iov_base = (void *)(uintptr_t)build->header, .iov_len = build->header_bytes};
    parts[part_count - 1] = (struct iovec){.iov_base = (void *)(uintptr_t)item->data, .iov_len = item->bytes};
    if (last && can_join(last, bytes, item->segment_bytes)) {
        join_message(last, bytes);
        last->part_count += part_count;
    } else {
        udp->messages[build->count] = (struct io_outgoing){.parts = parts, .part_count = part_count, .bytes = bytes, .segment_bytes = item->segment_bytes};
        udp->first_items[build->count++] = place;
    }
    build->part_count += part_count;
    if (!build->each)
        build->header_bytes = 0;
}

/* Number of datagrams in a message. */
static uint32_t units_of(const struct io_outgoing *message)
{
    return udp_relay_units(message->bytes, message->segment_bytes);
}

/* Notes that the backend does not take the flow's datagrams. */
static void note_refusal(struct flow *flow, int error)
{
    struct worker *worker = flow->worker;
    char addr[ADDR_TEXT_BYTES];

    flow->refused = true;
    backend_note_refusal(flow->lease.backend, worker->io->now_ns);
    if (worker_may_complain(worker, COMPLAINT_UDP_REFUSED))
        log_warn("pool %s: backend %s (%s) does not take datagrams: %s (ICMP); its flows go to another backend; reported at most once a second",
                 flow->lease.pool->name, flow->lease.backend->name, addr_format(&flow->lease.backend->addr, addr, sizeof(addr)), strerrorname_np(error));
}

/* Gives the items from `first` on, with `count` datagrams, to another flow: the kernel has not sent them, but reported an ICMP error for earlier datagrams. */
static void move_items(struct flow *flow, uint16_t first, uint32_t count)
{
    struct udp *udp = flow->worker->udp;
    const struct udp_item *item = &udp->items[first];
    uint32_t bytes = item->segment_bytes && item->segment_bytes < item->bytes ? item->segment_bytes : item->bytes;
    uint16_t last = flow->last_item;
    struct flow *next = udp_flow_move(flow, item->data, bytes, count);

    if (!next)
        return;
    if (list_empty(&next->touched)) {
        list_append(&udp->touched, &next->touched);
        next->first_item = first;
    } else {
        udp->items[next->last_item].next = first;
    }
    next->last_item = last;
    next->datagrams[0] += count;
    next->moved = true;
}

/* Counts what was sent. Returns the first message that was not sent because the backend is gone, or `count`. */
static unsigned settle_messages(struct flow *flow, unsigned count)
{
    struct udp *udp = flow->worker->udp;
    struct counters *counters = flow->worker->counters;

    for (unsigned i = 0; i < count; i++) {
        const struct io_outgoing *message = &udp->messages[i];

        if (io_peer_is_gone(message->error)) {
            note_refusal(flow, message->error);
            if (!flow->moved)
                return i;
        }
        if (message->error) {
            udp_drop(flow->worker, flow->lease.listener, udp_drop_of_error(message->error), units_of(message), message->error);
            continue;
        }
        flow->bytes[0] += message->bytes;
        counters_add(&counters->datagrams[0], units_of(message));
        counters_add(&counters->bytes[0], message->bytes);
    }
    return count;
}

/* Builds the messages of a flow's items. Returns their number. Datagrams that have no room for the PROXY header are removed from the items and
 * counted. */
static unsigned build_messages(struct flow *flow, uint8_t *header)
{
    struct udp *udp = flow->worker->udp;
    enum config_proxy_protocol proxy = udp_flow_is_shared(flow) ? CONFIG_PROXY_OFF : pool_settings(flow->lease.pool)->proxy_protocol;
    struct build build = {.udp = udp, .header = header, .each = proxy == CONFIG_PROXY_V2};
    uint16_t *link = &flow->first_item;

    if (proxy == CONFIG_PROXY_V2 || (proxy == CONFIG_PROXY_V2_FIRST && !flow->introduced))
        build.header_bytes = write_header(flow, header);
    while (*link != UDP_ITEMS_MAX) {
        uint16_t place = *link;
        struct udp_item *item = &udp->items[place];

        if (build.header_bytes + item->bytes > IO_DATAGRAM_SEND_BYTES && build.header_bytes > 0) {
            udp_drop(flow->worker, flow->lease.listener, UDP_DROP_TOO_LARGE, 1, 0);
            *link = item->next;
        } else {
            add_item(&build, place);
            flow->last_item = place;
            link = &item->next;
        }
    }
    return build.count;
}

/* Sends the items of a flow, which is in the list `touched`. */
static void send_flow(struct flow *flow)
{
    struct udp *udp = flow->worker->udp;
    uint8_t header[PROXY_HEADER_BYTES_MAX];
    unsigned count = build_messages(flow, header), settled;
    uint32_t left = 0;

    list_remove(&flow->touched);
    if (count == 0)
        return;
    io_send_datagrams(flow->worker->io, &flow->sock, udp->messages, count);
    flow->active_ms = worker_now_ms(flow->worker);
    settled = settle_messages(flow, count);
    flow->introduced |= settled > 0;
    flow->moved = false;
    for (unsigned i = settled; i < count; i++)
        left += units_of(&udp->messages[i]);
    if (settled < count)
        move_items(flow, udp->first_items[settled], left);
}

void udp_relay_send_requests(struct udp *udp)
{
    while (!list_empty(&udp->touched))
        send_flow(container_of(udp->touched.next, struct flow, touched));
    udp->item_count = 0;
}

/* ---- from backends to clients ---- */

void udp_relay_send_replies(struct udp *udp)
{
    struct udp_outbox *outbox = &udp->outbox;
    struct worker *worker = udp->worker;

    if (!outbox->socket)
        return;
    io_send_datagrams(worker->io, &outbox->socket->sock, outbox->messages, outbox->count);
    for (unsigned i = 0; i < outbox->count; i++) {
        const struct io_outgoing *message = &outbox->messages[i];

        if (message->error) {
            udp_drop(worker, outbox->socket->listener, udp_drop_of_error(message->error), units_of(message), message->error);
            continue;
        }
        counters_add(&worker->counters->datagrams[1], units_of(message));
        counters_add(&worker->counters->bytes[1], message->bytes);
    }
    outbox->socket = NULL;
    outbox->used = outbox->count = 0;
    outbox->last = NULL;
}

/* Writes the address that the flow's client has sent to. */
static void write_local(const struct flow *flow, struct io_local *local)
{
    const struct flow_key *key = &flow->entry.key;

    *local = (struct io_local){.family = key->family, .interface = key->local_interface};
    memcpy(&local->in6, key->local, key->family == AF_INET ? sizeof(local->in) : sizeof(local->in6));
}

/* Adds a reply, which is at place outbox->used of the batch. */
static void add_reply(struct flow *flow, const struct io_datagram *datagram)
{
    struct udp_outbox *outbox = &flow->worker->udp->outbox;
    struct io_outgoing *last = outbox->count > 0 ? &outbox->messages[outbox->count - 1] : NULL;
    struct iovec *part = &outbox->parts[outbox->used++];

    *part = (struct iovec){.iov_base = (void *)(uintptr_t)datagram->data, .iov_len = datagram->bytes};
    if (last && outbox->last == flow && can_join(last, datagram->bytes, datagram->segment_bytes)) {
        join_message(last, datagram->bytes);
        last->part_count++;
        return;
    }
    udp_flow_client(flow, &outbox->peers[outbox->count]);
    write_local(flow, &outbox->locals[outbox->count]);
    outbox->messages[outbox->count] = (struct io_outgoing){
        .peer = &outbox->peers[outbox->count],
        .local = outbox->socket->wildcard ? &outbox->locals[outbox->count] : NULL,
        .parts = part,
        .part_count = 1,
        .bytes = datagram->bytes,
        .segment_bytes = datagram->segment_bytes,
    };
    outbox->count++;
    outbox->last = flow;
}

/* Makes room in the outbox for replies of the flow. */
static void prepare_outbox(struct flow *flow)
{
    struct udp *udp = flow->worker->udp;
    struct udp_outbox *outbox = &udp->outbox;
    struct udp_listener *socket = (struct udp_listener *)(uintptr_t)flow->entry.key.socket;

    if (outbox->socket != socket || outbox->used + REPLY_BATCH > IO_DATAGRAMS_MAX)
        udp_relay_send_replies(udp);
    outbox->socket = socket;
}

/* Counts replies of the flow. `received` of them are in the batch, from place outbox->used on. */
static void take_replies(struct flow *flow, int received)
{
    struct udp *udp = flow->worker->udp;
    unsigned first = udp->outbox.used;

    flow->active_ms = worker_now_ms(flow->worker);
    backend_note_reply(flow->lease.backend);
    backend_note_bytes(flow->lease.backend, flow->worker->io->now_ns);
    for (unsigned i = first; i < first + (unsigned)received; i++) {
        const struct io_datagram *datagram = io_batch_at(udp->replies, i);
        uint32_t units = udp_relay_units(datagram->bytes, datagram->segment_bytes);

        flow->datagrams[1] += units;
        flow->bytes[1] += datagram->bytes;
        if (udp_flow_is_shared(flow))
            udp_drop(flow->worker, flow->lease.listener, UDP_DROP_UNWANTED, units, 0);
        else
            add_reply(flow, datagram);
    }
}

static bool is_answered(const struct flow *flow)
{
    uint32_t responses = pool_settings(flow->lease.pool)->udp_responses;

    return responses != UINT32_MAX && responses > 0 && flow->datagrams[1] >= responses * flow->datagrams[0];
}

/* Receives a batch of replies. Returns whether more may be waiting. */
static bool receive_replies(struct flow *flow)
{
    struct udp *udp = flow->worker->udp;

    prepare_outbox(flow);
    for (int errors = 0; errors < ERRORS_MAX; errors++) {
        int received = io_receive_datagrams(flow->worker->io, &flow->sock, udp->replies, udp->outbox.used, REPLY_BATCH);

        if (received > 0) {
            take_replies(flow, received);
            return received == REPLY_BATCH;
        }
        if (received == -EAGAIN)
            return false;
        if (io_peer_is_gone(-received))
            note_refusal(flow, -received);
    }
    return true;
}

static void on_readable(struct io_sock *sock)
{
    struct flow *flow = container_of(sock, struct flow, sock);

    flow->worker->udp->outbox.last = NULL; /* another flow may have had this address */
    if (receive_replies(flow))
        (void)receive_replies(flow);
    if (is_answered(flow))
        udp_flow_end(flow, FLOW_ANSWERED);
    else
        io_poll(flow->worker->io, &flow->sock, IO_IN);
}

static void on_closed(struct io_sock *sock)
{
    udp_flow_closed(container_of(sock, struct flow, sock));
}

const struct io_events udp_relay_events = {.readable = on_readable, .closed = on_closed};
