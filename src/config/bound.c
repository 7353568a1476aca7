/* config/bound.c: index of bound addresses, by the texts of address and interface. Thread that loads the configuration. */
#include "config/bound.h"

#include <stdio.h>
#include <string.h>

#define TEXT_BYTES (ADDR_TEXT_BYTES + 64)

void config_bound_interface(char out[CONFIG_BOUND_INTERFACE_BYTES], const char *name)
{
    snprintf(out, CONFIG_BOUND_INTERFACE_BYTES, "=%s", name);
}

static void format_place(char out[TEXT_BYTES], const struct config_bound_place *place)
{
    snprintf(out, TEXT_BYTES, "%d %d %u %s %s", place->family, place->udp, (unsigned)place->port, place->interface, place->address);
}

void config_bound_add(struct config_bound_index *bounds, const struct config_bound *bound, const struct config_bound_place *place)
{
    char text[TEXT_BYTES], *copy;

    format_place(text, place);
    if (config_index_find(&bounds->index, text))
        return;
    copy = config_arena_copy(&bounds->arena, text, strlen(text));
    if (copy)
        config_index_add(&bounds->index, &bounds->arena, copy, bound);
}

const struct config_bound *config_bound_find(const struct config_bound_index *bounds, const struct config_bound_place *place)
{
    char text[TEXT_BYTES];

    format_place(text, place);
    return config_index_find(&bounds->index, text);
}
