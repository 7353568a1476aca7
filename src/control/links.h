/* control/links.h: answers what the admin thread asks of the process. Within src/control. */
#ifndef CONTROL_LINKS_H
#define CONTROL_LINKS_H

#include "admin/links.h"

/* Fills in the functions. Control, before the admin thread starts. */
void links_make(struct admin_links *links);

#endif
