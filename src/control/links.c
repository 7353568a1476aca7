/* control/links.c: the functions that the admin thread calls. They run in that thread. Owns nothing. */
#include "control/links.h"

static int set_log_level(void *context, enum log_level level)
{
    (void)context;
    log_set_level(level);
    return 0;
}

void links_make(struct admin_links *links)
{
    *links = (struct admin_links){.log_level = set_log_level};
}
