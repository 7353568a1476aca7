/* config/suggest.c: finds the nearest word by edit distance. Pure functions, any thread. */
#include "config/suggest.h"

#include <string.h>

#define WORD_BYTES_MAX 64

static unsigned min_unsigned(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Returns the optimal string alignment distance (Damerau 1964, restricted to one edit at each position), keeping three rows of the table. If the distance is
 * above `limit`, returns some number above `limit`. */
static unsigned edit_distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes, unsigned limit)
{
    unsigned rows[3][WORD_BYTES_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    unsigned lowest = 0, lowest_before; /* smallest values of the last two rows */

    for (unsigned j = 0; j <= b_bytes; j++)
        last[j] = j;
    for (unsigned i = 1; i <= a_bytes; i++) {
        row[0] = i;
        lowest_before = lowest;
        lowest = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            unsigned changed = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = min_unsigned(changed, min_unsigned(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min_unsigned(row[j], before[j - 2] + 1);
            lowest = min_unsigned(lowest, row[j]);
        }
        if (lowest > limit && lowest_before > limit) /* all further rows depend on these two */
            return limit + 1;
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b_bytes];
}

void suggest_offer(struct suggest *suggest, const char *word, const char *candidate)
{
    size_t word_bytes = strlen(word), candidate_bytes = strlen(candidate);
    size_t longer = candidate_bytes > word_bytes ? candidate_bytes : word_bytes;
    size_t shorter = candidate_bytes > word_bytes ? word_bytes : candidate_bytes;
    unsigned d, limit = longer < 3 ? 1 : (unsigned)longer / 3;

    if (longer > WORD_BYTES_MAX || word_bytes == 0 || (suggest->nearest && suggest->distance == 0))
        return;
    if (suggest->nearest && suggest->distance <= limit)
        limit = suggest->distance - 1; /* only a nearer candidate counts */
    if (longer - shorter > limit) /* each surplus letter is an edit */
        return;
    d = edit_distance(word, word_bytes, candidate, candidate_bytes, limit);
    if (d > limit)
        return;
    suggest->nearest = candidate;
    suggest->distance = d;
}
