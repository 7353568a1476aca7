/* test/unit/test_service.c: which backends take new sessions, by the table in table/service.h. Test thread only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pools.h"

#define OPEN CONFIG_ALL_DOWN_OPEN
#define CLOSED CONFIG_ALL_DOWN_CLOSED
#define NS UINT64_C(1000000000)

/* One letter for each backend, a capital for a primary: u usable, b busy, d down, t timed out, e ejected, x timed out and ejected, a down by its agent, r draining,
 * m in maintenance, w of weight 0. */
struct row {
    const char *backends;
    uint8_t panic_threshold;
    enum config_all_down all_down;
    enum service_rule rule;
    const char *takers; /* one character for each backend: 1 if it takes new sessions, + if it is in reserve, 0 otherwise */
};

static const struct row rows[] = {
    {"UUu", 0, CLOSED, SERVICE_PRIMARIES, "11+"},
    {"UDu", 0, CLOSED, SERVICE_PRIMARIES, "10+"},
    {"BTu", 0, CLOSED, SERVICE_PRIMARIES, "10+"},
    {"UEXue", 0, CLOSED, SERVICE_PRIMARIES, "1+0++"},
    {"DDud", 0, CLOSED, SERVICE_BACKUPS, "0010"},
    {"TTu", 0, OPEN, SERVICE_BACKUPS, "001"}, /* a usable backup comes before backends that timed out */
    {"RMu", 0, OPEN, SERVICE_BACKUPS, "001"},

    {"UUDD", 50, CLOSED, SERVICE_PRIMARIES, "1100"}, /* not fewer than half */
    {"UDDD", 50, CLOSED, SERVICE_PANIC, "1111"},
    {"UDAEX", 50, CLOSED, SERVICE_PANIC, "11111"},
    {"UDRMW", 50, CLOSED, SERVICE_PRIMARIES, "10000"}, /* three are not eligible, so one of two is usable */
    {"UDDRMW", 50, CLOSED, SERVICE_PANIC, "111000"},
    {"UDDu", 50, CLOSED, SERVICE_PANIC, "111+"},
    {"DDDuu", 50, CLOSED, SERVICE_BACKUPS, "00011"}, /* healthy backups come before unhealthy primaries */
    {"DDDudd", 50, CLOSED, SERVICE_PANIC, "000111"},
    {"DDdd", 50, CLOSED, SERVICE_PANIC, "1100"},
    {"TDd", 50, CLOSED, SERVICE_PANIC, "110"},
    {"RMdd", 50, CLOSED, SERVICE_PANIC, "0011"},
    {"UD", 100, CLOSED, SERVICE_PANIC, "11"},
    {"UB", 100, CLOSED, SERVICE_PRIMARIES, "11"},
    {"RM", 100, OPEN, SERVICE_NONE, "00"},

    {"TT", 0, CLOSED, SERVICE_TIMED_OUT, "11"},
    {"TDE", 0, OPEN, SERVICE_TIMED_OUT, "10+"}, /* they come before all others */
    {"DDtd", 0, CLOSED, SERVICE_TIMED_OUT, "0010"},
    {"TDt", 0, CLOSED, SERVICE_TIMED_OUT, "100"},
    {"XD", 0, CLOSED, SERVICE_NONE, "00"}, /* sessions failed there too */

    {"DDd", 0, CLOSED, SERVICE_NONE, "000"},
    {"DAEX", 0, OPEN, SERVICE_FAIL_OPEN, "1111"},
    {"DRMWd", 0, OPEN, SERVICE_FAIL_OPEN, "10000"},
    {"RMdd", 0, OPEN, SERVICE_FAIL_OPEN, "0011"},
    {"RMW", 0, OPEN, SERVICE_NONE, "000"},
};

static void set_state(struct pools *p, size_t i, char letter)
{
    static const struct {
        char letter;
        enum backend_source source;
        unsigned value;
    } states[] = {
        {'b', BACKEND_PROBE, BACKEND_PROBE_BUSY},    {'d', BACKEND_PROBE, BACKEND_PROBE_DOWN},
        {'t', BACKEND_PROBE, BACKEND_PROBE_TIMED_OUT}, {'x', BACKEND_PROBE, BACKEND_PROBE_TIMED_OUT},
        {'x', BACKEND_EJECTION, BACKEND_EJECTED},    {'e', BACKEND_EJECTION, BACKEND_EJECTED},
        {'a', BACKEND_AGENT, BACKEND_AGENT_DOWN},    {'r', BACKEND_ADMIN, BACKEND_ADMIN_DRAIN},
        {'m', BACKEND_AGENT, BACKEND_AGENT_MAINTENANCE}, {'w', BACKEND_WEIGHT, BACKEND_WEIGHT_ZERO},
    };

    for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++) {
        if (states[s].letter == (letter | 32))
            table_set_state(p->table, pools_backend(p, i), states[s].source, states[s].value);
    }
}

