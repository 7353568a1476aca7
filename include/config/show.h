/* config/show.h: a configuration as text, for `penstock check`. Any thread. */
#ifndef CONFIG_SHOW_H
#define CONFIG_SHOW_H

#include <stdio.h>

#include "config/config.h"

/* Writes the resulting configuration: the value of every key that has an effect, the addresses, and the pools with their backends. */
void config_show(const struct config *config, FILE *out);

/* Writes every key with its allowed values, default and meaning. */
void config_show_keys(FILE *out);

#endif
