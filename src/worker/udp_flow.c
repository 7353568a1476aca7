/* worker/udp_flow.c: opens, finds and ends UDP flows. Worker thread; owns the flows. */
#include "worker/udp_flow.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "log/log.h"
#include "select/quic.h"
#include "select/selector.h"
#include "table/backend.h"
#include "table/limit.h"
#include "table/listener.h"
#include "table/pool.h"
#include "table/rate.h"
#include "table/sources.h"
#include "worker/connect.h"
#include "worker/context.h"
#include "worker/pick.h"
#include "worker/tally.h"
#include "worker/udp.h"
#include "worker/udp_relay.h"

#define BURST_NS ((uint64_t)100000000) /* of flow_rate: a tenth of a second */

_Static_assert(sizeof(struct flow) <= 384, "a slab rounds up to lines of 64 bytes, and an idle flow is promised to cost at most 512 bytes");

static struct flow *find_flow(const struct udp *udp, const struct flow_key *key)
{
    struct flow_entry *entry = flow_table_find(&udp->table, key);

    return entry ? container_of(entry, struct flow, entry) : NULL;
}

/* ---- states ---- */

static const char *const state_names[] = {[FLOW_BOUND] = "BOUND", [FLOW_UNBOUND] = "UNBOUND", [FLOW_CLOSING] = "CLOSING"};

const char *udp_flow_state_name(const struct flow *flow)
{
    return state_names[flow->state];
}

static void move_flow(struct flow *flow, enum flow_state to)
{
    assert(to > flow->state);
    log_debug("flow " FLOW_NUMBER ": %s -> %s", FLOW_NUMBER_OF(flow), state_names[flow->state], state_names[to]);
    if (flow->state == FLOW_BOUND)
        flow_table_remove(&flow->worker->udp->table, &flow->entry);
    flow->state = (uint8_t)to;
}

void udp_flow_unbind(struct flow *flow)
{
    move_flow(flow, FLOW_UNBOUND);
}

static void give_places(struct flow *flow)
{
    if (flow->counts_source)
        sources_give(flow->lease.listener->sources, flow->source_hash);
    flow->counts_source = false;
    lease_give(&flow->lease, LEASE_ALL);
}

/* The places are given back at once. If they were kept until the socket is closed, a moment later, the client's next datagram could be refused at a limit for
 * the sake of a flow that has ended. */
void udp_flow_end(struct flow *flow, enum flow_end why)
{
    if (flow->state == FLOW_CLOSING)
        return;
    assert(list_empty(&flow->touched));
    move_flow(flow, FLOW_CLOSING);
    flow->end = (uint8_t)why;
    timer_cancel(&flow->worker->timers, &flow->timer);
    io_close(flow->worker->io, &flow->sock, false);
    udp_flow_log(flow, ACCESS_END);
    tally_flow_ended(flow);
    give_places(flow);
}

static const struct pool_settings *settings_of(const struct flow *flow)
{
    return pool_settings(flow->lease.pool);
}

static void on_timer(struct timer *timer)
{
    struct flow *flow = container_of(timer, struct flow, timer);
    uint64_t due_ms = flow->active_ms + settings_of(flow)->udp_idle_timeout_ms;

    if (worker_now_ms(flow->worker) >= due_ms)
        udp_flow_end(flow, FLOW_IDLE);
    else
        timer_arm(&flow->worker->timers, timer, due_ms);
}

/* ---- clients ---- */

void udp_flow_client(const struct flow *flow, union io_endpoint *client)
{
    const struct flow_key *key = &flow->entry.key;

    if (key->family == AF_INET) {
        client->in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = key->client_port};
        memcpy(&client->in.sin_addr, key->client, sizeof(client->in.sin_addr));
    } else {
        client->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = key->client_port, .sin6_scope_id = key->client_scope};
        memcpy(&client->in6.sin6_addr, key->client, sizeof(client->in6.sin6_addr));
    }
}

bool udp_flow_is_shared(const struct flow *flow)
{
    return flow->entry.key.client_port == 0; /* datagrams from port 0 are dropped */
}

/* Hashes the source address: of IPv6, the network of 64 bits, because one client has all of its addresses. */
static uint32_t hash_source(const struct sources *sources, const union io_endpoint *peer)
{
    return peer->sa.sa_family == AF_INET ? sources_hash(sources, &peer->in.sin_addr, 4) : sources_hash(sources, &peer->in6.sin6_addr, 8);
}

