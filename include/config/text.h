/* config/text.h: a configuration as the text of a file. Any thread. */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include "config/config.h"

/* Returns the text of one file from which config_load() makes an equal configuration. It has the sections, keys and values that the files have, in their
 * order; comments are left out, the contents of included files take the place of `include`, and the values of variables that of ${NAME}. Only an
 * expression of check_expect in which a variable has put "${" cannot be written so that it is read again. The caller frees the text. Returns NULL if out of
 * memory. */
char *config_text(const struct config *config);

#endif
