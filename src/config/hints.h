/* config/hints.h: finds values that are allowed but probably not intended. Within src/config; thread that loads the configuration. */
#ifndef CONFIG_HINTS_H
#define CONFIG_HINTS_H

#include "config/errors.h"
#include "config/keys.h"

/* A value as written in the file. */
struct config_hints_value {
    const struct config_key *key;
    const char *text;      /* escapes and ${NAME} not resolved; not empty */
    const char *comment;   /* the rest of the line, `comment_bytes` long: nothing, or a comment */
    size_t comment_bytes;
};

/* Warns of syntax from other file formats: quotes, other comments, $NAME, commands, "~". A backslash before the character suppresses the warning. The value of
 * ${NAME} is not checked. */
void config_hints_give(struct config_errors *errors, const struct config_place *place, const struct config_hints_value *value);

/* Whether a warning would be given. */
bool config_hints_apply(const struct config_hints_value *value);

#endif
