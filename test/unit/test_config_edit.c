/* test_config_edit: changes to a configuration while Penstock runs: what results, what is refused, and how long it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "config/edit.h"
#include "loading.h"
#include "same_config.h"

#define LISTENER "[listener l]\nbind = 127.0.0.1:1\npool = p\n\n"
#define POOL "[pool p]\nbackend = a 127.0.0.1:2 weight=2\nrise = 3\nbackend = b 127.0.0.1:3 state=drain backup\n"
#define OTHER "\n[pool q]\nbackend = a unix:/a\n"

enum { MANY = 10000 };

static struct config *edit(const struct config *config, struct config_edit wanted)
{
    char error[1000] = "";
    int result = 1;
    struct config *changed = config_edit(config, &wanted, &result, error, sizeof(error));

    if (!changed)
        fail_msg("%s", error);
    assert_int_equal(result, 0);
    return changed;
}

/* Checks the text of the pool p after the edit, and that the configuration is the one that a file with this text makes. */
static void assert_becomes(struct config_edit wanted, const char *pool)
{
    struct config *config = load_good(LISTENER POOL OTHER), *changed, *fresh;
    char *before = config_text(config), *after, expected[1000];

    changed = edit(config, wanted);
    snprintf(expected, sizeof(expected), LISTENER "[pool p]\n%s" OTHER, pool);
    after = config_text(changed);
    assert_string_equal(after, expected);
    fresh = load_good(after);
    assert_true(same_config(changed, fresh));
    free(after);
    after = config_text(config);
    assert_string_equal(before, after);
    free(before);
    free(after);
    config_free(config);
    config_free(changed);
    config_free(fresh);
}

static void assert_refused(struct config_edit wanted, int result_wanted, const char *error_wanted)
{
    struct config *config = load_good(LISTENER POOL OTHER);
    char error[1000] = "";
    int result = 0;

    assert_null(config_edit(config, &wanted, &result, error, sizeof(error)));
    assert_string_equal(error, error_wanted);
    assert_int_equal(result, result_wanted);
    config_free(config);
}

#define A "backend = a 127.0.0.1:2 weight=2\nrise = 3\n"
#define B "backend = b 127.0.0.1:3 state=drain backup\n"
#define SET(name, ...) ((struct config_edit){.kind = CONFIG_EDIT_SET, .pool = "p", .backend = name, __VA_ARGS__})
#define ADD(name, ...) ((struct config_edit){.kind = CONFIG_EDIT_ADD, .pool = "p", .backend = name, __VA_ARGS__})
#define REMOVE(name) ((struct config_edit){.kind = CONFIG_EDIT_REMOVE, .pool = "p", .backend = name})

static void an_option_is_set_in_its_line(void **state)
{
    (void)state;
    assert_becomes(SET("a", .weight = "7"), "backend = a 127.0.0.1:2 weight=7\nrise = 3\n" B);
    assert_becomes(SET("a", .weight = "1"), "backend = a 127.0.0.1:2\nrise = 3\n" B);
    assert_becomes(SET("a", .state = "drain", .drain_timeout = "60s"), "backend = a 127.0.0.1:2 weight=2 drain_timeout=60s state=drain\nrise = 3\n" B);
    assert_becomes(SET("a", .max_connections = "9", .check_port = "5", .agent_port = "6"),
                   "backend = a 127.0.0.1:2 weight=2 max_connections=9 check_port=5 agent_port=6\nrise = 3\n" B);
    assert_becomes(SET("b", .state = "ready", .backup = "no"), A "backend = b 127.0.0.1:3\n");
    assert_becomes(SET("b", .state = "", .max_connections = "off"), A "backend = b 127.0.0.1:3 backup\n");
    assert_becomes(SET("b"), A B);
}

static void a_backend_is_added_and_removed(void **state)
{
    (void)state;
    assert_becomes(ADD("c", .address = "[::1]:5"), A B "backend = c [::1]:5\n");
    assert_becomes(ADD("c", .address = "unix:/c;d", .weight = "3", .backup = "yes"), A B "backend = c unix:/c;d weight=3 backup\n");
    assert_becomes(REMOVE("a"), "rise = 3\n" B);
    assert_becomes(REMOVE("b"), A);
}

static void what_a_file_may_not_say_is_refused(void **state)
{
    (void)state;
    assert_refused(SET("a", .weight = "0"), -EINVAL, "backend a: weight=0: not in the range: 1 to 256");
    assert_refused(SET("a", .weight = "2 backup"), -EINVAL, "backend a: weight contains a blank or a control character");
    assert_refused(SET("a", .state = "down"), -EINVAL, "backend a: state=down: not one of: ready, drain, maint");
    assert_refused(SET("a", .backup = "maybe"), -EINVAL, "backend a: backup is yes or no");
    assert_refused(SET("a", .drain_timeout = "5"), -EINVAL, "backend a: drain_timeout=5: needs a unit: ms, s, m or h");
    assert_refused(ADD("c"), -EINVAL, "backend c: a new backend needs an address");
    assert_refused(ADD("c", .address = "unix:/c\n[pool r]"), -EINVAL, "backend c: the address contains a blank or a control character");
    assert_refused(ADD("c", .address = "localhost:1"), -EINVAL, "backend c: address localhost:1: not a numeric address (names are not looked up)");
    assert_refused(ADD("c", .address = "127.0.0.1:1"), -EINVAL,
                   "backend c 127.0.0.1:1: the address of listener l (test:2): connections would loop back");
    assert_refused(ADD("c d", .address = "127.0.0.1:9"), -EINVAL, "names of pools and backends are 1 to 63 letters, digits, \"_\", \"-\" and \".\"");
}