struct addr udp_flow_addr(const union io_endpoint *endpoint)
{
    struct addr addr = {0};

    if (!endpoint)
        return addr;
    if (endpoint->sa.sa_family == AF_INET) {
        addr.in = endpoint->in;
        addr.length = sizeof(addr.in);
    } else {
        addr.in6 = endpoint->in6;
        addr.length = sizeof(addr.in6);
    }
    return addr;
}

/* Prepares the request for the selector. `client` must stay valid as long as it. */
static void prepare_select(struct select_request *select, const struct flow_request *request, const struct pool *pool, const struct addr *client)
{
    const struct pool_settings *settings = pool_settings(pool);

    *select = (struct select_request){.client = client, .random = &request->socket->worker->random};
    if (settings->hash_key == CONFIG_HASH_QUIC_CID) {
        select->token = quic_connection_id(request->data, request->bytes, settings->hash_cid_offset, settings->hash_cid_bytes);
        select->token_bytes = settings->hash_cid_bytes;
    }
}

/* ---- opening ---- */

/* Takes a place of the source. Flows that clients share count for none. */
static bool take_source(struct flow *flow, const struct flow_request *request)
{
    struct sources *sources = request->socket->listener->sources;
    uint32_t max = listener_settings(request->socket->listener)->max_flows_per_source;

    if (!request->peer)
        return true;
    flow->source_hash = hash_source(sources, request->peer);
    flow->counts_source = sources_take(sources, flow->source_hash, max ? max : UINT32_MAX);
    return flow->counts_source;
}

/* Takes what a new flow needs of the limits. `replaces`: it takes the place of a flow whose backend is gone, so it is not a new client's. Returns false, with
 * nothing taken, and why. */
static bool take_places(struct flow *flow, const struct flow_request *request, bool replaces, enum udp_drop_reason *why)
{
    struct worker *worker = flow->worker;
    struct listener *listener = request->socket->listener;
    uint32_t rate = listener_settings(listener)->flow_rate;

    *why = UDP_DROP_DRAINING;
    if (worker->draining && !replaces)
        return false;
    switch (lease_take(&flow->lease, listener, worker->shared->flows, worker->io->now_ns)) {
    case LEASE_LISTENER_FULL:
        *why = UDP_DROP_LISTENER_FULL;
        return false;
    case LEASE_PROCESS_FULL:
        *why = UDP_DROP_MAX_FLOWS;
        return false;
    case LEASE_TAKEN:
        break;
    }
    *why = UDP_DROP_SOURCE_FULL;
    if (take_source(flow, request)) {
        *why = UDP_DROP_RATE;
        if (rate == 0 || replaces || rate_take(&listener->flow_rate, worker->io->now_ns, rate, BURST_NS))
            return true;
    }
    give_places(flow);
    return false;
}

/* Makes the flow's socket to the backend of the lease. Returns 0 or a negative errno. */
static int open_socket(struct flow *flow)
{
    struct worker *worker = flow->worker;
    uint32_t buffer_bytes = listener_settings(flow->lease.listener)->receive_buffer_bytes;
    int fd = io_connect_datagram(worker->io, &flow->lease.backend->addr, buffer_bytes ? buffer_bytes : UDP_FLOW_BUFFER_BYTES);

    return fd < 0 ? fd : io_open(worker->io, &flow->sock, fd, &udp_relay_events);
}

/* Selects a backend as pick_backend() does, or, for a lease that holds nothing but the slot, as pick_slot() does. Backends that refuse datagrams now are
 * selected only if there is no other. */
static void pick_answering(struct worker *worker, struct lease *lease, struct select_request *select, bool only_slot)
{
    uint32_t tried = select->tried_count;

    for (;;) {
        if (only_slot)
            pick_slot(worker, lease, select);
        else if (pick_backend(worker, lease, select))
            tried = 0; /* those were of another pool */
        if (!lease->backend || !backend_refuses(lease->backend, worker->io->now_ns))
            break;
        select->tried[select->tried_count++] = lease->backend->id;
        lease_give(lease, LEASE_BACKEND);
    }
    if (lease->backend || select->tried_count == tried)
        return;
    select->tried_count = tried;
    pick_slot(worker, lease, select);
}

