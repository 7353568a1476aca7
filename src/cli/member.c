/* cli/member.c: reads members of JSON objects, where a missing one counts as 0 or "". Owns nothing. */
#include "cli/member.h"

double member_number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

const char *member_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}
