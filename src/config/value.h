/* config/value.h: checks and stores the value of one key. Within src/config; one thread at a time. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/arena.h"
#include "config/keys.h"

/* What is wrong with a value, such as "not from 1 to 16". */
struct config_problem {
    char text[160];
};

/* Checks `text` and stores the value in the key's field of `object`. Strings are borrowed from `text`; lists are allocated in the arena. The types BIND, POOL,
 * BACKEND and INCLUDE have no field and are accepted unchecked. Returns false, without storing anything, after setting `problem`. */
bool config_value_set(const struct config_key *key, const char *text, void *object, struct config_arena *arena,
                      struct config_problem *problem);

/* Parses a whole decimal number from min to max, without sign or unit. Returns false after setting `problem`. */
bool config_value_number(const char *text, uint64_t min, uint64_t max, uint64_t *value, struct config_problem *problem);

bool config_value_is_prime(uint64_t n);

#endif