/* Selects backends until a socket to one can be made. Returns 0; or a negative errno of the last attempt; or -ENOENT if there was no backend to try. */
static int open_to_any(struct flow *flow, struct select_request *select)
{
    int result = -ENOENT;

    while (select->tried_count < SELECT_TRIES_MAX) {
        if (!flow->lease.backend)
            pick_answering(flow->worker, &flow->lease, select, false);
        if (!flow->lease.backend)
            return result;
        result = open_socket(flow);
        if (result == 0 || (connect_lacks_resources(-result) && result != -EADDRNOTAVAIL))
            return result;
        select->tried[select->tried_count++] = flow->lease.backend->id; /* there may be no route to its network, or no address of its family here */
        lease_give(&flow->lease, LEASE_BACKEND);
    }
    return result;
}

/* Sets the key of a new flow. The backend may be another one than the key says, because no socket to that one could be made. If there is a flow to this backend
 * already, the new one takes its place. */
static void set_key(struct flow *flow, const struct flow_key *key)
{
    struct flow *older;

    flow->entry.key = *key;
    if (!key->backend)
        return;
    flow->entry.key.backend = flow->lease.backend;
    older = find_flow(flow->worker->udp, &flow->entry.key);
    if (older)
        udp_flow_unbind(older);
}

static void start_flow(struct flow *flow, const struct flow_key *key)
{
    struct worker *worker = flow->worker;
    struct udp *udp = worker->udp;

    set_key(flow, key);
    flow->number = ++udp->flow_number;
    flow->opened_ns = worker->io->now_ns;
    flow->active_ms = worker_now_ms(worker);
    list_init(&flow->touched);
    list_append(&udp->flows, &flow->link);
    flow_table_add(&udp->table, &flow->entry);
    timer_init(&flow->timer, on_timer);
    timer_arm(&worker->timers, &flow->timer, flow->active_ms + settings_of(flow)->udp_idle_timeout_ms);
    io_poll(worker->io, &flow->sock, IO_IN);
    tally_flow_began(flow);
    if (worker->shared->access.at_open)
        udp_flow_log(flow, ACCESS_OPEN);
    log_debug("flow " FLOW_NUMBER ": BOUND to backend %s", FLOW_NUMBER_OF(flow), flow->lease.backend->name);
}

/* Gives a new flow a backend and a socket to it. `chosen` as below. Returns the result of open_to_any(). */
static int connect_flow(struct flow *flow, const struct flow_request *request, struct lease *chosen)
{
    struct addr client = udp_flow_addr(request->peer);
    struct select_request select;

    prepare_select(&select, request, flow->lease.pool, &client);
    if (chosen && chosen->pool == flow->lease.pool) { /* else the listener has got another pool in the meantime */
        lease_take_backend(&flow->lease, chosen->backend);
        chosen->backend = NULL;
    }
    return open_to_any(flow, &select);
}

/* Opens a flow. `chosen` is a lease that holds nothing but a slot on the backend to use, which is moved to the flow; NULL: select a backend. `old`: a flow
 * whose backend is gone, and which is ended; NULL: none. Returns NULL after counting the drop. */
static struct flow *open_flow(const struct flow_request *request, struct lease *chosen, struct flow *old, uint32_t count)
{
    struct worker *worker = request->socket->worker;
    struct flow *flow = slab_take(&worker->udp->flows_slab);
    enum udp_drop_reason why = UDP_DROP_NO_RESOURCES;
    int error = ENOMEM;

    if (old)
        udp_flow_end(old, FLOW_BACKEND_DOWN);
    if (!flow)
        goto fail;
    *flow = (struct flow){.worker = worker};
    error = 0;
    if (!take_places(flow, request, old, &why))
        goto fail;
    error = -connect_flow(flow, request, chosen);
    if (error == 0) {
        start_flow(flow, request->key);
        return flow;
    }
    give_places(flow);
    why = error == ENOENT ? UDP_DROP_NO_BACKEND : UDP_DROP_NO_RESOURCES;
fail:
    if (flow)
        slab_give(&worker->udp->flows_slab, flow);
    udp_drop(worker, request->socket->listener, why, count, error == ENOENT ? 0 : error);
    return NULL;
}

/* ---- finding ---- */

static bool can_continue(const struct flow *flow)
{
    const struct backend *backend = flow->lease.backend;
    bool may_serve = backend_serves(backend) || backend_standing(backend) == BACKEND_DRAINING;

    return !flow->refused && may_serve && backend_eviction(backend) == EVICTION_NONE;
}

