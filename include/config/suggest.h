/* config/suggest.h: finds the nearest allowed word, for "did you mean". Pure functions, any thread. */
#ifndef CONFIG_SUGGEST_H
#define CONFIG_SUGGEST_H

/* The best candidate so far. Starts as all zero. */
struct suggest {
    const char *nearest; /* NULL: no candidate was near enough */
    unsigned distance;
};

/* Compares `candidate`, which must stay valid, with `word`; both may have any length. The distance counts inserted, omitted and changed letters and swapped
 * neighbours. A candidate is near if at most a third of the letters differ (one in the shortest words). */
void suggest_offer(struct suggest *suggest, const char *word, const char *candidate);

#endif
