/* config/value.h: the text of one key's value, checked and stored. Within src/config; one thread at a time. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/arena.h"
#include "config/keys.h"

/* What was wrong with a value: "not from 1 to 16". */
struct config_problem {
    char text[160];
};

/* Checks `text` and stores it in the field of `object` that the key names; strings are borrowed from `text`, lists come from the arena.
 * BIND, POOL, BACKEND and INCLUDE have no field of their own and are taken as they are. False: `problem` says why, nothing is stored. */
bool config_value_set(const struct config_key *key, const char *text, void *object, struct config_arena *arena,
                      struct config_problem *problem);

/* A whole decimal number from min to max, with neither sign nor unit. False: `problem` says why. */
bool config_value_number(const char *text, uint64_t min, uint64_t max, uint64_t *value, struct config_problem *problem);

bool config_value_is_prime(uint64_t n);

#endif
