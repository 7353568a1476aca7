/* test_line.c: lines of the log and of the access log, as text, as JSON, for syslog and for the journal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log/builder.h"
#include "log/line.h"

#define WHEN {.tv_sec = 1700000000, .tv_nsec = 987654321} /* 2023-11-14T22:13:20.987Z */

static char out[LINE_BYTES_MAX + 1];

static const char *format_line(const struct log_record *record, enum log_target_kind kind, enum log_format format)
{
    const struct line_form form = {.kind = kind, .facility = 16, .format = format};
    size_t bytes = line_format(out, record, &form);

    assert_true(bytes < LINE_BYTES_MAX);
    assert_int_equal(strlen(out), bytes);
    return out;
}

static struct log_record log_record(const char *text, size_t bytes)
{
    struct log_record record = {.when = WHEN, .level = LOG_WARN, .destination = LOG_TO_LOG, .bytes = (uint16_t)bytes};

    memcpy(record.text, text, bytes);
    return record;
}

static struct log_record session_record(void)
{
    struct log_record record = {.when = WHEN, .level = LOG_INFO, .destination = LOG_TO_ACCESS};

    record.access = (struct access_record){
        .number = 17, .worker = 2, .event = ACCESS_END, .spliced = {false, true}, .tries = 3, .replays = 1,
        .connect_us = 1234, .first_byte_us = 56, .duration_us = 61000007, .bytes = {12, UINT64_MAX}, .end = "sH", .reason = "backend did not answer",
        .listener = "front", .pool = "web", .backend = "b1",
    };
    assert_null(addr_parse(&record.access.client, "192.0.2.1:50000"));
    assert_null(addr_parse(&record.access.addr, "[2001:db8::1]:80"));
    return record;
}

static void escaping_stops_before_what_does_not_fit(void **state)
{
    char small[6];
    struct builder builder = builder_begin(small, sizeof(small));

    (void)state;
    builder_escaped(&builder, "a\nb", 3, BUILDER_LINE);
    assert_string_equal(small, "a\\x0a");
    builder = builder_begin(small, sizeof(small));
    builder_escaped(&builder, "ab\ncd", 5, BUILDER_LINE);
    assert_string_equal(small, "ab");
    builder_text(&builder, "e");
    assert_string_equal(small, "ab"); /* what follows would look like the end of the whole text */
    builder = builder_begin(small, sizeof(small));
    builder_escaped(&builder, "abcdefgh", 8, BUILDER_LINE);
    assert_string_equal(small, "abcde");
    assert_true(builder.full);
}

static void numbers_have_all_their_digits(void **state)
{
    char text[64];
    struct builder builder = builder_begin(text, sizeof(text));

    (void)state;
    builder_number(&builder, 0);
    builder_text(&builder, " ");
    builder_number(&builder, UINT64_MAX);
    builder_text(&builder, " ");
    builder_ms(&builder, 0);
    builder_text(&builder, " ");
    builder_ms(&builder, 1050);
    builder_text(&builder, " ");
    builder_ms(&builder, 999999);
    assert_string_equal(text, "0 18446744073709551615 0.000 1.050 999.999");
}

static void a_line_of_the_log_in_each_form(void **state)
{
    static const char text[] = "say \"\x1b[1m\\\"\n";
    struct log_record record = log_record(text, strlen(text));
    char expected[200];

    (void)state;
    assert_string_equal(format_line(&record, LOG_TARGET_FILE, LOG_FORMAT_TEXT), "2023-11-14T22:13:20.987Z warn  say \"\\x1b[1m\\\"\\x0a\n");
    assert_string_equal(format_line(&record, LOG_TARGET_STDOUT, LOG_FORMAT_JSON),
                        "{\"time\":\"2023-11-14T22:13:20.987Z\",\"level\":\"warn\",\"message\":\"say \\\"\\\\x1b[1m\\\\\\\"\\\\x0a\"}\n");
    setenv("TZ", "UTC", 1);
    (void)snprintf(expected, sizeof(expected), "<132>Nov 14 22:13:20 penstock[%d]: say \"\\x1b[1m\\\"\\x0a", (int)getpid());
    assert_string_equal(format_line(&record, LOG_TARGET_SYSLOG, LOG_FORMAT_TEXT), expected);
    assert_string_equal(format_line(&record, LOG_TARGET_JOURNAL, LOG_FORMAT_TEXT),
                        "SYSLOG_IDENTIFIER=penstock\nPRIORITY=4\nMESSAGE=say \"\\x1b[1m\\\"\\x0a\n");
}

