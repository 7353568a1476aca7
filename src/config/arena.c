/* config/arena.c: memory that is freed all at once. Thread that loads the configuration; the configuration owns the blocks. */
#include "config/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 16384

struct config_arena_block {
    struct config_arena_block *next;
    size_t bytes;
    _Alignas(max_align_t) char data[];
};

void *config_arena_alloc(struct config_arena *arena, size_t bytes)
{
    struct config_arena_block *block = arena->blocks;
    size_t align = _Alignof(max_align_t);

    if (bytes > SIZE_MAX / 2)
        goto fail;
    bytes = (bytes + align - 1) / align * align;
    if (!block || block->bytes - arena->used_bytes < bytes) {
        size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        block = calloc(1, sizeof(*block) + room);
        if (!block)
            goto fail;
        block->bytes = room;
        block->next = arena->blocks;
        arena->blocks = block;
        arena->used_bytes = 0;
    }
    arena->used_bytes += bytes;
    return block->data + arena->used_bytes - bytes;
fail:
    arena->failed = true;
    return NULL;
}

char *config_arena_copy(struct config_arena *arena, const char *text, size_t n)
{
    char *copy = config_arena_alloc(arena, n + 1);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

void config_arena_free(struct config_arena *arena)
{
    while (arena->blocks) {
        struct config_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
    arena->used_bytes = 0;
}
