/* test_config_hints: a value that is probably a mistake causes one warning, with its file and line and with what to write instead. A value that is written on
 * purpose, or with a backslash, causes none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/load.h"

#define LISTENER "[listener l]\nbind=127.0.0.1:1\npool=p\n"
#define POOL "[pool p]\ncheck=http\nbackend=b 127.0.0.1:2\n"

struct test_case {
    const char *line;   /* a line of [global], [listener l] or [pool p] */
    const char *advice; /* text that the warning contains; NULL: no warning */
};

#define QUOTES "the quotes are part of the value"
#define MARKS "the quotation marks are part of the value"
#define HASH "\"#\" does not start a comment here; it is part of the value"
#define SLASHES "\"//\" or \"/*\" does not start a comment here; it is part of the value"
#define SEMICOLON "the \";\" is part of the value"
#define CUT "the \";\" after a blank starts a comment, between quotes too"
#define SCHEME "a path has no scheme"
#define HOST "a Host header has neither scheme nor path"
#define EQUALS "the second \"=\" is part of the value"
#define TEMPLATE "looks like a template"
#define HOME "\"~\" is not the home directory here"
#define BLANK "the blank and what follows are part of the path"
#define BRACES "write ${NAME} for a variable"
#define COMMAND "commands are not run"

static const struct test_case cases[] = {
    /* quotes */
    {"check_body = \"ok\"", QUOTES},
    {"check_body = 'ok'", QUOTES},
    {"check_body = \"\"", QUOTES},
    {"check_body = \"it is \\\"ok\\\"\"", QUOTES},
    {"log = \"/var/log/x.log\"", QUOTES},
    {"check_body = “ok”", MARKS},
    {"check_body = „ok“", MARKS},
    {"check_body = ‘ok’", MARKS},
    {"check_body = «ok»", MARKS},
    {"check_body = \\\"ok\\\"", NULL},
    {"check_body = \\'ok\\'", NULL},
    {"check_body = \"status\":\"ok\"", NULL},
    {"check_body = {\"status\":\"ok\"}", NULL},
    {"check_body = say \"ok\"", NULL},
    {"check_body = it's fine", NULL},
    {"check_body = \"ready", NULL},
    {"check_body = \"", NULL},
    {"check_body = “ok” and more", NULL},
    {"check_body = “", NULL},
    {"check_body = \"a ; b\"", CUT},
    {"check_body = 'a ; b' ; c", CUT},
    {"check_body = \"a\" ; the \"comment\"", QUOTES},
    {"check_body = a ; b", NULL},
    {"check_body = it's ; it's a comment", NULL},
    /* comments of other kinds */
    {"check_body = ready # wait for it", HASH},
    {"check_body = ready\t#wait", HASH},
    {"check_body = # ready", HASH},
    {"check_body = #", HASH},
    {"log = /var/log/x.log # the log", HASH},
    {"check_body = #ready", NULL},
    {"check_body = ready \\# 1", NULL},
    {"check_path = /a#b", NULL},
    {"check_body = ready ; # wait", NULL},
    {"check_body = ready // wait for it", SLASHES},
    {"check_body = ready /* wait for it */", SLASHES},
    {"check_body = ready \\// wait", NULL},
    {"check_body = ready \\/* wait */", NULL},
    {"check_body = http://ready", NULL},
    {"check_path = //a//b", NULL},
    {"check_body = a /*b", NULL},
    {"check_body = ready;", SEMICOLON},
    {"log = /var/log/x.log;", SEMICOLON},
    {"log = /var/log/x.log; the log", SEMICOLON},
    {"check_body =; none", SEMICOLON},
    {"check_body =;", SEMICOLON},
    {"check_body =\\; none", NULL},
    {"check_body = ready\\;", NULL},
    {"check_body = a;b", NULL},
    {"check_body = text/html; charset=utf-8", NULL},
    {"check_send = a; b", NULL},
    {"check_send = a;", SEMICOLON},
    {"check_path = /a;b", NULL},
    {"check_body == ok", EQUALS},
    {"check_body =\\= ok", NULL},
    {"check_body = a=b", NULL},
    /* variables, commands, templates */
    {"log = $LOGDIR/x.log", BRACES},
    {"log = /var/log/$x", BRACES},
    {"check_body = a $_ b", BRACES},
    {"check_body = \\\\$A", BRACES},
    {"check_body = \\$A", NULL},
    {"check_body = ${HOME}", NULL},
    {"check_body = a$", NULL},
    {"check_body = $5", NULL},
    {"check_body = $(hostname)", COMMAND},
    {"check_body = `hostname`", COMMAND},
    {"check_body = \\$(hostname)", NULL},
    {"check_body = \\`hostname\\`", NULL},
    {"check_body = a `b` c", NULL},
    {"check_host = {{host}}", TEMPLATE},
    {"check_body = {{ host }}", TEMPLATE},
    {"check_body = \\{{ host }}", NULL},
    {"check_body = {\\{ host }}", NULL},
    {"check_body = {\"a\":{\"b\":1}}", NULL},
    {"check_body = $(echo $HOME)", COMMAND},
    /* mistakes that are specific to a key */
    {"log = ~/x.log", HOME},
    {"log = \\~/x.log", NULL},
    {"check_path = /~user", NULL},
    {"log = file:///var/log/x.log", SCHEME},
    {"log = syslog:local0", NULL},
    {"access_log = syslog:daemon", NULL},
    {"log = syslog/file:x", NULL},
    {"access_log = file:/var/log/x.log", SCHEME},
    {"log = ./file:/x.log", NULL},
    {"log = /var/log/a:b", NULL},
    {"bind = unix:/run/x.sock mode=660", BLANK},
    {"bind = unix:/run/x.sock # the socket", HASH},
    {"bind = unix:/run/x.sock // the socket", SLASHES},
    {"bind = unix:/run/x.sock", NULL},
    {"check_host = https://example.com", HOST},
    {"check_host = example.com/health", HOST},
    {"check_host = https:\\/\\/example.com", NULL},
    {"check_host = example.com:80", NULL},
    {"check_body = https://example.com", NULL},
};

