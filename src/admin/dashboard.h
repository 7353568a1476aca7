/* admin/dashboard.h: the page of the dashboard, which is part of the program. Any thread. */
#ifndef ADMIN_DASHBOARD_H
#define ADMIN_DASHBOARD_H

#include <stddef.h>

/* What a browser may load for the page: nothing but itself and what it fetches from this server. The value of Content-Security-Policy. */
#define DASHBOARD_POLICY \
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; " \
    "frame-ancestors 'none'"

/* The page, as HTML in UTF-8. Static memory. */
const char *dashboard_page(size_t *bytes);

#endif
