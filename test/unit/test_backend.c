/* test/unit/test_backend.c: what workers note at a backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"
#include "table/backend.h"
#include "table/pool.h"

static void last_bytes_from_a_backend_are_remembered(void **state)
{
    const uint64_t later_ns = 100 * BACKEND_TICK_NS + 5;
    struct pool *pool = pool_new(NULL, &(struct config_pool){.name = "p"}, 0);
    struct backend *backend = backend_new(pool, &(struct config_backend){.name = "b"}, 0);

    (void)state;
    assert_non_null(backend);
    assert_int_equal(backend_heard_ns(backend), 0);
    backend_note_bytes(backend, later_ns);
    assert_in_range(backend_heard_ns(backend), later_ns - BACKEND_TICK_NS + 1, later_ns);
    backend_note_bytes(backend, later_ns - 3 * BACKEND_TICK_NS); /* by a worker whose turn began earlier */
    assert_in_range(backend_heard_ns(backend), later_ns - BACKEND_TICK_NS + 1, later_ns);
    backend_note_bytes(backend, later_ns + BACKEND_TICK_NS);
    assert_in_range(backend_heard_ns(backend), later_ns + 1, later_ns + BACKEND_TICK_NS);
    backend_free(backend);
    pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(last_bytes_from_a_backend_are_remembered)};

    return cmocka_run_group_tests_name("backend", tests, NULL, NULL);
}
