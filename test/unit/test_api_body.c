/* test_api_body.c: JSON bodies of requests, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "admin/api_body.h"

/* Writes the change as text, or what is wrong with it. */
static const char *read_body(enum config_edit_kind kind, const char *body)
{
    static char text[600];
    char options[400], error[API_BODY_ERROR_BYTES];
    struct api_body read;

    if (!api_body_edit(&read, kind, body, strlen(body), error)) {
        assert_null(read.json);
        snprintf(text, sizeof(text), "bad: %s", error);
        return text;
    }
    assert_int_equal(read.edit.kind, kind);
    snprintf(text, sizeof(text), "%s|%s|%s", read.edit.backend ? read.edit.backend : "", read.edit.address ? read.edit.address : "",
             api_body_describe(&read.edit, options, sizeof(options)));
    api_body_clear(&read);
    api_body_clear(&read);
    return text;
}

static void changes_are_read(void **state)
{
    static const struct {
        const char *body, *text;
    } rows[] = {
        {"{\"state\": \"drain\"}", "||state = drain"},
        {"{\"state\": \"drain\", \"drain_timeout\": \"60s\"}", "||state = drain, drain_timeout = 60s"},
        {"{\"weight\": 2}", "||weight = 2"},
        {"{\"weight\": \"2\"}", "||weight = 2"},
        {"{\"weight\": -2}", "||weight = -2"}, /* config_edit() refuses it */
        {"{\"weight\": 9223372036854775807}", "||weight = 9223372036854775807"},
        {"{\"max_connections\": \"off\", \"weight\": 1, \"check_port\": 80, \"agent_port\": 81}",
         "||weight = 1, max_connections = off, check_port = 80, agent_port = 81"},
        {"{\"max_connections\": null}", "||max_connections = default"},
        {"{\"backup\": true}", "||backup = yes"},
        {"{\"backup\": false}", "||backup = no"},
        {"{\"nmae\": 1}", "bad: unknown member \"nmae\"; there are state, drain_timeout, weight, max_connections, check_port, agent_port and backup"},
        {"{\"a\\nb\": 1}", "bad: unknown member \"a?b\"; there are state, drain_timeout, weight, max_connections, check_port, agent_port and backup"},
        {"{\"wieght\": 1}", "bad: unknown member \"wieght\"; did you mean \"weight\"?"},
        {"{\"address\": \"1.2.3.4:5\"}", "bad: address of a backend cannot be changed; remove the backend and add another one"},
        {"{\"weight\": 1, \"weight\": 2}", "bad: the body is not valid JSON: line 1, column 22: duplicate object key near '\"weight\"'"},
        {"{\"weight\": 1.5}", "bad: weight must be a whole number, such as 2"},
        {"{\"weight\": true}", "bad: weight must be a whole number, such as 2"},
        {"{\"weight\": [1]}", "bad: weight must be a whole number, such as 2"},
        {"{\"weight\": \"\"}", "bad: weight: the text is empty; null stands for the default"},
        {"{\"drain_timeout\": 60}", "bad: drain_timeout must be a string, such as \"60s\""},
        {"{\"state\": 1}", "bad: state must be a string, such as \"drain\""},
        {"{\"backup\": \"yes\"}", "bad: backup must be true or false, such as true"},
        {"{}", "bad: the object is empty: nothing to change"},
        {"[]", "bad: the body must be a JSON object, such as {\"state\": \"drain\"}"},
        {"", "bad: the body is empty; send a JSON object"},
        {"{\"state\": \"dr\\u0000ain\"}", "bad: the body is not valid JSON: line 1, column 23: \\u0000 is not allowed without JSON_ALLOW_NUL near '\"dr\\u0000ain\"'"},
        {"{\"weight\": 1} x", "bad: the body is not valid JSON: line 1, column 15: end of file expected near 'x'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(read_body(CONFIG_EDIT_SET, rows[i].body), rows[i].text);
}

static void new_backends_have_a_name_and_an_address(void **state)
{
    static const struct {
        const char *body, *text;
    } rows[] = {
        {"{\"name\": \"b\", \"address\": \"1.2.3.4:5\"}", "b|1.2.3.4:5|"},
        {"{\"name\": \"b\", \"address\": \"1.2.3.4:5\", \"weight\": 2, \"backup\": true}", "b|1.2.3.4:5|weight = 2, backup = yes"},
        {"{\"name\": \"b\"}", "bad: address is missing: write \"address\": \"10.0.0.3:8001\""},
        {"{\"address\": \"1.2.3.4:5\"}", "bad: name is missing: what is the backend called?"},
        {"{\"name\": null, \"address\": \"1.2.3.4:5\"}", "bad: name must be a string, such as \"b3\""},
        {"{\"name\": \"\", \"address\": \"1.2.3.4:5\"}", "bad: name: the text is empty"},
        {"{\"name\": \"b\", \"adress\": \"1.2.3.4:5\"}", "bad: unknown member \"adress\"; did you mean \"address\"?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(read_body(CONFIG_EDIT_ADD, rows[i].body), rows[i].text);
}

static void all_numbers_of_a_body_are_kept(void **state)
{
    static const char text[] = "{\"weight\": 1, \"max_connections\": 2, \"check_port\": 3, \"agent_port\": 4}";
    char error[API_BODY_ERROR_BYTES];
    struct api_body body;

    (void)state;
    assert_true(api_body_edit(&body, CONFIG_EDIT_SET, text, strlen(text), error));
    assert_string_equal(body.edit.weight, "1");
    assert_string_equal(body.edit.max_connections, "2");
    assert_string_equal(body.edit.check_port, "3");
    assert_string_equal(body.edit.agent_port, "4");
    api_body_clear(&body);
}

static void changes_are_told_as_json(void **state)
{
    const struct config_edit edit = {.weight = "2", .drain_timeout = ""};
    json_t *json = api_body_json(&edit);
    char *text = json_dumps(json, JSON_COMPACT);

    (void)state;
    assert_string_equal(text, "{\"drain_timeout\":null,\"weight\":\"2\"}");
    free(text);
    json_decref(json);
}

static void log_levels_are_read(void **state)
{
    static const struct {
        const char *body, *error; /* NULL: none */
        enum log_level level;
    } rows[] = {
        {"{\"level\": \"error\"}", NULL, LOG_ERROR},
        {"{\"level\": \"debug\"}", NULL, LOG_DEBUG},
        {"{\"level\": \"loud\"}", "level must be one of \"error\", \"warn\", \"info\" and \"debug\"", 0},
        {"{\"level\": 1}", "level must be one of \"error\", \"warn\", \"info\" and \"debug\"", 0},
        {"{}", "level must be one of \"error\", \"warn\", \"info\" and \"debug\"", 0},
        {"{\"level\": \"info\", \"x\": 1}", "unknown member \"x\"; there is only level", 0},
        {"[\"info\"]", "the body must be a JSON object, such as {\"state\": \"drain\"}", 0},
    };
    char error[API_BODY_ERROR_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum log_level level = LOG_WARN;

        if (api_body_log_level(&level, rows[i].body, strlen(rows[i].body), error)) {
            assert_null(rows[i].error);
            assert_int_equal(level, rows[i].level);
        } else {
            assert_non_null(rows[i].error);
            assert_string_equal(error, rows[i].error);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_read),
        cmocka_unit_test(new_backends_have_a_name_and_an_address),
        cmocka_unit_test(all_numbers_of_a_body_are_kept),
        cmocka_unit_test(changes_are_told_as_json),
        cmocka_unit_test(log_levels_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
