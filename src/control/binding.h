/* control/binding.h: one socket of a listener: its options, its address, and the message if it cannot be opened or bound. Control's thread. */
#ifndef CONTROL_BINDING_H
#define CONTROL_BINDING_H

#include <stdbool.h>

#include "config/config.h"

/* What a socket is bound to, and with which settings. All pointers are borrowed from the configuration or point to static storage. */
struct binding {
    const struct config_listener *listener;
    const struct config_bind *bind; /* the `bind` of the configuration, with its file and line */
    struct addr addr;               /* the address of `bind`, or the loopback address that is bound in addition to it */
    const char *congestion;         /* congestion control of the socket, which clients inherit; NULL: it depends on the client's address, or is the system's */
};

/* Makes the binding for the address of `bind`. `on_loopback` is the result of congestion_on_loopback(). */
struct binding binding_make(const struct config_listener *listener, const struct config_bind *bind, const char *on_loopback);

/* Makes the binding of the loopback address that is bound in addition to a wildcard address, with the same port. Through it, connections within the machine
 * never begin with a congestion control that paces, which only the listening socket can ensure (io/congestion.h). The configuration allows no other listener on
 * this address. Returns false if no address is to be added. */
bool binding_beside(const char *on_loopback, const struct binding *wildcard, struct binding *beside);

/* Opens a socket that is bound to the address and has all options that accepted sockets inherit. `shared`: with SO_REUSEPORT. Returns a descriptor, which the
 * caller owns, or a negative errno. `*doing` is then the step that failed, as text for binding_complain(). */
int binding_socket(const struct binding *binding, bool shared, const char **doing);

/* Logs one line with the file and line of the configuration, what failed and why (`error`: a positive errno), and what can be done about it. */
void binding_complain(const struct binding *binding, const char *doing, int error);

#endif
