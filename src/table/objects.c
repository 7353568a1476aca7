/* table/objects.c: frees an unused pool. Publisher. */
#include "table/objects.h"

void objects_free_pool(struct pool *pool)
{
    pool->table->slots[pool->slot] = NULL;
    pool_free(pool);
}
