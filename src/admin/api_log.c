/* admin/api_log.c: the log line about a change that was made on request. Any thread; owns nothing. */
#include "admin/api_log.h"

#include <stdarg.h>
#include <stdio.h>

#include "log/log.h"

void api_log_change(const struct http_request *request, const char *format, ...)
{
    const struct http_peer *peer = &request->peer;
    char text[LOG_LINE_BYTES], who[64] = "unknown process";
    va_list values;

    va_start(values, format);
    (void)vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    if (peer->known)
        (void)snprintf(who, sizeof(who), "uid %u pid %d", (unsigned)peer->uid, (int)peer->pid);
    log_info("admin: %s: %s", who, text);
}
