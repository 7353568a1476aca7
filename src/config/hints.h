/* config/hints.h: values that are allowed, but probably not intended. Within src/config; whoever loads runs it. */
#ifndef CONFIG_HINTS_H
#define CONFIG_HINTS_H

#include "config/errors.h"
#include "config/keys.h"

/* A value as it stands in the file. */
struct config_hints_value {
    const struct config_key *key;
    const char *text;      /* escapes and ${NAME} not resolved; not empty */
    const char *comment;   /* what follows on the line, `comment_bytes` of it: nothing, or a comment */
    size_t comment_bytes;
};

/* Warns of what habits from other file formats leave behind: quotes, comments of other kinds, $NAME, commands, "~". A backslash before the character
 * suppresses the warning. What ${NAME} stands for is not looked at. */
void config_hints_give(struct config_errors *errors, const struct config_place *place, const struct config_hints_value *value);

#endif
