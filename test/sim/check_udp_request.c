/* test/sim/check_udp_request.c: checks a datagram that a worker sends to a backend: it must have arrived in this batch, belong to the flow, and be unchanged,
 * with the PROXY header in front if that is configured. Test thread; owns nothing. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "table/backend.h"
#include "table/listener.h"
#include "table/pool.h"
#include "worker/udp.h"
#include "world.h"

enum { HEADER_BYTES = 16 };

bool check_udp_is_refusal(int error)
{
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

bool check_udp_is_content(const struct udp_record *record, const uint8_t *data, uint32_t bytes)
{
    return record->bytes == bytes && memcmp(sim_udp_bytes(record->number), data, bytes) == 0;
}

/* ---- the PROXY header ---- */

/* Writes the header that the flow's datagrams must have, version 2, command PROXY, datagram. Returns its length. */
static uint32_t write_expected(const struct udp_port *port, uint8_t *out)
{
    const struct udp_owner *owner = &port->owner;
    struct addr to = owner->listening->udp->addr;
    bool v6 = owner->client.sa.sa_family == AF_INET6;
    uint32_t address_bytes = v6 ? 16 : 4, at = HEADER_BYTES;
    const void *client = v6 ? (const void *)&owner->client.in6.sin6_addr : &owner->client.in.sin_addr;
    const void *local = v6 ? (const void *)&to.in6.sin6_addr : &to.in.sin_addr;
    uint16_t ports[2] = {v6 ? owner->client.in6.sin6_port : owner->client.in.sin_port, htons(addr_port(&to))};

    if (owner->to.family != AF_UNSPEC)
        local = &owner->to.in6;
    memcpy(out, "\r\n\r\n\0\r\nQUIT\n\x21", 13);
    out[13] = v6 ? 0x22 : 0x12;
    out[14] = 0;
    out[15] = (uint8_t)(2 * address_bytes + sizeof(ports));
    memcpy(out + at, client, address_bytes);
    memcpy(out + at + address_bytes, local, address_bytes);
    memcpy(out + at + 2 * address_bytes, ports, sizeof(ports));
    return at + 2 * address_bytes + sizeof(ports);
}

/* Checks the header in front of the payload. Returns its length. */
static uint32_t check_header(struct world *world, struct udp_port *port, const struct sim_message *message)
{
    enum config_proxy_protocol proxy = port->owner.is_shared ? CONFIG_PROXY_OFF : pool_settings(udp_flow_of(port)->lease.pool)->proxy_protocol;
    uint8_t expected[64];
    uint32_t bytes;
    bool is_there;

    if (proxy == CONFIG_PROXY_OFF)
        return 0;
    bytes = write_expected(port, expected);
    is_there = message->bytes >= bytes && memcmp(message->data, expected, bytes) == 0;
    if (!is_there && (proxy == CONFIG_PROXY_V2 || (!port->has_header && port->failures == 0)))
        world_fail(world, "port %u: a datagram without the right PROXY header is sent to the backend", port->conn->index);
    if (is_there && proxy == CONFIG_PROXY_V2_FIRST && port->has_header)
        world_fail(world, "port %u: a second PROXY header", port->conn->index);
    port->has_header |= is_there;
    return is_there ? bytes : 0;
}

/* ---- the payload ---- */

static bool is_owner(const struct udp_owner *owner, const struct udp_record *record)
{
    if (record->socket != owner->listening || (owner->to.family != AF_UNSPEC && !udp_locals_equal(&owner->to, &record->to)))
        return false;
    return owner->is_shared || udp_endpoints_equal(&owner->client, &record->from);
}

/* Says why no record is the datagram that is being sent. */
static void fail_unknown(struct world *world, const struct udp_port *port, const struct udp_records *records, const uint8_t *data, uint32_t bytes)
{
    const char *what = "it is none that has arrived, or was changed";

    for (uint32_t i = 0; i < records->count; i++) {
        const struct udp_record *record = &records->list[i];

        if (!check_udp_is_content(record, data, bytes))
            continue;
        what = !is_owner(&port->owner, record) ? "it belongs to another flow" : "it was sent before";
        if (!record->is_passed)
            break;
    }
    world_fail(world, "port %u: a wrong datagram of %u bytes is sent to the backend: %s", port->conn->index, bytes, what);
}

