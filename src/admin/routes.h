/* admin/routes.h: the table of paths that the admin thread serves, and the search in it. Constant; any thread. */
#ifndef ADMIN_ROUTES_H
#define ADMIN_ROUTES_H

#include "admin/admin.h"
#include "admin/http.h"

/* What a handler works on. */
struct admin_service {
    struct admin_facts facts;
    const struct admin_links *links;
    enum admin_state state;
};

struct route {
    enum http_method method; /* all methods but GET change something, and are allowed only on the admin socket */
    const char *pattern;     /* "/v1/pools/{pool}/backends": a segment in braces matches any that is not empty */
    /* Sets the answer. Admin thread. May wait as long as the links do. */
    void (*handle)(const struct admin_service *service, const struct http_request *request, struct http_answer *answer);
};

extern const struct route routes[];
extern const size_t route_count;

/* Returns the route of the request, and sets the request's values. `read_only`: the request did not come through the admin socket. Returns NULL after answering
 * 403, 404 or 405. */
const struct route *route_find(struct http_request *request, bool read_only, struct http_answer *answer);

#endif
