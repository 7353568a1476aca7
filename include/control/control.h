/* control/control.h: the main thread of a running Penstock: starts everything, waits for signals, stops everything. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

struct config;

/* Runs Penstock until TERM or INT. The first signal drains the sessions and then ends; a second one ends at once. The configuration is borrowed, and so is
 * `path`, its file.
 *
 * Returns the exit status of the process: 0 after a normal stop; 1 if the start failed, after one line on standard error that says what failed and why. After
 * a failed start, nothing is left open. */
int control_run(const struct config *config, const char *path);

#endif
