/* worker/flow_table.h: finds a worker's UDP flows by client, and, where that matters, by the address that the client has sent to and by backend.
 *
 * A hash table with chains. Its size is fixed by the maximum number of flows, so that it never has to be rebuilt. Keys are hashed with SipHash under a random
 * key, so that nobody can choose addresses that all fall into one chain. One thread. */
#ifndef WORKER_FLOW_TABLE_H
#define WORKER_FLOW_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct backend;
struct udp_listener;

/* All bytes count, so a key must be all zero before its fields are set. An IPv4 address is in the first four bytes. */
struct flow_key {
    uint8_t client[16];      /* all zero for flows that all clients share */
    uint32_t client_scope;   /* IPv6: scope id of a link-local address */
    uint16_t client_port;    /* network byte order */
    uint16_t family;
    const struct backend *backend;   /* for flows that are one of several of the same client; else NULL */
    const struct udp_listener *socket; /* on which the client's datagrams arrive */
    uint8_t local[16];       /* the address that the client has sent to; all zero if the socket is bound to one address */
    uint32_t local_interface;
    uint32_t padding;        /* 0 */
};
_Static_assert(sizeof(struct flow_key) == 64, "keys are compared and hashed as bytes");

/* What a flow embeds. */
struct flow_entry {
    struct flow_entry *next; /* in its chain */
    struct flow_key key;
};

struct flow_table {
    struct flow_entry **chains;
    size_t chain_count; /* a power of two */
    size_t count;       /* entries */
    uint64_t secret[2];
};

/* Makes an empty table for up to about `max` flows. `secret` is a random key. Returns 0 or -ENOMEM. */
int flow_table_init(struct flow_table *table, size_t max, const uint64_t secret[2]);
/* Does not free the entries. Safe on all zero and twice. */
void flow_table_deinit(struct flow_table *table);

/* Returns the entry with this key, or NULL. */
struct flow_entry *flow_table_find(const struct flow_table *table, const struct flow_key *key);
/* Adds an entry whose key is set and not in the table. */
void flow_table_add(struct flow_table *table, struct flow_entry *entry);
/* Removes an entry that is in the table. */
void flow_table_remove(struct flow_table *table, struct flow_entry *entry);

#endif
