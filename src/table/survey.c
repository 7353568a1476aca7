/* table/survey.c: compares sessions and flows with a query. Any thread; owns nothing beyond the rows of an answer. */
#include "table/survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table/backend.h"
#include "table/lease.h"
#include "table/listener.h"
#include "table/pool.h"

void survey_free(struct survey *survey)
{
    free(survey->rows);
    *survey = (struct survey){0};
}

/* ---- matching ---- */

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned rest = bits % 8;

    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

static bool in_network(const struct addr *client, const struct survey_query *query)
{
    const struct addr *network = &query->client;

    if (addr_family(client) != addr_family(network) || (addr_port(network) && addr_port(network) != addr_port(client)))
        return false;
    switch (addr_family(network)) {
    case AF_INET:
        return same_bits((const uint8_t *)&client->in.sin_addr, (const uint8_t *)&network->in.sin_addr, query->client_bits);
    case AF_INET6:
        return same_bits(client->in6.sin6_addr.s6_addr, network->in6.sin6_addr.s6_addr, query->client_bits);
    default:
        return addr_equal(client, network);
    }
}

static bool has_name(const char *wanted, const char *name)
{
    return wanted[0] == '\0' || strcmp(wanted, name) == 0;
}

bool survey_matches(const struct survey_query *query, const struct survey_subject *subject)
{
    const struct lease *lease = subject->lease;

    if (query->number && (query->worker != subject->worker || query->number != subject->number))
        return false;
    return subject->age_ns >= query->older_ns && has_name(query->listener, lease->listener->name) && has_name(query->pool, lease->pool->name) &&
           has_name(query->backend, lease->backend ? lease->backend->name : "") &&
           (addr_family(&query->client) == AF_UNSPEC || in_network(subject->client, query));
}

/* ---- rows ---- */

static void copy_name(char *target, const char *name)
{
    (void)snprintf(target, SURVEY_NAME_BYTES, "%s", name);
}

void survey_fill_row(struct survey_row *row, const struct survey_subject *subject)
{
    const struct lease *lease = subject->lease;

    *row = (struct survey_row){
        .worker = subject->worker,
        .number = subject->number,
        .client = *subject->client,
        .age_ns = subject->age_ns,
        .idle_ns = subject->idle_ns,
        .bytes = {subject->bytes[0], subject->bytes[1]},
    };
    copy_name(row->listener, lease->listener->name);
    copy_name(row->pool, lease->pool->name);
    if (!lease->backend)
        return;
    copy_name(row->backend, lease->backend->name);
    row->backend_addr = lease->backend->addr;
}

uint64_t survey_rank(enum survey_order order, uint64_t age_ns, uint64_t idle_ns, const uint64_t bytes[2])
{
    switch (order) {
    case SURVEY_IDLE:
        return idle_ns;
    case SURVEY_BYTES:
        return bytes[0] + bytes[1];
    default:
        return age_ns;
    }
}
