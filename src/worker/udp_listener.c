/* worker/udp_listener.c: a worker's UDP sockets: receives datagrams from clients and distributes them to flows. Worker thread; owns its sockets. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "config/settings.h"
#include "log/log.h"
#include "table/limit.h"
#include "table/listener.h"
#include "table/pool.h"
#include "worker/context.h"
#include "worker/udp.h"
#include "worker/udp_flow.h"
#include "worker/udp_relay.h"

enum {
    ROUNDS_MAX = 4,       /* batches in a row from one socket; then the others have their turn */
    CLOSING_MAX = 1024,   /* flows that have given back their places while their sockets are being closed; worker_io_options() allows for as many sockets */
    DRAIN_CHECK_MS = 20,  /* while draining: interval at which a worker checks whether any worker has a flow */
};

/* ---- distributing ---- */

/* Whether a reply to this source is possible. The kernel drops most others, but not all of them. */
static bool is_answerable(const union io_endpoint *peer)
{
    if (peer->sa.sa_family == AF_INET)
        return peer->in.sin_port != 0 && peer->in.sin_addr.s_addr != INADDR_ANY && peer->in.sin_addr.s_addr != INADDR_BROADCAST &&
               !IN_MULTICAST(ntohl(peer->in.sin_addr.s_addr));
    return peer->in6.sin6_port != 0 && !IN6_IS_ADDR_UNSPECIFIED(&peer->in6.sin6_addr) && !IN6_IS_ADDR_MULTICAST(&peer->in6.sin6_addr);
}

/* Sets the part of a key that says where the datagram has arrived. */
static void set_arrival(struct flow_key *key, const struct udp_listener *socket, const struct io_datagram *datagram)
{
    *key = (struct flow_key){.socket = socket, .family = datagram->peer->sa.sa_family};
    if (!socket->wildcard)
        return;
    if (datagram->local.family == AF_INET)
        memcpy(key->local, &datagram->local.in, sizeof(datagram->local.in));
    else if (datagram->local.family == AF_INET6)
        memcpy(key->local, &datagram->local.in6, sizeof(datagram->local.in6));
    key->local_interface = datagram->local.interface;
}

static void set_client(struct flow_key *key, const union io_endpoint *peer)
{
    if (peer->sa.sa_family == AF_INET) {
        memcpy(key->client, &peer->in.sin_addr, sizeof(peer->in.sin_addr));
        key->client_port = peer->in.sin_port;
        return;
    }
    memcpy(key->client, &peer->in6.sin6_addr, sizeof(peer->in6.sin6_addr));
    key->client_port = peer->in6.sin6_port;
    key->client_scope = peer->in6.sin6_scope_id;
}

/* Adds one datagram to the flow to the backend that is selected for it. */
static void distribute_balanced(const struct flow_request *request)
{
    struct flow *flow = udp_flow_find_balanced(request);

    if (flow)
        udp_relay_add(flow, &(struct udp_item){.data = request->data, .bytes = request->bytes});
}

/* Adds one datagram to the client's flow, which ends after `requests_max` of them (0: no limit). */
static void distribute_one(const struct flow_request *request, uint32_t requests_max)
{
    struct flow *flow = udp_flow_find(request, 1);

    if (flow && requests_max && flow->datagrams[0] >= requests_max) {
        udp_flow_unbind(flow);
        flow = udp_flow_find(request, 1);
    }
    if (flow)
        udp_relay_add(flow, &(struct udp_item){.data = request->data, .bytes = request->bytes});
}

/* Calls a function for each datagram of a train. */
static void distribute_each(struct flow_request *request, const struct io_datagram *datagram, bool balanced, uint32_t requests_max)
{
    uint32_t unit = datagram->segment_bytes ? datagram->segment_bytes : datagram->bytes, left = datagram->bytes;

    do {
        request->bytes = left < unit ? left : unit;
        if (balanced)
            distribute_balanced(request);
        else
            distribute_one(request, requests_max);
        request->data += request->bytes;
        left -= request->bytes;
    } while (left > 0);
}

