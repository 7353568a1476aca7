/* log/line.c: turns a record into what a sink writes. The log thread; owns nothing. */
#include "log/line.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log/builder.h"
#include "log/fields.h"

/* Severities of RFC 3164, section 4.1.1. */
static const unsigned severities[] = {[LOG_ERROR] = 3, [LOG_WARN] = 4, [LOG_INFO] = 6, [LOG_DEBUG] = 7};

static void add_time(struct builder *builder, const struct timespec *when)
{
    struct tm utc;
    char text[32];

    gmtime_r(&when->tv_sec, &utc);
    builder_add(builder, text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc));
    (void)snprintf(text, sizeof(text), ".%03uZ", (unsigned)(when->tv_nsec / 1000000) % 1000);
    builder_text(builder, text);
}

/* Numbers are written alike in both formats. */
static void add_number(struct builder *builder, const struct field *field)
{
    if (field->kind == FIELD_MS)
        builder_ms(builder, field->number);
    else
        builder_number(builder, field->number);
}

/* ---- text ---- */

static void add_field_text(struct builder *builder, const struct field *field)
{
    builder_text(builder, field->name);
    builder_text(builder, "=");
    switch (field->kind) {
    case FIELD_NONE:
        builder_text(builder, "-");
        break;
    case FIELD_WORD:
        builder_escaped(builder, field->text, strlen(field->text), BUILDER_WORD);
        break;
    case FIELD_TEXT:
        builder_text(builder, "\"");
        builder_text(builder, field->text);
        builder_text(builder, "\"");
        break;
    case FIELD_NUMBER:
    case FIELD_MS:
        add_number(builder, field);
        break;
    }
}

/* The line without its time and level. */
static void add_text(struct builder *builder, const struct log_record *record, const struct fields *fields)
{
    if (record->destination == LOG_TO_LOG) {
        builder_escaped(builder, record->text, record->bytes, BUILDER_LINE);
        return;
    }
    for (size_t i = 0; i < fields->count; i++) {
        builder_text(builder, i > 0 ? " " : "");
        add_field_text(builder, &fields->list[i]);
    }
}

/* ---- JSON ---- */

static void add_json_string(struct builder *builder, const char *text, size_t bytes)
{
    builder_text(builder, "\"");
    builder_escaped(builder, text, bytes, BUILDER_JSON);
    builder_text(builder, "\"");
}

static void add_field_json(struct builder *builder, const struct field *field)
{
    builder_text(builder, ",\"");
    builder_text(builder, field->name);
    builder_text(builder, "\":");
    switch (field->kind) {
    case FIELD_NONE:
        builder_text(builder, "null");
        break;
    case FIELD_WORD:
    case FIELD_TEXT:
        add_json_string(builder, field->text, strlen(field->text));
        break;
    case FIELD_NUMBER:
    case FIELD_MS:
        add_number(builder, field);
        break;
    }
}

static void add_json(struct builder *builder, const struct log_record *record, const struct fields *fields)
{
    builder_text(builder, "{\"time\":\"");
    add_time(builder, &record->when);
    builder_text(builder, "\"");
    if (record->destination == LOG_TO_LOG) {
        builder_text(builder, ",\"level\":\"");
        builder_text(builder, log_level_names[record->level]);
        builder_text(builder, "\",\"message\":");
        add_json_string(builder, record->text, record->bytes);
    }
    for (size_t i = 0; i < fields->count; i++)
        add_field_json(builder, &fields->list[i]);
    builder_text(builder, "}");
}

/* ---- the forms ---- */

static void add_body(struct builder *builder, const struct log_record *record, const struct fields *fields, const struct line_form *form)
{
    if (form->format == LOG_FORMAT_JSON)
        add_json(builder, record, fields);
    else
        add_text(builder, record, fields);
}

static void add_stream_line(struct builder *builder, const struct log_record *record, const struct fields *fields, const struct line_form *form)
{
    char level[12] = " ";

    if (record->destination == LOG_TO_LOG)
        (void)snprintf(level, sizeof(level), " %-5s ", log_level_names[record->level]);
    if (form->format == LOG_FORMAT_TEXT) {
        add_time(builder, &record->when);
        builder_text(builder, level);
    }
    add_body(builder, record, fields, form);
    builder_text(builder, "\n");
}

static void add_syslog_line(struct builder *builder, const struct log_record *record, const struct fields *fields, const struct line_form *form)
{
    struct tm local;
    char head[64], when[24];

    localtime_r(&record->when.tv_sec, &local);
    (void)strftime(when, sizeof(when), "%b %e %H:%M:%S", &local);
    (void)snprintf(head, sizeof(head), "<%u>%s penstock[%d]: ", form->facility * 8 + severities[record->level], when, (int)getpid());
    builder_text(builder, head);
    add_body(builder, record, fields, form);
}

static void add_journal_field(struct builder *builder, const struct field *field)
{
    char name[32] = "PENSTOCK_";
    size_t length = strlen(name);

    if (field->kind == FIELD_NONE)
        return;
    for (const char *at = field->name; *at != '\0' && length + 1 < sizeof(name); at++)
        name[length++] = (char)toupper((unsigned char)*at);
    builder_add(builder, name, length);
    builder_text(builder, "=");
    if (field->kind == FIELD_NUMBER)
        builder_number(builder, field->number);
    else if (field->kind == FIELD_MS)
        builder_ms(builder, field->number);
    else
        builder_escaped(builder, field->text, strlen(field->text), BUILDER_LINE);
    builder_text(builder, "\n");
}

static void add_journal_entry(struct builder *builder, const struct log_record *record, const struct fields *fields, const struct line_form *form)
{
    builder_text(builder, "SYSLOG_IDENTIFIER=penstock\nPRIORITY=");
    builder_number(builder, severities[record->level]);
    builder_text(builder, "\nMESSAGE=");
    add_body(builder, record, fields, form);
    builder_text(builder, "\n");
    for (size_t i = 0; i < fields->count; i++)
        add_journal_field(builder, &fields->list[i]);
}

size_t line_format(char *out, const struct log_record *record, const struct line_form *form)
{
    struct builder builder = builder_begin(out, LINE_BYTES_MAX);
    struct fields fields = {.count = 0};

    if (record->destination == LOG_TO_ACCESS)
        fields_list(&fields, &record->access);
    switch (form->kind) {
    case LOG_TARGET_FILE:
    case LOG_TARGET_STDERR:
    case LOG_TARGET_STDOUT:
        add_stream_line(&builder, record, &fields, form);
        break;
    case LOG_TARGET_SYSLOG:
        add_syslog_line(&builder, record, &fields, form);
        break;
    case LOG_TARGET_JOURNAL:
        add_journal_entry(&builder, record, &fields, form);
        break;
    }
    return builder.length;
}
