/* test_cli_find.c: backends by the names that operators write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cli/find.h"

static const char pools[] =
    "{'pools': ["
    " {'name': 'web', 'backends': ["
    "  {'name': 'a', 'state': 'up', 'sessions': 3, 'serves': true},"
    "  {'name': 'b', 'state': 'drain', 'sessions': 2, 'serves': false},"
    "  {'name': 'c', 'state': 'down', 'sessions': 0, 'serves': false},"
    "  {'name': 'd', 'state': 'down', 'sessions': 0, 'serves': true},"
    "  {'name': 'e', 'state': 'ejected', 'sessions': 0, 'serves': false},"
    "  {'name': 'f', 'state': 'up', 'sessions': 1, 'serves': true},"
    "  {'name': 'f', 'state': 'leaving', 'sessions': 4, 'serves': false}]},"
    " {'name': 'api', 'backends': [{'name': 'a', 'state': 'maint', 'sessions': 0, 'serves': false}, {'name': 'gpu-1', 'state': 'up', 'sessions': 0}]}]}";

static json_t *load_pools(void)
{
    char text[sizeof(pools)];
    json_t *json;

    for (size_t i = 0; i < sizeof(pools); i++)
        text[i] = pools[i] == '\'' ? '"' : pools[i];
    json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static void names_are_found_or_explained(void **state)
{
    static const struct {
        const char *name;
        enum find_result result;
        const char *text; /* POOL/BACKEND, or the explanation */
    } rows[] = {
        {"web/a", FIND_DONE, "web/a"},
        {"b", FIND_DONE, "web/b"},
        {"gpu-1", FIND_DONE, "api/gpu-1"},
        {"a", FIND_AMBIGUOUS, "2 pools have a backend \"a\"; write one of web/a, api/a"},
        {"gpu-2", FIND_AMBIGUOUS, "no pool has a backend \"gpu-2\"; did you mean \"api/gpu-1\"?"},
        {"nothing-like-it", FIND_AMBIGUOUS, "no pool has a backend \"nothing-like-it\"; penstock status lists them"},
        {"", FIND_AMBIGUOUS, "no pool has a backend \"\"; penstock status lists them"},
        {"wbe/a", FIND_NO_POOL, "there is no pool \"wbe\"; did you mean \"web\"?"},
        {"nowhere/a", FIND_NO_POOL, "there is no pool \"nowhere\"; penstock status lists the pools"},
        {"/a", FIND_NO_POOL, "there is no pool \"\"; penstock status lists the pools"},
        {"api/gpu-2", FIND_NO_BACKEND, "pool api has no backend \"gpu-2\"; did you mean \"api/gpu-1\"?"},
        {"web/nothing", FIND_NO_BACKEND, "pool web has no backend \"nothing\"; penstock status web lists its backends"},
        {"web/", FIND_NO_BACKEND, "pool web has no backend \"\"; penstock status web lists its backends"},
    };
    json_t *json = load_pools();
    struct find_backend found;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[200];

        assert_int_equal(find_in(json, rows[i].name, &found), rows[i].result);
        snprintf(text, sizeof(text), "%s/%s", found.pool, found.backend);
        assert_string_equal(rows[i].result == FIND_DONE ? text : found.error, rows[i].text);
    }
    json_decref(json);
}

static void answers_of_another_form_have_no_backends(void **state)
{
    static const char *const texts[] = {"{}", "[]", "{\"pools\": 1}", "{\"pools\": [1, {}, {\"name\": \"web\"}, {\"name\": \"web\", \"backends\": [{}]}]}"};
    struct find_backend found;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *json = json_loads(texts[i], 0, NULL);

        assert_non_null(json);
        assert_int_not_equal(find_in(json, "web/a", &found), FIND_DONE);
        assert_int_not_equal(find_in(json, "a", &found), FIND_DONE);
        assert_int_equal(find_sum(json, &found).count, 0);
        json_decref(json);
    }
}

static void backends_of_one_name_are_summed_up(void **state)
{
    static const struct {
        const char *name;
        unsigned count, ordered_out, idle;
        uint64_t sessions;
        const char *state;
    } rows[] = {
        {"web/a", 1, 0, 0, 3, "up"},
        {"web/b", 1, 1, 1, 2, "drain"},
        {"web/c", 1, 0, 1, 0, "down"},
        {"web/d", 1, 0, 0, 0, "down"}, /* it takes sessions although it is down */
        {"web/e", 1, 0, 0, 0, "ejected"},
        {"web/f", 2, 1, 1, 5, "up"},
        {"api/a", 1, 1, 1, 0, "maint"},
        {"web/x", 0, 0, 0, 0, NULL},
    };
    json_t *json = load_pools();
    struct find_backend found;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct find_sum sum;

        (void)find_in(json, rows[i].name, &found);
        sum = find_sum(json, &found);
        assert_int_equal(sum.count, rows[i].count);
        assert_int_equal(sum.ordered_out, rows[i].ordered_out);
        assert_int_equal(sum.idle, rows[i].idle);
        assert_int_equal(sum.sessions, rows[i].sessions);
        if (rows[i].state)
            assert_string_equal(sum.state, rows[i].state);
        else
            assert_null(sum.state);
    }
    json_decref(json);
}

static void paths_are_percent_encoded(void **state)
{
    char *path = remote_path("/v1/pools/%s/backends/%s", "a/b", "..?");

    (void)state;
    assert_string_equal(path, "/v1/pools/a%2Fb/backends/..%3F");
    free(path);
    path = remote_add(remote_add(remote_add(remote_path("/v1/sessions"), "pool", "p q"), "backend", NULL), "client", "10.0.0.0/8");
    assert_string_equal(path, "/v1/sessions?pool=p%20q&client=10.0.0.0%2F8");
    free(path);
    assert_null(remote_add(NULL, "pool", "p"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_or_explained),
        cmocka_unit_test(answers_of_another_form_have_no_backends),
        cmocka_unit_test(backends_of_one_name_are_summed_up),
        cmocka_unit_test(paths_are_percent_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
