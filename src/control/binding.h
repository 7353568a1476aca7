/* control/binding.h: one socket of a listener: its options, its address, and what to say when it cannot be had. Control's thread. */
#ifndef CONTROL_BINDING_H
#define CONTROL_BINDING_H

#include <stdbool.h>

#include "config/config.h"

/* What is being bound. Everything is the configuration's, or of static storage. */
struct binding {
    const struct config_listener *listener;
    const struct config_bind *bind; /* where it was written */
    struct addr addr;               /* what was written, or the loopback address beside it */
    const char *congestion;         /* of the socket itself and so of its clients; NULL: theirs depends on where they are, or is the system's */
};

/* What is written there. `on_loopback` is what congestion_on_loopback() has said. */
struct binding binding_make(const struct config_listener *listener, const struct config_bind *bind, const char *on_loopback);

/* The loopback address of the same port that is bound beside a wildcard address, so that connections within the machine never begin with a congestion control
 * that paces: only the socket that they come to can see to that (io/congestion.h). The configuration allows no other listener there. False: there is none. */
bool binding_beside(const char *on_loopback, const struct binding *wildcard, struct binding *beside);

/* A socket bound to the address, with all options that accepted sockets inherit. `shared`: with SO_REUSEPORT. A descriptor, the caller's, or a negative errno;
 * `*doing` says what failed, in words for binding_complain(). */
int binding_socket(const struct binding *binding, bool shared, const char **doing);

/* One line on standard error: where it is configured, what failed and why (`error`: an errno), and what can be done about it. */
void binding_complain(const struct binding *binding, const char *doing, int error);

#endif
