/* config/suggest.h: "did you mean": the nearest of the words that were allowed. Pure functions, any thread. */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

/* The best candidate so far; all zero to begin with. */
struct suggest {
    const char *nearest; /* NULL: nothing was near enough to be what was meant */
    unsigned distance;
};

/* Weighs `candidate`, which must stay valid, against `word`, both of any length. Distance counts letters put in, left out, changed, and
 * neighbours swapped; a candidate counts as near when at most a third of the letters differ (one in the shortest words). */
void suggest_offer(struct suggest *suggest, const char *word, const char *candidate);

#endif
