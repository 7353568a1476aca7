/* table/backend.c: the live object of one backend. Any thread; owned by the table.
 *
 * All orders are relaxed: a count stands for itself and publishes nothing else. */
#include "table/backend.h"

#include <assert.h>
#include <stdatomic.h>

#include "config/config.h"

void backend_init(struct backend *backend, const struct config_backend *config, uint32_t id)
{
    backend->name = config->name;
    backend->addr = config->addr;
    backend->id = id;
    backend->max_connections = config->settings.max_connections;
    atomic_init(&backend->in_flight, 0);
}

bool backend_reserve(struct backend *backend)
{
    if (backend->max_connections == 0) {
        atomic_fetch_add_explicit(&backend->in_flight, 1, memory_order_relaxed);
        return true;
    }
    uint32_t taken = atomic_load_explicit(&backend->in_flight, memory_order_relaxed);
    do {
        if (taken >= backend->max_connections)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&backend->in_flight, &taken, taken + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void backend_release(struct backend *backend)
{
    uint32_t before = atomic_fetch_sub_explicit(&backend->in_flight, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
}

uint32_t backend_in_flight(const struct backend *backend)
{
    return atomic_load_explicit(&backend->in_flight, memory_order_relaxed);
}

bool backend_full(const struct backend *backend)
{
    return backend->max_connections != 0 && backend_in_flight(backend) >= backend->max_connections;
}