/* Writes a configuration with the line in the section to which it belongs. Returns its line number: 2, 6 or 10. */
static int put_line(char *text, size_t size, const char *line)
{
    bool global = strncmp(line, "log", 3) == 0 || strncmp(line, "access_log", 10) == 0, listener = strncmp(line, "bind", 4) == 0;

    snprintf(text, size, "[global]\n%s\n" LISTENER "%s\n" POOL "%s\n", global ? line : "", listener ? line : "", global || listener ? "" : line);
    return global ? 2 : listener ? 6 : 10;
}

static void values_get_the_warnings_that_they_deserve(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config_errors *errors = config_errors_new();
        char text[400], begins[40];
        int line = put_line(text, sizeof(text), cases[i].line);
        struct config *config = config_load_text("test", text, strlen(text), errors);

        if (!config)
            fail_msg("%s", config_errors_text(errors, 0));
        snprintf(begins, sizeof(begins), "test:%d: warning: ", line);
        if (config->warning_count != (cases[i].advice ? 1 : 0))
            fail_msg("%s: %zu warnings, the first is: %s", cases[i].line, config->warning_count, config->warning_count ? config->warnings[0] : "none");
        if (cases[i].advice && (!strstr(config->warnings[0], cases[i].advice) || strncmp(config->warnings[0], begins, strlen(begins)) != 0))
            fail_msg("%s: %s", cases[i].line, config->warnings[0]);
        config_free(config);
        config_errors_free(errors);
    }
}

static void a_warning_explains_an_error(void **state)
{
    static const char text[] = "[global]\nworkers = \"4\"\n" LISTENER POOL "rise = 3 # three\n";
    static const char *const wanted[] = {
        "test:2: workers = \"4\": not a whole number, or auto",
        "test:9: rise = 3 # three: not a whole number",
        "test:2: warning: workers = \"4\": the quotes are part of the value; leave them out, or write a backslash before each that is meant",
        ("test:9: warning: rise = 3 # three: \"#\" does not start a comment here; it is part of the value; write \";\" for a comment at the end of a line, "
         "or \\# if it is meant"),
    };
    struct config_errors *errors = config_errors_new();
    (void)state;
    assert_null(config_load_text("test", text, strlen(text), errors));
    assert_int_equal(config_errors_count(errors), 2);
    assert_int_equal(config_errors_lines(errors), 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(config_errors_text(errors, i), wanted[i]);
    config_errors_free(errors);
}

static void many_warnings_are_told_in_few_lines(void **state)
{
    struct config_errors *errors = config_errors_new();
    char *text = malloc(100000);
    size_t n = (size_t)sprintf(text, LISTENER POOL);
    struct config *config;
    (void)state;
    for (int i = 0; i < 1000; i++)
        n += (size_t)sprintf(text + n, "[pool q%d]\nbackend=b 127.0.0.1:2\n", i);
    config = config_load_text("test", text, n, errors);
    assert_non_null(config);
    assert_int_equal(config->warning_count, 51);
    assert_string_equal(config->warnings[0], "test:7: warning: pool \"q0\" is not used by any listener");
    assert_string_equal(config->warnings[50], "and 950 more warnings");
    config_free(config);
    config_errors_free(errors);
    free(text);
}

static void escapes_are_what_the_warnings_say(void **state)
{
    struct config_errors *errors = config_errors_new();
    static const char text[] = LISTENER POOL "check_body = \\\"a\\\" \\'b\\' \\`c\\` \\# \\; \\$D \\\\ \\= \\/ \\{ \\~\n";
    struct config *config = config_load_text("test", text, strlen(text), errors);
    (void)state;
    assert_non_null(config);
    assert_string_equal(config->pools[0].settings.check_body, "\"a\" 'b' `c` # ; $D \\ = / { ~");
    assert_int_equal(config->warning_count, 0);
    config_free(config);
    config_errors_free(errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_get_the_warnings_that_they_deserve),
        cmocka_unit_test(a_warning_explains_an_error),
        cmocka_unit_test(many_warnings_are_told_in_few_lines),
        cmocka_unit_test(escapes_are_what_the_warnings_say),
    };
    setenv("HOME", "/", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