/* The backend has refused datagrams of another flow. Moves this one before it loses any, if there is a backend that does not refuse. Returns the flow to
 * use, or NULL after counting the drop. */
static struct flow *leave_refusing(const struct flow_request *request, struct flow *flow, uint32_t count)
{
    struct worker *worker = flow->worker;
    struct lease chosen = {.listener = request->socket->listener, .pool = listener_pool(request->socket->listener)};
    struct addr client = udp_flow_addr(request->peer);
    struct select_request select;

    prepare_select(&select, request, chosen.pool, &client);
    pick_answering(worker, &chosen, &select, true);
    if (chosen.backend && !backend_refuses(chosen.backend, worker->io->now_ns))
        flow = open_flow(request, &chosen, flow, count);
    if (chosen.backend)
        lease_give(&chosen, LEASE_BACKEND);
    return flow;
}

struct flow *udp_flow_find(const struct flow_request *request, uint32_t count)
{
    struct flow *flow = find_flow(request->socket->worker->udp, request->key);

    if (!flow)
        return open_flow(request, NULL, NULL, count);
    if (!can_continue(flow)) { /* asked again only below: health may change the answer at any moment, and a flow with unsent datagrams must not end */
        udp_relay_send_requests(flow->worker->udp); /* what was added to the flow; this may replace it */
        flow = find_flow(request->socket->worker->udp, request->key);
        if (!flow || !can_continue(flow))
            return open_flow(request, NULL, flow, count);
    }
    if (backend_refuses(flow->lease.backend, flow->worker->io->now_ns) && list_empty(&flow->touched))
        return leave_refusing(request, flow, count);
    return flow;
}

/* Selects a backend for one datagram, and finds or opens the flow to it. `old`: a flow whose backend has refused this datagram, and which is ended; NULL:
 * none. */
static struct flow *find_balanced(const struct flow_request *request, struct flow *old, uint32_t count)
{
    struct worker *worker = request->socket->worker;
    struct lease chosen = {.listener = request->socket->listener, .pool = listener_pool(request->socket->listener)};
    struct addr client = udp_flow_addr(request->peer);
    struct flow_key key = *request->key;
    struct flow_request keyed = *request;
    struct select_request select;
    struct flow *flow;

    prepare_select(&select, request, chosen.pool, &client);
    if (old)
        udp_flow_end(old, FLOW_BACKEND_DOWN);
    pick_answering(worker, &chosen, &select, true);
    if (!chosen.backend) {
        udp_drop(worker, request->socket->listener, UDP_DROP_NO_BACKEND, count, 0);
        return NULL;
    }
    key.backend = chosen.backend;
    keyed.key = &key;
    flow = find_flow(worker->udp, &key);
    if (!flow || (flow->refused && list_empty(&flow->touched))) /* the backend may be back: a new socket has no old errors */
        flow = open_flow(&keyed, &chosen, flow, count);
    if (chosen.backend)
        lease_give(&chosen, LEASE_BACKEND);
    return flow;
}

struct flow *udp_flow_find_balanced(const struct flow_request *request)
{
    return find_balanced(request, NULL, 1);
}

struct flow *udp_flow_move(struct flow *flow, const uint8_t *data, uint32_t bytes, uint32_t count)
{
    struct flow_key key = flow->entry.key;
    union io_endpoint client;
    struct flow_request request = {
        .socket = (struct udp_listener *)(uintptr_t)key.socket, .key = &key, .peer = udp_flow_is_shared(flow) ? NULL : &client, .data = data, .bytes = bytes};
    struct flow *other;

    udp_flow_client(flow, &client);
    if (key.backend) {
        key.backend = NULL;
        return find_balanced(&request, flow, count);
    }
    other = find_flow(flow->worker->udp, &key);
    if (!other || other == flow)
        return open_flow(&request, NULL, flow, count);
    udp_flow_end(flow, FLOW_BACKEND_DOWN);
    return other; /* the client has begun it after udp_requests datagrams */
}

/* ---- the end ---- */

void udp_flow_closed(struct flow *flow)
{
    struct udp *udp = flow->worker->udp;

    assert(flow->state == FLOW_CLOSING && list_empty(&flow->touched));
    walk_forget(flow->worker, &flow->link);
    list_remove(&flow->link);
    slab_give(&udp->flows_slab, flow);
}
