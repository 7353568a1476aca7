/* test/sim/check_udp.c: keeps the books of the datagrams that a worker receives and sends, and checks the replies. Test thread; owns the records.
 *
 * Every datagram that a worker has received is sent exactly once, or counted as dropped, before its turn ends. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table/counters.h"
#include "worker/udp_relay.h"
#include "world.h"

static struct world *world_of(const struct sim_conn *conn)
{
    return conn->sim->options.owner;
}

static struct udp_tally *tally_of(const struct sim_conn *conn)
{
    return &world_of(conn)->udp.tallies[conn->engine->index];
}

/* ---- receiving ---- */

static struct udp_record *add_record(struct udp_records *records)
{
    if (records->count == records->size) {
        records->size = records->size ? 2 * records->size : 64;
        records->list = realloc(records->list, records->size * sizeof(*records->list));
        if (!records->list)
            abort();
    }
    return &records->list[records->count++];
}

static bool is_answerable(const union io_endpoint *from)
{
    if (from->sa.sa_family == AF_INET)
        return from->in.sin_port && from->in.sin_addr.s_addr != INADDR_ANY && from->in.sin_addr.s_addr != INADDR_BROADCAST;
    return from->in6.sin6_port && !IN6_IS_ADDR_MULTICAST(&from->in6.sin6_addr);
}

/* Notes why a datagram may be dropped. Its flow may have begun under another pool than its listener has now. */
static void note_reasons(const struct world *world, struct udp_tally *tally, const struct sim_train *train)
{
    uint32_t header_bytes = train->from.sa.sa_family == AF_INET ? 28 : 52;
    bool has_header = false;

    for (size_t p = 0; p < world->config.pool_count; p++)
        has_header |= world->pools[p].settings.proxy_protocol != CONFIG_PROXY_OFF;
    if (train->cut || (has_header && train->unit_bytes + header_bytes > IO_DATAGRAM_SEND_BYTES))
        tally->too_large += train->count;
    if (!is_answerable(&train->from))
        tally->unanswerable += train->count;
}

/* A receive from a bound socket uses the batch of requests again. */
void check_udp_receiving(struct sim_conn *conn)
{
    struct udp_tally *tally = tally_of(conn);

    if (conn->udp->is_connected)
        return;
    tally->requests.count = 0;
    tally->batch++;
}

void check_udp_received(struct sim_conn *conn, const struct sim_train *train)
{
    struct udp_tally *tally = tally_of(conn);
    struct udp_port *port = udp_port_of(conn);
    bool is_ignored = train->to_group && conn->engine->index > 0; /* each worker has got a copy, and only the first one may relay it */

    for (uint32_t i = 0; i < train->count; i++)
        *add_record(port ? &tally->replies : &tally->requests) = (struct udp_record){
            .number = train->first + i,
            .bytes = sim_train_unit_bytes(train, i),
            .is_passed = is_ignored,
            .from = train->from,
            .to = train->to,
            .socket = conn,
            .port = port,
        };
    if (is_ignored)
        return;
    tally->received += train->count;
    if (!port) {
        note_reasons(world_of(conn), tally, train);
        return;
    }
    if (!port->is_met)
        world_fail(world_of(conn), "the simulation has sent a reply without a request");
    port->active_ns = conn->engine->io.now_ns;
    port->replies += train->count;
    port->bytes[1] += sim_train_bytes(train);
    if (port->owner.is_shared)
        tally->unwanted += train->count;
}

/* ---- sending ---- */

static void check_reply(struct sim_conn *conn, const struct sim_message *message)
{
    struct world *world = world_of(conn);
    struct udp_records *records = &tally_of(conn)->replies;
    bool is_known = false;

    for (uint32_t i = 0; i < records->count; i++) {
        struct udp_record *record = &records->list[i];
        const struct udp_owner *owner = &record->port->owner;

        if (record->is_passed || !check_udp_is_content(record, message->data, message->bytes))
            continue;
        is_known = true;
        if (owner->is_shared || owner->listening != conn || !udp_endpoints_equal(&owner->client, message->to) || !udp_locals_equal(&owner->to, &message->from))
            continue;
        record->is_passed = true;
        for (uint32_t later = i + 1; later < records->count && message->bytes >= UDP_TELLING_BYTES; later++) {
            if (records->list[later].is_passed && records->list[later].port == record->port)
                world_fail(world, "port %u: replies are sent in another order than they arrived", record->port->conn->index);
        }
        return;
    }
    world_fail(world, "a reply of %u bytes %s", message->bytes,
               is_known ? "is sent to another client than that of its flow, or from another address"
                        : "is sent that has not arrived, or was changed, or sent before");
}