static void what_is_not_there_and_what_is_there_is_told_apart(void **state)
{
    struct config_edit elsewhere = SET("a", .weight = "3");
    (void)state;

    elsewhere.pool = "r";
    assert_refused(elsewhere, -ENOENT, "there is no pool r");
    assert_refused(SET("c", .weight = "3"), -ENOENT, "pool p has no backend c");
    assert_refused(REMOVE("c"), -ENOENT, "pool p has no backend c");
    assert_refused(ADD("a", .address = "127.0.0.1:9"), -EEXIST, "pool p has a backend a already");
    elsewhere = REMOVE("a");
    elsewhere.pool = "q";
    assert_refused(elsewhere, -EBUSY, "backend a is the only one of pool q, which needs one: add another one first, or let this one drain");
}

/* Only one pass over the file is needed to say what is wrong elsewhere. */
static void an_error_elsewhere_names_its_line(void **state)
{
    struct config *config = load_good(LISTENER "[pool p]\nbalance = consistent_hash\nhash_table_size = 3\nbackend = a 127.0.0.1:2\nbackend = b 127.0.0.1:3\n"
                                      "backend = c 127.0.0.1:4\n");
    struct config_edit wanted = ADD("d", .address = "127.0.0.1:5");
    char error[1000] = "";
    int result;
    (void)state;

    assert_null(config_edit(config, &wanted, &result, error, sizeof(error)));
    assert_string_equal(error, "test:7: hash_table_size = 3: fewer entries than the 4 backends of pool \"p\"");
    assert_int_equal(result, -EINVAL);
    config_free(config);
}

static void many_random_changes_give_what_a_fresh_start_gives(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"}, *const states[] = {"ready", "drain", "maint", ""};
    struct config *config = load_good(LISTENER POOL OTHER);
    uint64_t seed = 1;
    unsigned done = 0;
    (void)state;

    for (unsigned i = 0; i < 1000; i++) {
        char weight[16], address[32], error[1000];
        struct config_edit wanted = {.kind = (enum config_edit_kind)random_below(&seed, 3), .pool = "p", .backend = names[random_below(&seed, 5)]};
        struct config *changed;
        int result;

        snprintf(weight, sizeof(weight), "%u", random_below(&seed, 260));
        snprintf(address, sizeof(address), "10.0.0.1:%u", 1 + random_below(&seed, 65535));
        wanted.address = address;
        wanted.weight = random_below(&seed, 2) > 0 ? weight : NULL;
        wanted.state = random_below(&seed, 2) > 0 ? states[random_below(&seed, 4)] : NULL;
        changed = config_edit(config, &wanted, &result, error, sizeof(error));
        if (!changed)
            continue;
        assert_true(same_config_from_text(changed));
        config_free(config);
        config = changed;
        done++;
    }
    assert_true(done > 300);
    config_free(config);
}

/* Control waits for this, and takes no signals meanwhile. */
static void a_change_among_10000_backends_is_quick(void **state)
{
    struct config *config, *changed;
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    uint64_t began_ns, took_ns = UINT64_MAX;
    (void)state;

    fputs(LISTENER "[pool p]\n", out);
    for (unsigned i = 0; i < MANY; i++)
        fprintf(out, "backend = backend-%u 10.0.%u.%u:80 weight=%u max_connections=100\n", i, i / 250, i % 250, 1 + i % 256);
    assert_int_equal(fclose(out), 0);
    config = load_good(text);
    for (int i = 0; i < 5; i++) {
        began_ns = clock_now_ns();
        changed = edit(config, SET("backend-9999", .weight = "7"));
        if (clock_now_ns() - began_ns < took_ns)
            took_ns = clock_now_ns() - began_ns;
        config_free(changed);
    }
    print_message("a change among %d backends: %.1f ms\n", MANY, (double)took_ns / 1e6);
    assert_true(took_ns < UINT64_C(1000000000)); /* a sanitizer and a busy machine have room, quadratic time has not */
    free(text);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_option_is_set_in_its_line),
        cmocka_unit_test(a_backend_is_added_and_removed),
        cmocka_unit_test(what_a_file_may_not_say_is_refused),
        cmocka_unit_test(what_is_not_there_and_what_is_there_is_told_apart),
        cmocka_unit_test(an_error_elsewhere_names_its_line),
        cmocka_unit_test(many_random_changes_give_what_a_fresh_start_gives),
        cmocka_unit_test(a_change_among_10000_backends_is_quick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
