/* cli/member.h: the members of JSON objects that come from the admin API. Pure functions, any thread. */
#ifndef CLI_MEMBER_H
#define CLI_MEMBER_H

#include <jansson.h>

/* 0 if there is no number of that name. `object` may be NULL, or no object. */
double member_number(const json_t *object, const char *name);

/* "" if there is no string of that name. It belongs to the object. */
const char *member_text(const json_t *object, const char *name);

#endif