static void distribute_datagram(struct udp_listener *socket, const struct io_datagram *datagram)
{
    const struct pool_settings *settings = pool_settings(listener_pool(socket->listener));
    uint32_t count = udp_relay_units(datagram->bytes, datagram->segment_bytes);
    struct flow_key key;
    struct flow_request request = {.socket = socket, .key = &key, .peer = datagram->peer, .data = datagram->data, .bytes = datagram->bytes};
    struct flow *flow;

    if (datagram->to_group && socket->worker->index > 0) /* each worker has got a copy; one of them relays it */
        return;
    if (!is_answerable(datagram->peer) || datagram->cut) {
        udp_drop(socket->worker, socket->listener, datagram->cut ? UDP_DROP_TOO_LARGE : UDP_DROP_UNANSWERABLE, count, 0);
        return;
    }
    set_arrival(&key, socket, datagram);
    if (settings->udp_responses == 0) { /* all clients share one flow to each backend */
        request.peer = NULL;
        distribute_each(&request, datagram, true, 0);
        return;
    }
    set_client(&key, datagram->peer);
    if (settings->udp_per_packet || settings->udp_requests || settings->proxy_protocol != CONFIG_PROXY_OFF) {
        distribute_each(&request, datagram, settings->udp_per_packet, settings->udp_requests);
        return;
    }
    flow = udp_flow_find(&request, count);
    if (flow && pool_settings(flow->lease.pool)->proxy_protocol != CONFIG_PROXY_OFF) /* it began before the listener got another pool */
        distribute_each(&request, datagram, false, 0);
    else if (flow)
        udp_relay_add(flow, &(struct udp_item){.data = datagram->data, .bytes = datagram->bytes, .segment_bytes = datagram->segment_bytes});
}

static void on_readable(struct io_sock *sock)
{
    struct udp_listener *socket = container_of(sock, struct udp_listener, sock);
    struct udp *udp = socket->worker->udp;
    int received = IO_DATAGRAMS_MAX;

    for (int round = 0; round < ROUNDS_MAX && received == IO_DATAGRAMS_MAX; round++) {
        received = io_receive_datagrams(socket->worker->io, sock, udp->requests, 0, IO_DATAGRAMS_MAX);
        for (int i = 0; i < received; i++)
            distribute_datagram(socket, io_batch_at(udp->requests, (unsigned)i));
        udp_relay_send_requests(udp);
    }
    if (socket->open)
        io_poll(socket->worker->io, sock, IO_IN);
}

static void on_closed(struct io_sock *sock)
{
    struct udp_listener *socket = container_of(sock, struct udp_listener, sock);

    assert(socket->worker->udp->listeners_open > 0);
    socket->worker->udp->listeners_open--;
    listener_drop(socket->listener);
}

static const struct io_events listener_events = {.readable = on_readable, .closed = on_closed};

/* ---- start ---- */

/* Makes what all sockets of the worker share. */
static int make_udp(struct worker *worker, size_t sockets)
{
    struct udp *udp = calloc(1, sizeof(*udp));

    worker->udp = udp;
    if (!udp)
        return -ENOMEM;
    udp->worker = worker;
    slab_init(&udp->flows_slab, sizeof(struct flow), limit_max(worker->shared->flows) + CLOSING_MAX);
    list_init(&udp->flows);
    list_init(&udp->touched);
    if (getrandom(udp->secret, sizeof(udp->secret), 0) != sizeof(udp->secret))
        return -EIO;
    udp->listeners = calloc(sockets, sizeof(*udp->listeners));
    udp->requests = io_batch_new();
    udp->replies = io_batch_new();
    if (!udp->listeners || !udp->requests || !udp->replies || flow_table_init(&udp->table, limit_max(worker->shared->flows), udp->secret) < 0)
        return -ENOMEM;
    return 0;
}

