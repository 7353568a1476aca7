/* health/destination.h: the address that a probe through libcurl connects to. Health thread only. */
#ifndef HEALTH_DESTINATION_H
#define HEALTH_DESTINATION_H

#include <stdbool.h>

#include "health/transfer.h"

/* Sets the address, with a URL whose path is "/": with http and this address, or over TLS with https, the name that the certificate must be for, and the
 * options of TLS. Returns false if memory runs out. */
bool destination_set(struct probe *probe);

#endif
