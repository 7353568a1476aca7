/* admin/api_number.h: a whole number in a URL. Pure function, any thread. */
#ifndef ADMIN_API_NUMBER_H
#define ADMIN_API_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Returns false if the text is not a decimal number, without a sign, from `min` to `max`. */
bool api_number_parse(uint64_t *number, const char *text, uint64_t min, uint64_t max);

#endif
