/* io/handles.h: names for sockets that the kernel may hold on to: slot and generation, never a descriptor or a pointer.
 *
 * A descriptor is reused at once and a pointer may be freed; an event for a handle whose generation has gone by is recognised and dropped.
 * One table per engine instance, used by its thread alone. */
#ifndef IO_HANDLES_H
#define IO_HANDLES_H

#include <stddef.h>
#include <stdint.h>

struct io_sock;

/* 24 bits, so that slot, generation and an 8-bit operation fit the 64 bits that the kernel carries for us. */
#define HANDLE_GENERATION_MASK 0xffffffu

struct handle {
    struct io_sock *sock; /* NULL: free */
    uint32_t generation;  /* of the present or, when free, the next user */
    uint32_t next_free;
};

struct handles {
    struct handle *entries;
    uint32_t count;      /* entries there are; grows by doubling up to max */
    uint32_t max;
    uint32_t free_head;  /* index, or UINT32_MAX */
    uint32_t used;
};

void handles_init(struct handles *handles, uint32_t max);
void handles_deinit(struct handles *handles);

/* Gives the socket a slot (sets sock->slot). 0, -ENFILE (max in use) or -ENOMEM. */
int handles_add(struct handles *handles, struct io_sock *sock);

/* Frees the slot; its generation moves on. */
void handles_remove(struct handles *handles, uint32_t slot);

static inline uint64_t handles_key(const struct handles *handles, uint32_t slot, uint8_t operation)
{
    return (uint64_t)operation << 56 | (uint64_t)handles->entries[slot].generation << 32 | slot;
}

/* The socket that a key names, NULL when it is gone. */
static inline struct io_sock *handles_find(const struct handles *handles, uint64_t key)
{
    uint32_t slot = (uint32_t)key;

    if (slot >= handles->count || handles->entries[slot].generation != (uint32_t)(key >> 32 & HANDLE_GENERATION_MASK))
        return NULL;
    return handles->entries[slot].sock;
}

#endif
