/* test/unit/test_share.c: which targets share a probe, and who leads when targets come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "health/share.h"

static struct share_table table;

static struct addr parse(const char *text)
{
    struct addr addr;

    assert_null(addr_parse(&addr, text));
    return addr;
}

/* Whether a target with the address and settings `b` is served by the probe of one with `a`. */
static bool share_one(const char *address_a, const struct pool_settings *a, const char *address_b, const struct pool_settings *b)
{
    struct addr addr_a = parse(address_a), addr_b = parse(address_b);
    struct share first = {.addr = &addr_a, .settings = a}, second = {.addr = &addr_b, .settings = b};
    bool leads;

    share_init(&table);
    assert_true(share_join(&table, &first));
    leads = share_join(&table, &second);
    assert_ptr_equal(second.leader, leads ? &second : &first);
    return !leads;
}

static void only_what_the_probe_depends_on_must_be_equal(void **state)
{
    const struct pool_settings usual = {.check = CONFIG_CHECK_HTTP, .check_interval_ms = 1000, .check_timeout_ms = 500, .rise = 2, .fall = 3,
                                        .check_path = "/health", .check_port = 80};
    char same_path[] = "/health";
    struct pool_settings other = usual;

    (void)state;
    assert_true(share_one("10.0.0.1:80", &usual, "10.0.0.1:80", &usual));
    assert_false(share_one("10.0.0.1:80", &usual, "10.0.0.1:81", &usual));
    assert_false(share_one("10.0.0.1:80", &usual, "10.0.0.2:80", &usual));
    other.check_path = same_path;
    other.rise = 9;
    other.fall = 9;
    other.busy_is_down = true;
    other.check_initial_up = true;
    other.check_port = 0; /* the address says it */
    other.balance = CONFIG_BALANCE_RANDOM;
    assert_true(share_one("10.0.0.1:80", &usual, "10.0.0.1:80", &other));
    same_path[1] = 'H';
    assert_false(share_one("10.0.0.1:80", &usual, "10.0.0.1:80", &other));
    other = usual;
    other.check_interval_ms = 1001;
    assert_false(share_one("10.0.0.1:80", &usual, "10.0.0.1:80", &other));
    other = usual;
    other.check_timeout_ms = 501;
    assert_false(share_one("10.0.0.1:80", &usual, "10.0.0.1:80", &other));
    other = usual;
    other.check = CONFIG_CHECK_TCP;
    assert_false(share_one("10.0.0.1:80", &usual, "10.0.0.1:80", &other));
    other.check = CONFIG_CHECK_EXEC;
    assert_false(share_one("10.0.0.1:80", &other, "10.0.0.1:80", &other));
}

/* Targets join and leave at random. Afterwards each address in use has one leader, which all its targets name. */
static void every_address_has_one_leader(void **state)
{
    enum { TARGETS = 60, ADDRESSES = 5, STEPS = 20000 };
    static struct share targets[TARGETS];
    static const struct pool_settings settings = {.check = CONFIG_CHECK_TCP};
    const char *const texts[ADDRESSES] = {"10.0.0.1:80", "10.0.0.1:81", "[::1]:80", "unix:/run/a", "unix:@a"};
    struct addr addrs[ADDRESSES];
    uint64_t random = 5;

    (void)state;
    for (int i = 0; i < ADDRESSES; i++)
        addrs[i] = parse(texts[i]);
    share_init(&table);
    for (int step = 0; step < STEPS; step++) {
        struct share *share = &targets[random_below(&random, TARGETS)];
        const struct share *leaders[ADDRESSES] = {NULL};

        if (share->leader) {
            struct share *next = share_leave(&table, share);
            assert_null(share->leader);
            assert_true(!next || next->leader == next);
        } else {
            *share = (struct share){.addr = &addrs[random_below(&random, ADDRESSES)], .settings = &settings};
            bool leads = share_join(&table, share);
            assert_int_equal(leads, share->leader == share);
        }
        for (int i = 0; i < TARGETS; i++) {
            const struct share **leader = targets[i].leader ? &leaders[targets[i].addr - addrs] : NULL;
            if (!leader)
                continue;
            assert_true(!*leader || *leader == targets[i].leader);
            *leader = targets[i].leader;
            assert_ptr_equal((*leader)->leader, *leader);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_the_probe_depends_on_must_be_equal),
        cmocka_unit_test(every_address_has_one_leader),
    };
    return cmocka_run_group_tests_name("share", tests, NULL, NULL);
}
