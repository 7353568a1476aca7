/* select/turns.c: a tournament tree over deadlines. One thread; owned by its caller.
 *
 * Node 1 is the root, node n has the children 2n and 2n + 1, participant i is leaf `leaf_count` + i. A node holds the
 * winner of its half. */
#include "select/turns.h"

#include <assert.h>
#include <stdlib.h>

struct participant {
    uint64_t due; /* 2k + 1 before the k-th turn: the deadline times 2 * weight */
    uint32_t weight;
    bool resting; /* also set for the leaves that only fill the tree up */
};

struct turns {
    uint32_t leaf_count; /* a power of two */
    struct participant *participants;
    uint32_t *winners;
};

static uint32_t find_winner(const struct turns *turns, uint32_t a, uint32_t b)
{
    const struct participant *first = &turns->participants[a], *second = &turns->participants[b];
    if (first->resting != second->resting)
        return first->resting ? b : a;
    /* The left one keeps the lead in a tie, and has the lower index. */
    return second->due * first->weight < first->due * second->weight ? b : a;
}

static void replay_match(struct turns *turns, uint32_t node)
{
    turns->winners[node] = find_winner(turns, turns->winners[2 * node], turns->winners[2 * node + 1]);
}

/* Ends at a match that another participant wins as before, because no match above it changes. A participant that wakes up after its turn wins few. */
static void replay_above(struct turns *turns, uint32_t i)
{
    for (uint32_t node = (turns->leaf_count + i) / 2; node > 0; node /= 2) {
        uint32_t before = turns->winners[node];

        replay_match(turns, node);
        if (turns->winners[node] == before && before != i)
            break;
    }
}

struct turns *turns_new(const uint32_t *weights, uint32_t count)
{
    assert(count > 0 && count <= UINT32_C(1) << 30);
    uint32_t leaf_count = 2;
    while (leaf_count < count)
        leaf_count *= 2;

    struct turns *turns = calloc(1, sizeof(*turns));
    if (!turns)
        return NULL;
    turns->leaf_count = leaf_count;
    turns->participants = calloc(leaf_count, sizeof(*turns->participants));
    turns->winners = calloc(leaf_count, 2 * sizeof(*turns->winners));
    if (!turns->participants || !turns->winners)
        goto fail;
    for (uint32_t i = 0; i < leaf_count; i++) {
        turns->participants[i] = (struct participant){
            .due = 1, .weight = i < count ? weights[i] : 1, .resting = i >= count,
        };
        turns->winners[leaf_count + i] = i;
    }
    for (uint32_t node = leaf_count - 1; node > 0; node--)
        replay_match(turns, node);
    return turns;
fail:
    turns_free(turns);
    return NULL;
}

void turns_free(struct turns *turns)
{
    if (!turns)
        return;
    free(turns->participants);
    free(turns->winners);
    free(turns);
}

uint32_t turns_next(const struct turns *turns)
{
    uint32_t next = turns->winners[1];
    assert(!turns->participants[next].resting);
    return next;
}

void turns_take(struct turns *turns, uint32_t i, bool rest)
{
    turns->participants[i].due += 2;
    turns->participants[i].resting = rest;
    replay_above(turns, i);
}

void turns_wake(struct turns *turns, uint32_t i)
{
    turns->participants[i].resting = false;
    replay_above(turns, i);
}
