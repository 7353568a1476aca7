/* control/links.h: answers what the admin thread asks of the process. Within src/control. */
#ifndef CONTROL_LINKS_H
#define CONTROL_LINKS_H

#include "admin/links.h"

struct changes;
struct health;
struct worker_shared;

/* What the functions need. Written by control before the admin thread starts, and valid until that has ended. */
struct links {
    const struct worker_shared *shared;
    struct health *health;
    struct changes *changes;
};

/* Fills in the functions, with `context` as their context. Control, before the admin thread starts. */
void links_make(struct admin_links *links, struct links *context);

#endif
