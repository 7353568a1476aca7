/* health/http_request.h: sets the request of an HTTP probe in libcurl. Health thread only. */
#ifndef HEALTH_HTTP_REQUEST_H
#define HEALTH_HTTP_REQUEST_H

#include <stdbool.h>

#include "health/transfer.h"

/* Sets method, path, headers and protocol. Returns false if memory runs out. */
bool http_request_set(struct probe *probe);

#endif
