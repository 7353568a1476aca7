/* health/share.c: groups of targets that one probe serves. Health thread; owns nothing. */
#include "health/share.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"

void share_init(struct share_table *table)
{
    for (size_t i = 0; i < SHARE_BUCKETS; i++)
        list_init(&table->buckets[i]);
}

/* Hashes the text, because struct addr may have bytes that addr_equal() ignores. */
static struct list *bucket_of(struct share_table *table, const struct addr *addr)
{
    char text[ADDR_TEXT_BYTES];

    addr_format(addr, text, sizeof(text));
    return &table->buckets[hash_bytes(text, strlen(text), 0, 0) % SHARE_BUCKETS];
}

static void lead_group(struct share *share, struct list *bucket)
{
    share->leader = share;
    list_init(&share->others);
    list_append(bucket, &share->link);
}

bool share_join(struct share_table *table, struct share *share)
{
    struct list *bucket = bucket_of(table, share->addr);

    assert(!share->leader);
    for (struct list *link = bucket->next; link != bucket; link = link->next) {
        struct share *leader = container_of(link, struct share, link);
        if (!addr_equal(leader->addr, share->addr) || !pool_settings_same_probe(leader->settings, share->settings))
            continue;
        share->leader = leader;
        list_append(&leader->others, &share->link);
        return false;
    }
    lead_group(share, bucket);
    return true;
}

struct share *share_leave(struct share_table *table, struct share *share)
{
    struct share *next = NULL;

    if (!share->leader)
        return NULL;
    list_remove(&share->link);
    if (share->leader == share && !list_empty(&share->others)) {
        next = container_of(share->others.next, struct share, link);
        list_remove(&next->link);
        lead_group(next, bucket_of(table, next->addr));
        list_take(&next->others, &share->others);
        for (struct list *link = next->others.next; link != &next->others; link = link->next)
            container_of(link, struct share, link)->leader = next;
    }
    share->leader = NULL;
    return next;
}
