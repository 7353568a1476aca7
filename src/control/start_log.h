/* control/start_log.h: opens the log as configured. Control's thread. */
#ifndef CONTROL_START_LOG_H
#define CONTROL_START_LOG_H

#include "config/config.h"

/* Returns 0, or -1 after logging which target cannot be written, and what to do about it. */
int start_log(const struct config *config);

#endif