#define SESSION_TEXT                                                                                                                     \
    "session=2.17 event=end client=192.0.2.1:50000 listener=front pool=web backend=b1 addr=[2001:db8::1]:80 worker=2 connect_ms=1.234 "  \
    "first_byte_ms=0.056 duration_ms=61000.007 bytes_in=12 bytes_out=18446744073709551615 tries=3 replayed=1 relay_in=copy "              \
    "relay_out=splice end=sH reason=\"backend did not answer\""

static void a_session_in_each_form(void **state)
{
    struct log_record record = session_record();
    const char *journal;
    char expected[600];

    (void)state;
    assert_string_equal(format_line(&record, LOG_TARGET_FILE, LOG_FORMAT_TEXT), "2023-11-14T22:13:20.987Z " SESSION_TEXT "\n");
    (void)snprintf(expected, sizeof(expected), "<134>Nov 14 22:13:20 penstock[%d]: %s", (int)getpid(), SESSION_TEXT);
    assert_string_equal(format_line(&record, LOG_TARGET_SYSLOG, LOG_FORMAT_TEXT), expected);
    journal = format_line(&record, LOG_TARGET_JOURNAL, LOG_FORMAT_TEXT);
    assert_non_null(strstr(journal, "PRIORITY=6\nMESSAGE=" SESSION_TEXT "\nPENSTOCK_SESSION=2.17\n"));
    assert_non_null(strstr(journal, "\nPENSTOCK_CONNECT_MS=1.234\n"));
    assert_non_null(strstr(journal, "\nPENSTOCK_BYTES_IN=12\n"));
    assert_non_null(strstr(journal, "\nPENSTOCK_REASON=backend did not answer\n"));
}

static json_t *parse_line(const struct log_record *record)
{
    json_error_t error;
    json_t *object = json_loads(format_line(record, LOG_TARGET_FILE, LOG_FORMAT_JSON), JSON_REJECT_DUPLICATES, &error);

    assert_non_null(object);
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
    return object;
}

static void a_session_as_json_has_the_types_of_its_values(void **state)
{
    struct log_record record = session_record();
    json_t *object;

    (void)state;
    record.access.bytes[1] = 99;
    record.access.first_byte_us = ACCESS_UNKNOWN;
    record.access.backend[0] = '\0';
    object = parse_line(&record);
    assert_string_equal(json_string_value(json_object_get(object, "time")), "2023-11-14T22:13:20.987Z");
    assert_string_equal(json_string_value(json_object_get(object, "session")), "2.17");
    assert_string_equal(json_string_value(json_object_get(object, "end")), "sH");
    assert_string_equal(json_string_value(json_object_get(object, "reason")), "backend did not answer");
    assert_int_equal(json_integer_value(json_object_get(object, "bytes_out")), 99);
    assert_int_equal(json_integer_value(json_object_get(object, "tries")), 3);
    assert_true(json_real_value(json_object_get(object, "connect_ms")) == 1.234);
    assert_true(json_is_null(json_object_get(object, "first_byte_ms")));
    assert_true(json_is_null(json_object_get(object, "backend")));
    assert_null(json_object_get(object, "client_rtt_ms"));
    json_decref(object);
    assert_non_null(strstr(format_line(&record, LOG_TARGET_FILE, LOG_FORMAT_TEXT), " backend=- "));
    assert_null(strstr(format_line(&record, LOG_TARGET_JOURNAL, LOG_FORMAT_TEXT), "PENSTOCK_BACKEND="));
}

