/* config/arena.h: memory that is freed all at once: everything that a configuration points to.
 *
 * One thread at a time. A failed allocation sets `failed`, so that callers that cope with NULL may continue and check once, at the end. */
#ifndef CONFIG_ARENA_H
#define CONFIG_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct config_arena_block;

/* All zero is an empty arena. */
struct config_arena {
    struct config_arena_block *blocks;
    size_t used_bytes; /* in the newest block */
    bool failed;       /* an allocation failed */
};

/* Returns zeroed memory that is aligned for any type, or NULL. */
void *config_arena_alloc(struct config_arena *arena, size_t bytes);
/* Returns a copy of `n` bytes with a terminating zero, or NULL. */
char *config_arena_copy(struct config_arena *arena, const char *text, size_t n);
void config_arena_free(struct config_arena *arena);

#endif
