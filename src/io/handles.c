/* io/handles.c: table of slots with generations. Thread of the engine that embeds it; owns the entries but not the sockets. */
#include "io/handles.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "io/io.h"

enum { FIRST_COUNT = 64 };

void handles_init(struct handles *handles, uint32_t max)
{
    *handles = (struct handles){.max = max, .free_head = UINT32_MAX};
}

void handles_deinit(struct handles *handles)
{
    free(handles->entries);
    handles_init(handles, handles->max);
}

static int grow_table(struct handles *handles)
{
    uint32_t count = handles->count ? handles->count * 2 : FIRST_COUNT;
    struct handle *entries;

    if (count > handles->max)
        count = handles->max;
    if (count <= handles->count)
        return -ENFILE;
    entries = realloc(handles->entries, count * sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    for (uint32_t i = count; i-- > handles->count;) {
        entries[i] = (struct handle){.next_free = handles->free_head};
        handles->free_head = i;
    }
    handles->entries = entries;
    handles->count = count;
    return 0;
}

int handles_add(struct handles *handles, struct io_sock *sock)
{
    struct handle *handle;

    if (handles->free_head == UINT32_MAX) {
        int result = grow_table(handles);
        if (result < 0)
            return result;
    }
    sock->slot = handles->free_head;
    handle = &handles->entries[sock->slot];
    handles->free_head = handle->next_free;
    handle->sock = sock;
    handles->used++;
    return 0;
}

void handles_remove(struct handles *handles, uint32_t slot)
{
    struct handle *handle = &handles->entries[slot];

    assert(slot < handles->count && handle->sock);
    handle->sock = NULL;
    handle->generation = (handle->generation + 1) & HANDLE_GENERATION_MASK;
    handle->next_free = handles->free_head;
    handles->free_head = slot;
    handles->used--;
}