static void both_legs_are_in_the_line_if_they_were_asked_for(void **state)
{
    struct log_record record = session_record();

    (void)state;
    record.access.has_legs = true;
    record.access.legs[0] = (struct access_leg){.known = true, .rtt_us = 20500, .retransmits = 7};
    assert_non_null(strstr(format_line(&record, LOG_TARGET_FILE, LOG_FORMAT_TEXT),
                           " client_rtt_ms=20.500 client_retransmits=7 backend_rtt_ms=- backend_retransmits=- end="));
}

static void a_session_that_goes_on_has_no_end(void **state)
{
    struct log_record record = session_record();

    (void)state;
    record.access.event = ACCESS_ALIVE;
    record.access.end = record.access.reason = NULL;
    assert_non_null(strstr(format_line(&record, LOG_TARGET_FILE, LOG_FORMAT_TEXT), "session=2.17 event=alive client="));
    assert_null(strstr(out, " end="));
    assert_null(strstr(out, "reason"));
}

static void a_flow_has_datagrams_and_nothing_of_tcp(void **state)
{
    struct log_record record = session_record();

    (void)state;
    record.access.is_flow = true;
    record.access.bytes[1] = 5;
    record.access.datagrams[0] = 8;
    record.access.client = (struct addr){0};
    assert_string_equal(format_line(&record, LOG_TARGET_FILE, LOG_FORMAT_TEXT) + 25,
                        "flow=2.17 event=end client=- listener=front pool=web backend=b1 addr=[2001:db8::1]:80 worker=2 duration_ms=61000.007 "
                        "datagrams_in=8 datagrams_out=0 bytes_in=12 bytes_out=5 end=sH reason=\"backend did not answer\"\n");
}

/* A client chooses the name of its UNIX socket. */
static void a_client_cannot_forge_fields(void **state)
{
    struct log_record record = session_record();
    static const char path[] = "/x end=-- \"\xff\\";
    json_t *object;

    (void)state;
    record.access.client = (struct addr){.un.sun_family = AF_UNIX, .length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(path))};
    memcpy(record.access.client.un.sun_path, path, sizeof(path));
    record.access.bytes[1] = 5;
    assert_non_null(strstr(format_line(&record, LOG_TARGET_FILE, LOG_FORMAT_TEXT), " client=unix:/x\\x20end=--\\x20\\x22\\xff\\x5c listener="));
    object = parse_line(&record);
    assert_string_equal(json_string_value(json_object_get(object, "client")), "unix:/x end=-- \"\\xff\\");
    json_decref(object);
    assert_non_null(strstr(format_line(&record, LOG_TARGET_JOURNAL, LOG_FORMAT_TEXT), "\nPENSTOCK_CLIENT=unix:/x end=-- \"\\xff\\\nPENSTOCK_LISTENER"));
}

