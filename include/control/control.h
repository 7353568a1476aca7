/* control/control.h: the main thread of a running Penstock: starts everything, waits for signals, stops everything. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

struct config;

/* Runs until it is told to stop by TERM or INT (drains, then ends; a second one ends now). The configuration is borrowed. Returns the exit status: 0 after a
 * clean stop, 1 when something could not be started: one line on standard error has then said what and why, and nothing is left behind. */
int control_run(const struct config *config);

#endif