void check_udp_sending(struct sim_conn *conn)
{
    tally_of(conn)->taken = 0;
}

void check_udp_taken(struct sim_conn *conn, const struct sim_message *message)
{
    tally_of(conn)->taken++;
    if (conn->udp->is_connected)
        check_udp_request(udp_port_of(conn), message);
    else
        check_reply(conn, message);
}

/* Why a datagram is dropped if it is refused with this error. */
static enum udp_drop_reason reason_of(int error)
{
    if (error == EAGAIN || error == ENOBUFS)
        return UDP_DROP_NO_ROOM;
    return error == EMSGSIZE ? UDP_DROP_TOO_LARGE : UDP_DROP_NOT_SENT;
}

static void note_failure(struct sim_conn *conn, int error, uint32_t units)
{
    struct udp_tally *tally = tally_of(conn);
    struct udp_port *port = udp_port_of(conn);

    tally->failed[reason_of(error)] += units;
    if (!port || !check_udp_is_refusal(error))
        return;
    port->is_refused = true;
    tally->refusals++;
}

void check_udp_sent(struct sim_conn *conn, const struct io_outgoing *messages, unsigned count)
{
    struct udp_tally *tally = tally_of(conn);
    uint32_t passed = 0, perhaps = 0;
    uint64_t bytes = 0;

    for (unsigned i = 0; i < count; i++) {
        uint32_t units = udp_relay_units(messages[i].bytes, messages[i].segment_bytes);

        if (messages[i].error) {
            note_failure(conn, messages[i].error, units);
            perhaps += messages[i].segment_bytes ? units - 1 : 0; /* of a train that was sent datagram by datagram */
        } else {
            passed += units;
            bytes += messages[i].bytes;
        }
    }
    tally->passed[!conn->udp->is_connected] += passed;
    if (tally->taken < passed || tally->taken > passed + perhaps)
        world_fail(world_of(conn), "%u datagrams are reported as sent, and %u were", passed, tally->taken);
    tally->bytes[!conn->udp->is_connected] += bytes;
    if (!conn->udp->is_connected)
        return;
    udp_port_of(conn)->active_ns = conn->engine->io.now_ns;
    udp_port_of(conn)->bytes[0] += bytes;
}

/* ---- the end of a turn ---- */

static void check_counters(struct world *world, const struct udp_tally *tally, const struct counters *counters)
{
    if (tally->received != tally->passed[0] + tally->passed[1] + tally->dropped)
        world_fail(world, "of %llu datagrams, %llu and %llu were sent and %llu counted as dropped", (unsigned long long)tally->received,
                   (unsigned long long)tally->passed[0], (unsigned long long)tally->passed[1], (unsigned long long)tally->dropped);
    for (int i = 0; i < 2; i++) {
        if (counters_read(&counters->datagrams[i]) != tally->passed[i])
            world_fail(world, "%llu datagrams are counted in direction %d, and %llu were sent", (unsigned long long)counters_read(&counters->datagrams[i]), i,
                       (unsigned long long)tally->passed[i]);
        if (world->pair_count == 0 && counters_read(&counters->bytes[i]) != tally->bytes[i])
            world_fail(world, "%llu bytes are counted in direction %d, and %llu were sent", (unsigned long long)counters_read(&counters->bytes[i]), i,
                       (unsigned long long)tally->bytes[i]);
    }
    if (counters_read(&counters->datagrams_lost) != tally->dropped || counters_read(&counters->flows) != tally->opened ||
        counters_read(&counters->flows_refused) != tally->refused)
        world_fail(world, "the counters of dropped datagrams, flows, or refused flows are wrong");
}

void check_udp_settled(struct member *member)
{
    struct world *world = member->world;
    struct udp_tally *tally = &world->udp.tallies[member->worker->index];

    check_counters(world, tally, member->worker->counters);
    tally->requests.count = tally->replies.count = 0;
    tally->unanswerable = tally->too_large = tally->unwanted = 0;
    tally->lacks = tally->refusals = 0;
    tally->is_replacing = false;
    memset(tally->failed, 0, sizeof(tally->failed));
}
