/* control/binding.h: one socket of a listener: its options, its address, and what to say when it cannot be had. Control's thread. */
#ifndef CONTROL_BINDING_H
#define CONTROL_BINDING_H

#include <stdbool.h>

#include "config/config.h"

/* What is being bound. Everything is the configuration's, or of static storage. */
struct binding {
    const struct config_listener *listener;
    const struct config_bind *bind;
    const char *congestion; /* of the socket itself and so of its clients; NULL: theirs depends on where they are, or is the system's */
};

/* A socket bound to the address, with all options that accepted sockets inherit. `shared`: with SO_REUSEPORT. A descriptor, the caller's, or a negative errno;
 * `*doing` says what failed, in words for binding_complain(). */
int binding_socket(const struct binding *binding, bool shared, const char **doing);

/* One line on standard error: where it is configured, what failed and why (`error`: an errno), and what can be done about it. */
void binding_complain(const struct binding *binding, const char *doing, int error);

#endif