static void open_row(struct pools *p, const struct row *row)
{
    size_t count = strlen(row->backends);

    pools_init(p, CONFIG_BALANCE_CONSISTENT_HASH, count);
    p->pool.settings.panic_threshold_percent = row->panic_threshold;
    p->pool.settings.all_down = row->all_down;
    for (size_t i = 0; i < count; i++)
        p->backends[i].settings.backup = row->backends[i] >= 'a';
    pools_open(p);
    for (size_t i = 0; i < count; i++)
        set_state(p, i, row->backends[i]);
    pools_publish(p);
}

static void check_row(const struct row *row)
{
    struct pools p;
    const struct service *service;
    uint32_t takers = 0, reserved = 0;

    open_row(&p, row);
    service = &table_pool(p.table, 0)->service;
    assert_int_equal(service->rule, row->rule);
    for (size_t i = 0; row->takers[i]; i++) {
        bool takes = row->takers[i] == '1', is_usable = backend_standing(pools_backend(&p, i)) == BACKEND_USABLE;

        assert_int_equal(service_takes(service, pools_backend(&p, i)), takes);
        assert_int_equal(backend_serves_anyway(pools_backend(&p, i)), takes && !is_usable);
        if (takes)
            assert_ptr_equal(p.snapshot->usable[takers++].backend, pools_backend(&p, i));
        assert_int_equal(service_reserves(service, pools_backend(&p, i)), row->takers[i] == '+');
        if (row->takers[i] == '+')
            assert_ptr_equal(p.snapshot->reserve[reserved++].backend, pools_backend(&p, i));
    }
    assert_int_equal(service->takers, takers);
    assert_int_equal(p.snapshot->usable_count, takers);
    assert_int_equal(p.snapshot->reserve_count, reserved);
    assert_true((pools_pick(&p) != NULL) == (takers > 0)); /* consistent hash has the table of the right kind */
    pools_close(&p);
}

static void test_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_row(&rows[i]);
}

static void test_usable_counts_only_the_healthy(void **state)
{
    struct pools p;

    (void)state;
    open_row(&p, &(struct row){.backends = "UDDD", .panic_threshold = 50});
    assert_int_equal(p.snapshot->usable_count, 4);
    assert_int_equal(table_pool(p.table, 0)->usable, 1);
    pools_close(&p);
}

/* What changes only who takes sessions is published, although no backend becomes usable or stops being so. */
static void test_a_change_among_the_unusable_is_published(void **state)
{
    struct pools p;

    (void)state;
    open_row(&p, &(struct row){.backends = "DD", .all_down = CLOSED});
    assert_null(pools_pick(&p));
    set_state(&p, 1, 't');
    pools_publish(&p);
    assert_ptr_equal(pools_pick(&p), pools_backend(&p, 1));
    set_state(&p, 1, 'r');
    pools_publish(&p);
    assert_null(pools_pick(&p));
    p.pool.settings.all_down = OPEN;
    pools_apply(&p);
    assert_ptr_equal(pools_pick(&p), pools_backend(&p, 0));
    pools_close(&p);
}

static void test_one_that_served_anyway_does_not_start_slowly(void **state)
{
    struct pools p;

    (void)state;
    open_row(&p, &(struct row){.backends = "UU"});
    p.pool.settings.slow_start_ms = 10000;
    pools_apply(&p);
    (void)table_advance(p.table, NS);
    set_state(&p, 0, 'd');
    set_state(&p, 1, 't');
    pools_publish(&p);
    assert_true(backend_serves_anyway(pools_backend(&p, 1)));
    pools_set_up(&p, 1, true);
    assert_int_equal(capacity_weight(pools_backend(&p, 1)), 100);
    pools_set_up(&p, 0, true);
    assert_int_equal(capacity_weight(pools_backend(&p, 0)), 10);
    pools_publish(&p);
    assert_false(backend_serves_anyway(pools_backend(&p, 1)));
    pools_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rules),
        cmocka_unit_test(test_usable_counts_only_the_healthy),
        cmocka_unit_test(test_a_change_among_the_unusable_is_published),
        cmocka_unit_test(test_one_that_served_anyway_does_not_start_slowly),
    };
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