static int open_listener(struct worker *worker, const struct worker_socket *from)
{
    struct udp_listener *socket = &worker->udp->listeners[worker->udp->listener_count++];
    int result;

    *socket = (struct udp_listener){.worker = worker, .listener = from->listener, .addr = from->addr, .wildcard = addr_is_wildcard(&from->addr)};
    result = io_open(worker->io, &socket->sock, from->fd, &listener_events);
    if (result < 0)
        return result;
    socket->open = true;
    worker->udp->listeners_open++;
    listener_hold(socket->listener);
    return 0;
}

void udp_accept_all(struct worker *worker)
{
    for (size_t i = 0; worker->udp && i < worker->udp->listener_count; i++)
        io_poll(worker->io, &worker->udp->listeners[i].sock, IO_IN);
}

/* ---- the end ---- */

static void close_listeners(struct udp *udp)
{
    timer_cancel(&udp->worker->timers, &udp->drain_timer);
    udp_relay_send_replies(udp); /* those of flows that have ended in this turn */
    for (size_t i = 0; i < udp->listener_count; i++) {
        struct udp_listener *socket = &udp->listeners[i];

        if (!socket->open)
            continue;
        socket->open = false;
        io_close(udp->worker->io, &socket->sock, false);
    }
}

/* Closes the sockets when no worker has a flow. If one worker closed its socket earlier, the kernel would distribute all clients over the remaining sockets,
 * and many would reach a worker that does not have their flow. */
static void on_drain_timer(struct timer *timer)
{
    struct udp *udp = container_of(timer, struct udp, drain_timer);

    if (limit_used(udp->worker->shared->flows) == 0)
        close_listeners(udp);
    else
        timer_arm(&udp->worker->timers, timer, worker_now_ms(udp->worker) + DRAIN_CHECK_MS);
}

int udp_open_all(struct worker *worker)
{
    size_t sockets = 0;
    int result = 0;

    for (size_t i = 0; i < worker->socket_count; i++)
        sockets += worker->sockets[i].is_udp;
    if (sockets == 0)
        return 0;
    result = make_udp(worker, sockets);
    if (worker->udp)
        timer_init(&worker->udp->drain_timer, on_drain_timer);
    for (size_t i = 0; i < worker->socket_count; i++) {
        if (!worker->sockets[i].is_udp)
            continue;
        if (result == 0)
            result = open_listener(worker, &worker->sockets[i]);
        else
            (void)close(worker->sockets[i].fd); /* all descriptors are ours, also those that are not reached */
    }
    return result;
}

void udp_free(struct worker *worker)
{
    struct udp *udp = worker->udp;

    if (!udp)
        return;
    assert(udp->table.count == 0 && udp->listeners_open == 0);
    io_batch_free(udp->requests);
    io_batch_free(udp->replies);
    flow_table_deinit(&udp->table);
    slab_deinit(&udp->flows_slab);
    free(udp->listeners);
    free(udp);
    worker->udp = NULL;
}

void udp_drain_all(struct worker *worker)
{
    if (worker->udp) /* not at once: a worker that does not know of the drain yet may still open a flow */
        timer_arm(&worker->timers, &worker->udp->drain_timer, worker_now_ms(worker) + DRAIN_CHECK_MS);
}

void udp_end_all(struct worker *worker)
{
    struct udp *udp = worker->udp;

    if (!udp)
        return;
    for (struct list *link = udp->flows.next, *next; link != &udp->flows; link = next) {
        next = link->next; /* the flow is freed later, in an event of the engine */
        udp_flow_end(container_of(link, struct flow, link), FLOW_STOPPED);
    }
    close_listeners(udp);
}

bool udp_drained(const struct worker *worker)
{
    return !worker->udp || (worker->udp->listeners_open == 0 && worker->udp->flows_slab.used == 0);
}
