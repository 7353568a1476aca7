/* health/destination.h: the address that a probe through libcurl connects to. Health thread only. */
#ifndef HEALTH_DESTINATION_H
#define HEALTH_DESTINATION_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/addr.h"

/* Sets the address, with an http URL whose path is "/". Returns false if memory runs out. */
bool destination_set(CURL *easy, const struct addr *addr);

#endif
