/* admin/dashboard.c: puts dashboard.html into the program, so that one binary is all that must be installed, and serves it. The assembler reads the file, so no
 * source is generated; the path is relative to the root of the project, where make runs. */
#include "admin/dashboard.h"

#include "admin/http.h"

__asm__(".pushsection .rodata\n"
        ".type dashboard_begin, @object\n"
        "dashboard_begin:\n"
        ".incbin \"src/admin/dashboard.html\"\n"
        "dashboard_end:\n"
        ".size dashboard_begin, . - dashboard_begin\n"
        ".popsection\n");

extern const char dashboard_begin[], dashboard_end[];

/* What a browser may load for the page: nothing but its own style and script, and what it fetches from this server. */
static const char policy[] = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; "
                             "form-action 'none'; frame-ancestors 'none'";

void dashboard_get(const struct admin_service *service, const struct http_request *request, struct http_answer *answer)
{
    (void)service;
    if (!http_request_allow(request, NULL, 0, answer))
        return;
    answer->status = 200;
    answer->type = "text/html; charset=utf-8";
    answer->fixed_body = dashboard_begin;
    answer->body_bytes = (size_t)(dashboard_end - dashboard_begin);
    answer->policy = policy;
}
