/* control/announce.h: the log lines of a start. Control's thread. */
#ifndef CONTROL_ANNOUNCE_H
#define CONTROL_ANNOUNCE_H

#include "config/config.h"
#include "control/capacity.h"

/* Logs the warnings about the configuration. */
void announce_warnings(const struct config *config);

/* Logs which engine, listeners and limits are in use. `admin_warning`: why there is no admin socket, or "". */
void announce_start(const struct config *config, const char *engine, const struct capacity *capacity, const char *admin_warning);

#endif
