/* admin/api_log.h: the log line about a change that was made on request. Any thread. */
#ifndef ADMIN_API_LOG_H
#define ADMIN_API_LOG_H

#include "admin/http.h"

/* Logs what a request has changed, after who sent it: "admin: uid 0 pid 1234: pool p: backend b: state = drain". */
void api_log_change(const struct http_request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
