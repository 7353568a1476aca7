/* test_cli_status_view.c: the table of `penstock status`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/status_view.h"

/* Prints pools that are given as JSON with ' in place of ". The caller frees the text. */
static char *print_pools(const char *json, bool colours)
{
    char *copy = strdup(json), *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    json_t *pools;

    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\'')
            *at = '"';
    pools = json_loads(copy, 0, NULL);
    assert_non_null(pools);
    status_view_pools(out, pools, colours);
    fclose(out);
    json_decref(pools);
    free(copy);
    return text;
}

#define TIMES "'connect_ms': {'p50': 0.214}, 'first_byte_ms': {'p50': 12.3}"

static void a_pool_is_a_table(void **state)
{
    char *text = print_pools("{'pools': [{'name': 'web', 'usable': 2, 'sessions': 12, 'balance': 'least_conn', 'check': 'http', 'service': 'primaries', 'backends': ["
                             "{'name': 'a', 'state': 'up', 'serves': true, 'share_percent': 100, 'max_connections': 64, 'max_connections_now': 64, 'sessions': 12,"
                             " 'sessions_total': 1234567, 'failed_total': 2, 'connect_failures': 3, 'since_s': 11520, " TIMES "},"
                             "{'name': 'b2', 'state': 'down', 'reason': 'connection refused', 'backup': true, 'sessions': 0, 'since_s': 7,"
                             " 'connect_ms': {'p50': null}}]}]}", false);

    (void)state;
    assert_string_equal(text, "web: 2 of 2 usable, 12 sessions, least_conn, check http\n"
                              "  BACKEND STATE      SESS/LIMIT  TOTAL FAILED   CONN  FIRST  SINCE\n"
                              "  a       up              12/64   1.2M      5 0.21ms   12ms  3h12m\n"
                              "  b2*     down                0      0      0      -      -     7s\n"
                              "      connection refused\n"
                              "  * backup\n");
    free(text);
}

static void what_limits_a_backend_is_told(void **state)
{
    char *text = print_pools("{'pools': [{'name': 'web', 'service': 'panic', 'leaving': true, 'backends': ["
                             "{'name': 'a', 'state': 'up', 'serves': true, 'share_percent': 30, 'slow_start': true, 'max_connections': 64, 'max_connections_now': 20}]}]}",
                             false);

    (void)state;
    assert_non_null(strstr(text, ", leaving\n"));
    assert_non_null(strstr(text, "  new sessions go to: panic\n"));
    assert_non_null(strstr(text, "      gets 30% of the sessions of its weight: it starts slowly\n      limit at present: 20 of 64 sessions\n"));
    free(text);
    text = print_pools("{'pools': [{'name': 'web', 'service': 'none'}]}", false);
    assert_non_null(strstr(text, "  no backend takes new sessions\n"));
    free(text);
}

static void no_line_is_wider_than_80_columns(void **state)
{
    char *text = print_pools("{'pools': [{'name': 'a-pool-with-a-name-that-has-all-of-the-63-characters-that-are-allo', 'usable': 10000, 'sessions': 99999,"
                             " 'balance': 'consistent_hash', 'check': 'https', 'service': 'primaries', 'backends': ["
                             "{'name': 'a-backend-with-a-name-that-has-all-of-the-63-characters-that-are-a', 'state': 'timed-out', 'max_connections': 10000000,"
                             " 'max_connections_now': 10000000, 'sessions': 99999, 'sessions_total': 99999, 'failed_total': 99999, 'backup': true, 'since_s': 8639999,"
                             " 'connect_ms': {'p50': 0.99}, 'first_byte_ms': {'p50': 600000}, 'reason':"
                             " 'a reason with many words that needs several lines because it goes on and on until it has passed the eightieth column of the terminal,"
                             " and-a-word-that-is-longer-than-the-whole-line-is-wide-as-long-paths-of-UNIX-sockets-can-be-in-practice'}]}]}", false);
    char *rest, *line = strtok_r(text, "\n", &rest);
    size_t lines = 0;

    (void)state;
    for (; line; line = strtok_r(NULL, "\n", &rest), lines++)
        if (strlen(line) > STATUS_VIEW_COLUMNS)
            fail_msg("%zu columns: %s", strlen(line), line);
    assert_int_equal(lines, 9);
    free(text);
}

static void states_have_colours_at_a_terminal_only(void **state)
{
    static const char json[] = "{'pools': [{'name': 'web', 'backends': [{'name': 'a', 'state': 'down'}, {'name': 'b', 'state': 'unchecked'}]}]}";
    char *plain = print_pools(json, false), *coloured = print_pools(json, true);

    (void)state;
    assert_null(strchr(plain, '\033'));
    assert_non_null(strstr(coloured, "a       \033[31mdown     \033[0m  "));
    assert_non_null(strstr(coloured, "b       unchecked  "));
    free(plain);
    free(coloured);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_is_a_table),
        cmocka_unit_test(what_limits_a_backend_is_told),
        cmocka_unit_test(no_line_is_wider_than_80_columns),
        cmocka_unit_test(states_have_colours_at_a_terminal_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
