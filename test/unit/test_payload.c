/* test_payload: base/payload: both notations, what a pattern matches, and how bytes are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/payload.h"

#define X64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define X512 X64 X64 X64 X64 X64 X64 X64 X64
#define BAD_ESCAPE "after a \"\\\" comes r, n, t, xNN or a punctuation mark"
#define BAD_HEX "after hex: come pairs of digits 0-9, a-f"
#define BAD_PATTERN "after hex: come pairs of digits 0-9, a-f or ? for any digit"

static void text_has_escapes(void **state)
{
    static const struct {
        const char *text, *wanted;
        size_t count;
    } cases[] = {
        {"PING", "PING", 4},
        {"PING\\r\\n", "PING\r\n", 6},
        {"\\t\\x00\\x7F\\xfe", "\t\0\x7f\xfe", 4},
        {"a\\; b\\\\n\\\"", "a; b\\n\"", 7},
        {"caf\xc3\xa9?", "caf\xc3\xa9?", 6},
        {"\\x68ex:01", "hex:01", 6},
        {"HEX:01", "HEX:01", 6},
        {"hex", "hex", 3},
        {"\\x411", "A1", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int is_pattern = 0; is_pattern < 2; is_pattern++) {
            struct payload payload;
            const char *problem = payload_parse(&payload, cases[i].text, is_pattern);
            if (problem)
                fail_msg("%s: %s", cases[i].text, problem);
            assert_int_equal(payload.count, cases[i].count);
            assert_memory_equal(payload.bytes, cases[i].wanted, cases[i].count);
            for (size_t k = 0; k < payload.count; k++)
                assert_int_equal(payload.masks[k], 0xff);
        }
    }
}

static void hex_has_pairs_of_digits(void **state)
{
    struct payload payload;

    (void)state;
    assert_true(payload_is_hex("hex:01"));
    assert_false(payload_is_hex("hex01"));
    assert_null(payload_parse(&payload, "hex:0102ffAB", false));
    assert_int_equal(payload.count, 4);
    assert_memory_equal(payload.bytes, "\x01\x02\xff\xab", 4);
    assert_null(payload_parse(&payload, "hex: 01  02\tff ", false));
    assert_int_equal(payload.count, 3);
    assert_memory_equal(payload.bytes, "\x01\x02\xff", 3);
}

static void mistakes_are_told_apart(void **state)
{
    static const struct {
        const char *text, *send, *expect; /* the problem in what is sent, and in a pattern */
    } cases[] = {
        {"", "has no bytes", "has no bytes"},
        {"hex:", "has no bytes", "has no bytes"},
        {"hex: ", "has no bytes", "has no bytes"},
        {"hex:1", BAD_HEX, BAD_PATTERN},
        {"hex:0 1", BAD_HEX, BAD_PATTERN},
        {"hex:0g", BAD_HEX, BAD_PATTERN},
        {"hex:0x01", BAD_HEX, BAD_PATTERN},
        {"hex:01,02", BAD_HEX, BAD_PATTERN},
        {"hex:01?", BAD_HEX, BAD_PATTERN},
        {"hex:??", BAD_HEX, NULL},
        {"a\\", BAD_ESCAPE, BAD_ESCAPE},
        {"\\q", BAD_ESCAPE, BAD_ESCAPE},
        {"\\x", BAD_ESCAPE, BAD_ESCAPE},
        {"\\x4", BAD_ESCAPE, BAD_ESCAPE},
        {"\\x4g", BAD_ESCAPE, BAD_ESCAPE},
        {"\\0", BAD_ESCAPE, BAD_ESCAPE},
        {"\\ ", BAD_ESCAPE, BAD_ESCAPE},
        {X512 X512, NULL, NULL},
        {X512 X512 "0", "more than 1024 bytes", "more than 1024 bytes"},
        {"hex:" X512 X512 X512 X512, NULL, NULL},
        {"hex:" X512 X512 X512 X512 "00", "more than 1024 bytes", "more than 1024 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int is_pattern = 0; is_pattern < 2; is_pattern++) {
            struct payload payload;
            const char *problem = payload_parse(&payload, cases[i].text, is_pattern), *wanted = is_pattern ? cases[i].expect : cases[i].send;
            if ((problem == NULL) != (wanted == NULL) || (wanted && strcmp(problem, wanted) != 0))
                fail_msg("%s: \"%s\" instead of \"%s\"", cases[i].text, problem ? problem : "", wanted ? wanted : "");
        }
    }
}

static void expect_match(const char *pattern, const char *data, size_t bytes, bool wanted)
{
    struct payload payload;

    assert_null(payload_parse(&payload, pattern, true));
    if (payload_matches(&payload, (const uint8_t *)data, bytes) != wanted)
        fail_msg("%s %s", pattern, wanted ? "does not match" : "matches");
}

#define MATCHES(pattern, data) expect_match(pattern, data, sizeof(data) - 1, true)
#define DIFFERS(pattern, data) expect_match(pattern, data, sizeof(data) - 1, false)

static void pattern_matches_the_beginning(void **state)
{
    (void)state;
    MATCHES("OK", "OK");
    MATCHES("OK", "OK then");
    DIFFERS("OK", "");
    DIFFERS("OK", "O");
    DIFFERS("OK", "ok");
    DIFFERS("OK", " OK");
    DIFFERS("O?", "OK");
    MATCHES("O?", "O?");
    MATCHES("hex:00", "\0");
    DIFFERS("hex:ff", "\x7f");
    MATCHES("hex:ff", "\xff");
}

static void question_mark_stands_for_any_digit(void **state)
{
    (void)state;
    MATCHES("hex:0102??04", "\x01\x02\x00\x04");
    MATCHES("hex:0102??04", "\x01\x02\xff\x04\x05");
    DIFFERS("hex:0102??04", "\x01\x02\xff\x05");
    DIFFERS("hex:0102??04", "\x01\x02\xff");
    MATCHES("hex:4?", "\x4f");
    DIFFERS("hex:4?", "\x5f");
    MATCHES("hex:?4", "\xf4");
    DIFFERS("hex:?4", "\xf5");
    MATCHES("hex:????", "ab");
    DIFFERS("hex:????", "a");
}

static void expect_shown(const char *data, size_t bytes, bool as_hex, size_t size, const char *wanted)
{
    char buffer[64];

    memset(buffer, '#', sizeof(buffer));
    assert_string_equal(payload_format((const uint8_t *)data, bytes, as_hex, buffer, size), wanted);
    assert_int_equal(buffer[size], '#');
}

static void bytes_are_shown_in_either_notation(void **state)
{
    (void)state;
    expect_shown("NO\r\n\t\\\0\x7f\x80", 9, false, 40, "NO\\r\\n\\t\\\\\\x00\\x7f\\x80");
    expect_shown("\x01\xff", 2, true, 40, "hex:01ff");
    expect_shown("", 0, false, 16, "");
    expect_shown("", 0, true, 16, "hex:");
    expect_shown("0123456789ab", 12, false, 16, "0123456789ab");
    expect_shown("0123456789abcdef", 16, false, 16, "0123456789ab...");
    expect_shown("0123456789\x01", 11, false, 16, "0123456789...");
    expect_shown("abcde", 5, true, 16, "hex:61626364...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_has_escapes),
        cmocka_unit_test(hex_has_pairs_of_digits),
        cmocka_unit_test(mistakes_are_told_apart),
        cmocka_unit_test(pattern_matches_the_beginning),
        cmocka_unit_test(question_mark_stands_for_any_digit),
        cmocka_unit_test(bytes_are_shown_in_either_notation),
    };
    return cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}