/* Finds the datagram among those that were not sent. One that arrived after the last one that was sent through this port is preferred, because the network may
 * double datagrams. NULL: there is none. */
static struct udp_record *find_record(const struct udp_records *records, const struct udp_port *port, uint32_t after, const uint8_t *data, uint32_t bytes)
{
    for (uint32_t step = 0; step < records->count; step++) {
        struct udp_record *record = &records->list[(after + step) % records->count];

        if (!record->is_passed && check_udp_is_content(record, data, bytes) && is_owner(&port->owner, record))
            return record;
    }
    return NULL;
}

static const struct pool_settings *settings_of(const struct udp_port *port)
{
    return pool_settings(listener_pool(udp_flow_of(port)->lease.listener));
}

/* Whether the order of the flow's datagrams is not known. Where each datagram is balanced by itself, or a client has had several flows, datagrams of other
 * flows come to this one if their backend has refused them. Of a datagram that the network has doubled, each copy may go to another backend. */
static bool is_unordered(const struct world *world, const struct udp_port *port)
{
    bool is_refused = world->udp.tallies[port->worker].refusals > 0;

    return (port->owner.backend && (is_refused || world->udp.doubling > 0)) || (is_refused && settings_of(port)->udp_requests > 0);
}

/* The datagrams of a client must be sent in the order in which they arrived, also when its flow moves to another backend in between. */
static void check_payload(struct world *world, struct udp_port *port, const uint8_t *data, uint32_t bytes)
{
    struct udp_tally *tally = &world->udp.tallies[port->worker];
    uint32_t after = port->batch == tally->batch ? port->position + 1 : 0;
    struct udp_record *record = find_record(&tally->requests, port, after, data, bytes);

    if (!record)
        fail_unknown(world, port, &tally->requests, data, bytes);
    record->is_passed = true;
    if (bytes < UDP_TELLING_BYTES)
        return;
    if (record < tally->requests.list + after && !is_unordered(world, port))
        world_fail(world, "port %u: datagrams of a flow are sent in another order than they arrived", port->conn->index);
    port->batch = tally->batch;
    port->position = (uint32_t)(record - tally->requests.list);
}

/* ---- the flow ---- */

/* A flow that has just begun has a backend from the worker's snapshot, which may be out of date: check_choice() in check_udp_flow.c. */
static void check_backend(struct world *world, const struct udp_port *port)
{
    const struct backend *backend = udp_flow_of(port)->lease.backend;
    bool is_new = port->opened_turn == world->turns;

    if (!backend || !addr_equal(&backend->addr, &port->conn->udp->addr))
        world_fail(world, "port %u: is connected to another address than that of its backend", port->conn->index);
    if (port->is_refused)
        world_fail(world, "port %u: a datagram is sent to a backend that has refused", port->conn->index);
    if (!is_new && ((backend_standing(backend) == BACKEND_DOWN && !backend_serves(backend)) || backend_eviction(backend) != EVICTION_NONE))
        world_fail(world, "port %u: a datagram is sent to a backend that is down, or is to have no flows", port->conn->index);
    if (port->is_superseded)
        world_fail(world, "port %u: a datagram is sent through a flow that has had its udp_requests", port->conn->index);
}

static void check_requests(struct world *world, const struct udp_port *port)
{
    const struct pool_settings *settings = settings_of(port);

    if (port->owner.is_shared || port->owner.backend || settings->udp_responses == 0 || settings->udp_per_packet || settings->udp_requests == 0)
        return;
    if (port->requests >= settings->udp_requests && !is_unordered(world, port))
        world_fail(world, "port %u: has more than %u requests", port->conn->index, settings->udp_requests);
}

void check_udp_request(struct udp_port *port, const struct sim_message *message)
{
    struct world *world = port->conn->sim->options.owner;
    uint32_t header_bytes;

    check_backend(world, port);
    check_requests(world, port);
    header_bytes = check_header(world, port, message);
    check_payload(world, port, message->data + header_bytes, message->bytes - header_bytes);
    port->requests++;
    udp_backend_takes(world, port);
}