static void the_longest_lines_are_whole(void **state)
{
    static const enum log_target_kind kinds[] = {LOG_TARGET_FILE, LOG_TARGET_SYSLOG, LOG_TARGET_JOURNAL};
    char text[LOG_LINE_BYTES - 1];
    struct log_record line, session = session_record();
    struct access_record *access = &session.access;
    json_t *object;

    (void)state;
    memset(text, '\n', sizeof(text)); /* five bytes each in JSON */
    line = log_record(text, sizeof(text));
    access->client = (struct addr){.un.sun_family = AF_UNIX, .length = sizeof(struct sockaddr_un)};
    memset(access->client.un.sun_path, '\xff', sizeof(access->client.un.sun_path));
    access->addr = access->client;
    for (char *name = access->listener; name; name = name == access->listener ? access->pool : name == access->pool ? access->backend : NULL) {
        memset(name, 'n', ACCESS_NAME_BYTES - 1);
        name[ACCESS_NAME_BYTES - 1] = '\0';
    }
    access->number = access->bytes[0] = access->bytes[1] = UINT64_MAX;
    access->connect_us = access->first_byte_us = access->duration_us = UINT64_MAX - 1;
    access->worker = access->tries = access->replays = UINT32_MAX;
    access->has_legs = true;
    access->legs[0] = access->legs[1] = (struct access_leg){true, UINT32_MAX, UINT32_MAX};
    for (size_t i = 0; i < 2 * sizeof(kinds) / sizeof(kinds[0]); i++) {
        (void)format_line(&line, kinds[i / 2], i % 2 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
        assert_non_null(strstr(out, "x0a"));
        (void)format_line(&session, kinds[i / 2], i % 2 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
        assert_non_null(strstr(out, "backend did not answer"));
        assert_true(strchr("\n\"}", out[strlen(out) - 1]) != NULL);
    }
    object = parse_line(&line);
    assert_int_equal(json_string_length(json_object_get(object, "message")), 4 * sizeof(text));
    json_decref(object);
}

static void a_name_is_copied_with_its_end(void **state)
{
    char name[ACCESS_NAME_BYTES], longest[ACCESS_NAME_BYTES + 10];

    (void)state;
    access_name(name, "web");
    assert_string_equal(name, "web");
    memset(longest, 'x', sizeof(longest));
    longest[ACCESS_NAME_BYTES - 1] = '\0';
    access_name(name, longest);
    assert_string_equal(name, longest);
}

static void targets_are_parsed(void **state)
{
    static const struct {
        const char *text;
        bool good;
        struct log_target target;
    } rows[] = {
        {"stderr", true, {.kind = LOG_TARGET_STDERR}},
        {"stdout", true, {.kind = LOG_TARGET_STDOUT}},
        {"journal", true, {.kind = LOG_TARGET_JOURNAL}},
        {"syslog", true, {.kind = LOG_TARGET_SYSLOG, .facility = 3}},
        {"syslog:local0", true, {.kind = LOG_TARGET_SYSLOG, .facility = 16}},
        {"syslog:local7", true, {.kind = LOG_TARGET_SYSLOG, .facility = 23}},
        {"syslog:authpriv", true, {.kind = LOG_TARGET_SYSLOG, .facility = 10}},
        {"syslog:", false, {0}},
        {"syslog:kern", false, {0}},
        {"syslog:local8", false, {0}},
        {"syslogs/file", true, {.kind = LOG_TARGET_FILE}},
        {"./stderr", true, {.kind = LOG_TARGET_FILE}},
        {"penstock.log", false, {0}},
        {"", false, {0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct log_target target;

        assert_int_equal(log_target_parse(&target, rows[i].text), rows[i].good);
        if (!rows[i].good)
            continue;
        assert_int_equal(target.kind, rows[i].target.kind);
        assert_int_equal(target.facility, rows[i].target.facility);
        assert_ptr_equal(target.path, target.kind == LOG_TARGET_FILE ? rows[i].text : NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escaping_stops_before_what_does_not_fit),
        cmocka_unit_test(numbers_have_all_their_digits),
        cmocka_unit_test(a_line_of_the_log_in_each_form),
        cmocka_unit_test(a_session_in_each_form),
        cmocka_unit_test(a_session_as_json_has_the_types_of_its_values),
        cmocka_unit_test(both_legs_are_in_the_line_if_they_were_asked_for),
        cmocka_unit_test(a_session_that_goes_on_has_no_end),
        cmocka_unit_test(a_flow_has_datagrams_and_nothing_of_tcp),
        cmocka_unit_test(a_client_cannot_forge_fields),
        cmocka_unit_test(the_longest_lines_are_whole),
        cmocka_unit_test(a_name_is_copied_with_its_end),
        cmocka_unit_test(targets_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
