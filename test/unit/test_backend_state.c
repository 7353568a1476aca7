/* test/unit/test_backend_state.c: every combination of the sources' parts, compared with the table in table/backend_state.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "table/backend_state.h"

static const unsigned value_counts[BACKEND_SOURCES] = {
    [BACKEND_PROBE] = BACKEND_PROBE_TIMED_OUT + 1,
    [BACKEND_EJECTION] = BACKEND_EJECTED + 1,
    [BACKEND_ADMIN] = BACKEND_ADMIN_MAINTENANCE + 1,
    [BACKEND_AGENT] = BACKEND_AGENT_DOWN + 1,
    [BACKEND_WEIGHT] = BACKEND_WEIGHT_ZERO + 1,
    [BACKEND_DISCOVERY] = BACKEND_GONE + 1,
};

enum { ANY = -1 };

/* The header's table, row by row. */
static const struct {
    int admin, agent, weight, discovery, probe, ejection;
    enum backend_standing standing;
} rows[] = {
    {BACKEND_ADMIN_MAINTENANCE, ANY, ANY, ANY, ANY, ANY, BACKEND_DOWN},
    {ANY, BACKEND_AGENT_MAINTENANCE, ANY, ANY, ANY, ANY, BACKEND_DOWN},
    {BACKEND_ADMIN_DRAIN, ANY, ANY, ANY, ANY, ANY, BACKEND_DRAINING},
    {ANY, BACKEND_AGENT_DRAIN, ANY, ANY, ANY, ANY, BACKEND_DRAINING},
    {ANY, ANY, BACKEND_WEIGHT_ZERO, ANY, ANY, ANY, BACKEND_DRAINING},
    {ANY, ANY, ANY, BACKEND_GONE, ANY, ANY, BACKEND_DRAINING},
    {BACKEND_READY, BACKEND_AGENT_DOWN, BACKEND_WEIGHT_POSITIVE, BACKEND_PRESENT, ANY, ANY, BACKEND_DOWN},
    {BACKEND_READY, BACKEND_AGENT_READY, BACKEND_WEIGHT_POSITIVE, BACKEND_PRESENT, BACKEND_PROBE_DOWN, ANY, BACKEND_DOWN},
    {BACKEND_READY, BACKEND_AGENT_READY, BACKEND_WEIGHT_POSITIVE, BACKEND_PRESENT, BACKEND_PROBE_TIMED_OUT, ANY, BACKEND_DOWN},
    {BACKEND_READY, BACKEND_AGENT_READY, BACKEND_WEIGHT_POSITIVE, BACKEND_PRESENT, BACKEND_PROBE_UP, BACKEND_EJECTED, BACKEND_DOWN},
    {BACKEND_READY, BACKEND_AGENT_READY, BACKEND_WEIGHT_POSITIVE, BACKEND_PRESENT, BACKEND_PROBE_BUSY, BACKEND_EJECTED, BACKEND_DOWN},
    {BACKEND_READY, BACKEND_AGENT_READY, BACKEND_WEIGHT_POSITIVE, BACKEND_PRESENT, BACKEND_UNCHECKED, BACKEND_EJECTED, BACKEND_DOWN},
    {BACKEND_READY, BACKEND_AGENT_READY, BACKEND_WEIGHT_POSITIVE, BACKEND_PRESENT, BACKEND_PROBE_UP, BACKEND_IN, BACKEND_USABLE},
    {BACKEND_READY, BACKEND_AGENT_READY, BACKEND_WEIGHT_POSITIVE, BACKEND_PRESENT, BACKEND_PROBE_BUSY, BACKEND_IN, BACKEND_USABLE},
    {BACKEND_READY, BACKEND_AGENT_READY, BACKEND_WEIGHT_POSITIVE, BACKEND_PRESENT, BACKEND_UNCHECKED, BACKEND_IN, BACKEND_USABLE},
};

static bool fits(int wanted, unsigned value)
{
    return wanted == ANY || (unsigned)wanted == value;
}

static enum backend_standing expected(const unsigned values[BACKEND_SOURCES])
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (fits(rows[i].admin, values[BACKEND_ADMIN]) && fits(rows[i].agent, values[BACKEND_AGENT]) && fits(rows[i].weight, values[BACKEND_WEIGHT]) &&
            fits(rows[i].discovery, values[BACKEND_DISCOVERY]) && fits(rows[i].probe, values[BACKEND_PROBE]) &&
            fits(rows[i].ejection, values[BACKEND_EJECTION]))
            return rows[i].standing;
    }
    fail_msg("the table has no row for this");
    return BACKEND_DOWN;
}

static void test_every_combination_means_what_the_table_says(void **state)
{
    unsigned combinations = 1;

    (void)state;
    for (int source = 0; source < BACKEND_SOURCES; source++)
        combinations *= value_counts[source];
    for (unsigned i = 0; i < combinations; i++) {
        unsigned values[BACKEND_SOURCES], rest = i;
        uint32_t word = UINT32_MAX; /* all bits are set, and each part must replace its own */

        for (int source = 0; source < BACKEND_SOURCES; source++) {
            values[source] = rest % value_counts[source];
            rest /= value_counts[source];
            word = backend_state_with(word, (enum backend_source)source, values[source]);
        }
        for (int source = 0; source < BACKEND_SOURCES; source++)
            assert_int_equal(backend_state_part(word, (enum backend_source)source), values[source]);
        assert_int_equal(backend_state_standing(word), expected(values));
        assert_int_equal(backend_state_is_down(word), values[BACKEND_ADMIN] == BACKEND_ADMIN_MAINTENANCE || values[BACKEND_AGENT] >= BACKEND_AGENT_MAINTENANCE ||
                                                          values[BACKEND_PROBE] == BACKEND_PROBE_DOWN || values[BACKEND_PROBE] == BACKEND_PROBE_TIMED_OUT);
    }
}

static void test_nothing_said_is_usable(void **state)
{
    (void)state;
    assert_int_equal(backend_state_standing(0), BACKEND_USABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination_means_what_the_table_says),
        cmocka_unit_test(test_nothing_said_is_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
