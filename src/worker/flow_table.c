/* worker/flow_table.c: finds a worker's UDP flows. Worker thread; owns the array of chains. */
#include "worker/flow_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* What is hashed: client and backend. The rest of the key differs only between the few addresses of this machine. */
#define HASHED_BYTES offsetof(struct flow_key, socket)

int flow_table_init(struct flow_table *table, size_t max, const uint64_t secret[2])
{
    size_t count = 64;

    while (count < max)
        count *= 2;
    *table = (struct flow_table){.chains = calloc(count, sizeof(*table->chains)), .chain_count = count, .secret = {secret[0], secret[1]}};
    return table->chains ? 0 : -ENOMEM;
}

void flow_table_deinit(struct flow_table *table)
{
    free(table->chains);
    *table = (struct flow_table){0};
}

static struct flow_entry **find_chain(const struct flow_table *table, const struct flow_key *key)
{
    return &table->chains[hash_bytes(key, HASHED_BYTES, table->secret[0], table->secret[1]) & (table->chain_count - 1)];
}

struct flow_entry *flow_table_find(const struct flow_table *table, const struct flow_key *key)
{
    struct flow_entry *entry = *find_chain(table, key);

    while (entry && memcmp(&entry->key, key, sizeof(*key)) != 0)
        entry = entry->next;
    return entry;
}

void flow_table_add(struct flow_table *table, struct flow_entry *entry)
{
    struct flow_entry **chain = find_chain(table, &entry->key);

    assert(!flow_table_find(table, &entry->key));
    entry->next = *chain;
    *chain = entry;
    table->count++;
}

void flow_table_remove(struct flow_table *table, struct flow_entry *entry)
{
    struct flow_entry **at = find_chain(table, &entry->key);

    while (*at != entry) {
        assert(*at);
        at = &(*at)->next;
    }
    *at = entry->next;
    entry->next = NULL;
    table->count--;
}
