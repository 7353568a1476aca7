/* io/handles.h: identifies sockets to the kernel by slot and generation, not by a descriptor or a pointer.
 *
 * A descriptor is reused at once, and a pointer may be freed. An event for an old generation of a slot is recognised and dropped.
 * Each engine instance has one table, used only by its thread. */
#ifndef IO_HANDLES_H
#define IO_HANDLES_H

#include <stddef.h>
#include <stdint.h>

struct io_sock;

/* 24 bits, so that slot, generation and an 8-bit operation fit into the 64 bits of user_data. */
#define HANDLE_GENERATION_MASK 0xffffffu

struct handle {
    struct io_sock *sock; /* NULL: free */
    uint32_t generation;  /* of the present user, or of the next one if the slot is free */
    uint32_t next_free;
};

struct handles {
    struct handle *entries;
    uint32_t count;      /* number of entries; doubles up to `max` */
    uint32_t max;
    uint32_t free_head;  /* index of the first free slot, or UINT32_MAX */
    uint32_t used;
};

void handles_init(struct handles *handles, uint32_t max);
void handles_deinit(struct handles *handles);

/* Gives the socket a slot and sets sock->slot. Returns 0, -ENFILE if `max` slots are in use, or -ENOMEM. */
int handles_add(struct handles *handles, struct io_sock *sock);

/* Frees the slot and increments its generation. */
void handles_remove(struct handles *handles, uint32_t slot);

static inline uint64_t handles_key(const struct handles *handles, uint32_t slot, uint8_t operation)
{
    return (uint64_t)operation << 56 | (uint64_t)handles->entries[slot].generation << 32 | slot;
}

/* Returns the socket of a key, or NULL if it no longer exists. */
static inline struct io_sock *handles_find(const struct handles *handles, uint64_t key)
{
    uint32_t slot = (uint32_t)key;

    if (slot >= handles->count || handles->entries[slot].generation != (uint32_t)(key >> 32 & HANDLE_GENERATION_MASK))
        return NULL;
    return handles->entries[slot].sock;
}

#endif
