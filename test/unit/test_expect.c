/* test_expect.c: what a probe expects of an answer: text, bytes, and regular expressions that must not take long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/expect.h"

static enum expect_verdict match_bytes(const char *text, const char *data, size_t bytes)
{
    char problem[EXPECT_PROBLEM_BYTES];
    struct expect expect;
    enum expect_verdict verdict;

    if (!expect_validate(text, problem))
        fail_msg("%s: %s", text, problem);
    assert_int_equal(expect_init(&expect, text), 0);
    verdict = expect_match(&expect, (const uint8_t *)data, bytes);
    expect_deinit(&expect);
    return verdict;
}

static enum expect_verdict match(const char *text, const char *data)
{
    return match_bytes(text, data, strlen(data));
}

static void a_text_is_the_beginning(void **state)
{
    (void)state;
    assert_int_equal(match("+PONG", ""), EXPECT_OPEN);
    assert_int_equal(match("+PONG", "+PON"), EXPECT_OPEN);
    assert_int_equal(match("+PONG", "+PONG\r\n"), EXPECT_MATCH);
    assert_int_equal(match("+PONG", "-"), EXPECT_MISMATCH);
    assert_int_equal(match("+PONG", "+POMG"), EXPECT_MISMATCH);
    assert_int_equal(match("hex:01 ?2", "\x01\x32"), EXPECT_MATCH);
    assert_int_equal(match("hex:01 ?2", "\x01\x33"), EXPECT_MISMATCH);
}

static void an_expression_is_searched(void **state)
{
    static const struct {
        const char *text, *data;
        bool matches;
    } rows[] = {
        {"regex:^\\+PONG", "+PONG\r\n", true},
        {"regex:^\\+PONG", "-x +PONG\r\n", false},
        {"regex:b", "abc", true},
        {"regex:PONG\\r\\n$", "+PONG\r\n", true},
        {"regex:PONG$", "+PONG\r\n", false},
        {"regex:a|b", "xxb", true},
        {"regex:^a|b", "xxb", true},
        {"regex:^(a|b)", "xxb", false},
        {"regex:[[:digit:]]+ of [^]x]", "12 of ]", false},
        {"regex:[[:digit:]]+ of [^]x]", "12 of y", true},
        {"regex:[]x]y", "]y", true},
        {"regex:[\\r\\n]z", "\nz", true},
        {"regex:[\\r\\n]z", "rz", false},
        {"regex:\\x01\\xff", "..\x01\xff", true},
        {"regex:a\\.b", "axb", false},
        {"regex:a\\.b", "a.b", true},
        {"regex:\\<\\>\\`\\'", "<>`'", true},
        {"regex:\\)\\(", ")(", true},
        {"regex:[\\\\]", "\\", true},
        {"regex:[)]", ")", true},
        {"regex:x{2,3}$", "xx", true},
        {"regex:^x{2,3}$", "xxxx", false},
        {"regex:a.b", "a\nb", true},
        {"regex:^[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+ +[a-z]+ +[a-z]+ +[a-z]+ x{200} ", "1.2.3.4 a b c", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (match(rows[i].text, rows[i].data) != (rows[i].matches ? EXPECT_MATCH : EXPECT_OPEN))
            fail_msg("%s in %s", rows[i].text, rows[i].data);
}

static void zero_bytes_do_not_end_the_search(void **state)
{
    (void)state;
    assert_int_equal(match_bytes("regex:b$", "\0\0a\0b", 5), EXPECT_MATCH);
    assert_int_equal(match_bytes("regex:a[^x]b", "\0\0a\0b", 5), EXPECT_MATCH);
}

static void a_long_answer_is_decided(void **state)
{
    char *data = calloc(1, EXPECT_BYTES_MAX + 2);

    (void)state;
    memset(data, 'a', EXPECT_BYTES_MAX + 1);
    assert_int_equal(match_bytes("regex:b", data, EXPECT_BYTES_MAX - 1), EXPECT_OPEN);
    assert_int_equal(match_bytes("regex:b", data, EXPECT_BYTES_MAX), EXPECT_MISMATCH);
    data[EXPECT_BYTES_MAX] = 'b';
    assert_int_equal(match_bytes("regex:b", data, EXPECT_BYTES_MAX + 1), EXPECT_MISMATCH);
    data[EXPECT_BYTES_MAX - 1] = 'b';
    assert_int_equal(match_bytes("regex:b", data, EXPECT_BYTES_MAX), EXPECT_MATCH);
    free(data);
}

/* regexec(3) alone takes 0.5 to 1 s for each. */
static void no_expression_takes_long(void **state)
{
    static const char *const texts[] = {"regex:a.*b", "regex:([a-z]+)*X$", "regex:(a+a+)+b", "regex:(a|b)*a(a|b){10}c"};
    char *data = calloc(1, EXPECT_BYTES_MAX + 1);

    (void)state;
    memset(data, 'a', EXPECT_BYTES_MAX);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t begin_ns = clock_now_ns();
        assert_int_equal(match_bytes(texts[i], data, EXPECT_BYTES_MAX), EXPECT_MISMATCH);
        uint64_t took_ms = (clock_now_ns() - begin_ns) / 1000000;
        if (took_ms > 200)
            fail_msg("%s took %u ms", texts[i], (unsigned)took_ms);
    }
    free(data);
}

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *text, *problem;
    } rows[] = {
        {"regex:", "has no expression"},
        {"regex:(a", "unmatched ( or \\("},
        {"regex:a)b", "a ) has no (; write \\) for the mark"},
        {"regex:a)(b", "a ) has no (; write \\) for the mark"},
        {"regex:[a", "a [ has no ]"},
        {"regex:[[:digit]", "a [: has no :]"},
        {"regex:[[:number:]]", "invalid character class name"},
        {"regex:*", "invalid preceding regular expression"},
        {"regex:a{3,2}", "invalid content of \\{\\}"},
        {"regex:(a)\\1", "back-references are not possible"},
        {"regex:\\d", "after a \"\\\" comes r, n, t, xNN or a punctuation mark; classes are written [[:digit:]], [[:space:]], [[:alnum:]_]"},
        {"regex:a\\", "after a \"\\\" comes r, n, t, xNN or a punctuation mark; classes are written [[:digit:]], [[:space:]], [[:alnum:]_]"},
        {"regex:\\x0", "after \\x come two hexadecimal digits"},
        {"regex:\\x00", "a regular expression cannot contain a zero byte; use hex:"},
        {"regex:\\x2a", "\\xNN is not for punctuation marks: write the mark, after a \"\\\" if it is an operator"},
        {"regex:[\\]]", "in brackets, a \"\\\" comes only before r, n, t, xNN and \\: put a ] first and a - last"},
        {"regex:((a{100}){100}){100}", "too large: written without +, {n} and {n,m}, it would be longer than 1000"},
        {"regex:a++++++++++++++++++++++++++++", "too large: written without +, {n} and {n,m}, it would be longer than 1000"},
        {"regex:a{0,9999999999999999999999}", "too large: written without +, {n} and {n,m}, it would be longer than 1000"},
        {"regex:((((((((((a+b+)+)+)+)+)+)+)+)+)+)", "too large: written without +, {n} and {n,m}, it would be longer than 1000"},
        {"hex:0", "after hex: come pairs of digits 0-9, a-f or ? for any digit"},
    };
    char problem[EXPECT_PROBLEM_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_false(expect_validate(rows[i].text, problem));
        assert_string_equal(problem, rows[i].problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_the_beginning),
        cmocka_unit_test(an_expression_is_searched),
        cmocka_unit_test(zero_bytes_do_not_end_the_search),
        cmocka_unit_test(a_long_answer_is_decided),
        cmocka_unit_test(no_expression_takes_long),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
