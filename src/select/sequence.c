/* select/sequence.c: builds the weighted round that round robin walks and random draws from. Health or control; pure.
 *
 * There are two cases. If no backend has more than half of the places, the places are assigned by earliest deadline first, but never
 * twice in a row to the same backend, and at once to a backend that could otherwise not be fitted in any more (smooth_fill). A backend with
 * more than half of the places is spread evenly over the gaps in the sequence of the others (spread_share); the rest is treated likewise. */
#include "select/sequence.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "select/turns.h"

#define NONE UINT32_MAX

/* A backend with its number of places; sorted by weight, heaviest first. */
struct share {
    uint32_t index; /* into pool->usable */
    uint32_t weight;
};

static int heavier_first(const void *a, const void *b)
{
    const struct share *first = a, *second = b;
    if (first->weight != second->weight)
        return first->weight > second->weight ? -1 : 1;
    return first->index < second->index ? -1 : 1; /* indices are never equal */
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The number of places that a round may have: as many as if no weight were reduced, but enough for a small pool to be exact, and at most SEQUENCE_MAX. */
static uint32_t limit_places(const struct share *shares, uint32_t count)
{
    uint64_t whole = 0;

    for (uint32_t i = 0; i < count; i++)
        whole += (shares[i].weight + CAPACITY_WHOLE - 1) / CAPACITY_WHOLE;
    if (whole < SEQUENCE_EXACT)
        return SEQUENCE_EXACT;
    return whole < SEQUENCE_MAX ? (uint32_t)whole : SEQUENCE_MAX;
}

/* Divides by the common divisor, scales to limit_places(), returns the number of places. */
static uint32_t reduce_shares(struct share *shares, uint32_t count)
{
    uint32_t limit = limit_places(shares, count), divisor = 0, places = 0;
    /* Rounding adds at most `count` places, so that many fewer are shared out. */
    uint64_t room = count < limit ? limit - count : 0, total = 0;

    for (uint32_t i = 0; i < count; i++) {
        divisor = common_divisor(divisor, shares[i].weight);
        total += shares[i].weight;
    }
    total /= divisor;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t weight = shares[i].weight / divisor;

        if (total > limit)
            weight = (uint32_t)((weight * room + total / 2) / total);
        shares[i].weight = weight > 0 ? weight : 1;
        places += shares[i].weight;
    }
    return places;
}

/* Returns the share that must take the next place, because otherwise too few places would be left to keep it apart from itself. NONE: any share may.
 *
 * `places` places are left to fill. In a circle without equal neighbours, a share that has `left` places of its own to fill fits only if 2 * left <= places +
 * 1. Share 0 took the first place and must not take the last one, so for it 2 * left <= places. A share at this limit takes the next place. At most one share
 * can be at the limit, because two would need more places than there are; and never the one that took the last place, because its limit is lower by one. The
 * shares are sorted, so the loop ends where even a full weight is below the limit: O(total) over all calls. */
static uint32_t find_urgent(const struct share *shares, const uint32_t *left, uint32_t count, uint32_t places)
{
    for (uint32_t i = 0; i < count && 2 * (uint64_t)shares[i].weight >= places; i++)
        if (2 * (uint64_t)left[i] == (i == 0 ? places : (uint64_t)places + 1))
            return i;
    return NONE;
}

/* Fills `places` places, the sum of the weights, of which no share has more than half. */
static int smooth_fill(const struct share *shares, uint32_t count, uint32_t *out, uint32_t places)
{
    int result = -ENOMEM;
    struct turns *turns = NULL;
    uint32_t *left = calloc(count, sizeof(*left));
    if (!left)
        goto fail;
    for (uint32_t i = 0; i < count; i++)
        left[i] = shares[i].weight;
    turns = turns_new(left, count);
    if (!turns)
        goto fail;

    uint32_t last = NONE;
    for (; places > 0; places--) {
        uint32_t i = last == NONE ? NONE : find_urgent(shares, left, count, places);
        if (i == NONE)
            i = turns_next(turns);
        assert(i != last && left[i] > 0);
        assert(last != NONE || i == 0); /* the heaviest is due first: find_urgent() relies on it */
        *out++ = shares[i].index;
        left[i]--;
        turns_take(turns, i, true);
        if (last != NONE && left[last] > 0)
            turns_wake(turns, last);
        last = i;
    }
    result = 0;
fail:
    turns_free(turns);
    free(left);
    return result;
}

/* Spreads the first `others` places of `out` over others + share->weight places and fills the gaps, each at least one
 * wide, with the share. */
static void spread_share(uint32_t *out, uint32_t others, struct share share)
{
    uint32_t places = others + share.weight;
    uint32_t end = places; /* gaps from here on are filled */
    for (uint32_t i = others; i > 0; i--) {
        /* `to` is never before the place it comes from, so that going backwards overwrites nothing too early. */
        uint32_t to = (uint32_t)((uint64_t)i * places / others) - 1;
        uint32_t moved = out[i - 1];
        while (end > to + 1)
            out[--end] = share.index;
        out[to] = moved;
        end = to;
    }
    while (end > 0)
        out[--end] = share.index;
}

static int fill_sequence(const struct share *shares, uint32_t count, uint32_t *out, uint32_t places)
{
    uint32_t first = 0;
    while (first < count && 2 * (uint64_t)shares[first].weight > places)
        places -= shares[first++].weight;
    if (first < count) {
        int error = smooth_fill(shares + first, count - first, out, places);
        if (error)
            return error;
    }
    while (first > 0) {
        spread_share(out, places, shares[--first]);
        places += shares[first].weight;
    }
    return 0;
}

int sequence_build(struct snapshot_pool *pool)
{
    uint32_t count = pool->usable_count;
    assert(count > 0);
    int result = -ENOMEM;
    uint32_t *sequence = NULL;
    struct share *shares = calloc(count, sizeof(*shares));
    if (!shares)
        goto fail;
    for (uint32_t i = 0; i < count; i++)
        shares[i] = (struct share){.index = i, .weight = pool->usable[i].weight};
    qsort(shares, count, sizeof(*shares), heavier_first);
    uint32_t places = reduce_shares(shares, count);
    sequence = calloc(places, sizeof(*sequence));
    if (!sequence)
        goto fail;
    result = fill_sequence(shares, count, sequence, places);
    if (result)
        goto fail;
    pool->sequence = sequence; /* the snapshot owns it now */
    pool->sequence_count = places;
    sequence = NULL;
fail:
    free(sequence);
    free(shares);
    return result;
}
