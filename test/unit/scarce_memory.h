/* test/unit/scarce_memory.h: an allocator that runs out of memory when a test asks for it. It replaces the program's allocator. The sanitizers do the same, so
 * with them it does not exist, and MEMORY_IS_SCARCE is not defined. Test thread only. */
#ifndef TEST_UNIT_SCARCE_MEMORY_H
#define TEST_UNIT_SCARCE_MEMORY_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SCARCE_MEMORY_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SCARCE_MEMORY_SANITIZED 1
#endif

/* Number of allocations that still succeed. Negative: all of them. */
static long memory_left = -1;
static bool memory_recovers; /* only one allocation fails, and later ones succeed */
static bool memory_failed;
static long memory_blocks; /* number of blocks that are not freed yet */

#ifndef SCARCE_MEMORY_SANITIZED

#define MEMORY_IS_SCARCE 1

/* glibc's own names for its allocator. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *block);

/* Whether the next allocation fails. After memory_left successful ones, every allocation fails, or only one if memory_recovers is set. */
static bool memory_fails(void)
{
    if (memory_left < 0)
        return false;
    if (memory_failed && memory_recovers)
        return false;
    if (memory_left > 0) {
        memory_left--;
        return false;
    }
    memory_failed = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t bytes)
{
    void *block = memory_fails() ? NULL : __libc_malloc(bytes);
    memory_blocks += block != NULL;
    return block;
}

void *calloc(size_t count, size_t bytes)
{
    void *block = memory_fails() ? NULL : __libc_calloc(count, bytes);
    memory_blocks += block != NULL;
    return block;
}

void *realloc(void *old, size_t bytes)
{
    void *block = memory_fails() ? NULL : __libc_realloc(old, bytes);
    memory_blocks += block != NULL && !old;
    return block;
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    void *block = memory_fails() ? NULL : __libc_memalign(alignment, bytes);
    memory_blocks += block != NULL;
    return block;
}

void free(void *block)
{
    memory_blocks -= block != NULL;
    __libc_free(block);
}

#endif

#endif
