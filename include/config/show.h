/* config/show.h: a configuration as text, for `penstock check`. Any thread. */
#ifndef CONFIG_SHOW_H
#define CONFIG_SHOW_H

#include <stdio.h>

#include "config/config.h"

/* Writes what would run: the effective value of every key that has a say, the addresses, the pools with their backends. */
void config_show(const struct config *config, FILE *out);

/* Writes every key with its values, default and meaning. */
void config_show_keys(FILE *out);

#endif
