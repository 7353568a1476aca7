/* admin/api_body.c: the JSON body of a request as a change. Pure functions; a body owns the JSON that its strings lie in. */
#include "admin/api_body.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "admin/api_json.h"
#include "admin/api_level.h"
#include "config/suggest.h"

/* What a member of the body may be, besides null. */
enum form { TEXT, NUMBER, YES_NO };

static const struct member {
    const char *name;
    size_t offset;       /* of the string in struct config_edit */
    enum form form;      /* NUMBER: or a string */
    const char *example;
    bool is_option;      /* of the backend, in the notation of a file */
} members[] = {
    {"name", offsetof(struct config_edit, backend), TEXT, "\"b3\"", false},
    {"address", offsetof(struct config_edit, address), TEXT, "\"10.0.0.3:8001\"", false},
    {"state", offsetof(struct config_edit, state), TEXT, "\"drain\"", true},
    {"drain_timeout", offsetof(struct config_edit, drain_timeout), TEXT, "\"60s\"", true},
    {"weight", offsetof(struct config_edit, weight), NUMBER, "2", true},
    {"max_connections", offsetof(struct config_edit, max_connections), NUMBER, "64", true},
    {"check_port", offsetof(struct config_edit, check_port), NUMBER, "8002", true},
    {"agent_port", offsetof(struct config_edit, agent_port), NUMBER, "9999", true},
    {"backup", offsetof(struct config_edit, backup), YES_NO, "true", true},
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

/* Writes what is wrong, in one line: names in it may be any text. */
static bool __attribute__((format(printf, 2, 3))) refuse_body(char *error, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    (void)vsnprintf(error, API_BODY_ERROR_BYTES, format, values);
    va_end(values);
    for (char *at = error; *at != '\0'; at++)
        if (iscntrl((unsigned char)*at))
            *at = '?';
    return false;
}

/* Where the value of a member goes. */
static const char **value_at(struct config_edit *edit, const struct member *member)
{
    return (const char **)(void *)((char *)edit + member->offset);
}

static const char *value_of(const struct config_edit *edit, const struct member *member)
{
    return *(const char *const *)(const void *)((const char *)edit + member->offset);
}

/* Parses an object. NULL after writing `error`. */
static json_t *parse_object(const char *text, size_t bytes, char *error)
{
    json_error_t problem;
    json_t *json;

    if (bytes == 0) {
        refuse_body(error, "the body is empty; send a JSON object");
        return NULL;
    }
    json = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &problem);
    if (!json) {
        refuse_body(error, "the body is not valid JSON: line %d, column %d: %s", problem.line, problem.column, problem.text);
        return NULL;
    }
    if (json_is_object(json))
        return json;
    json_decref(json);
    refuse_body(error, "the body must be a JSON object, such as {\"state\": \"drain\"}");
    return NULL;
}

/* Stores the value of a member as text. */
static bool take_value(struct api_body *body, const struct member *member, const json_t *value, char *error)
{
    const char *text = NULL;

    if (json_is_null(value) && member->is_option) {
        text = "";
    } else if (json_is_string(value) && member->form != YES_NO) {
        text = json_string_value(value);
        if (*text == '\0')
            return refuse_body(error, "%s: the text is empty%s", member->name, member->is_option ? "; null stands for the default" : "");
    } else if (json_is_integer(value) && member->form == NUMBER) {
        char *number = body->numbers[body->number_count++];
        (void)snprintf(number, API_BODY_NUMBER_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        text = number;
    } else if (json_is_boolean(value) && member->form == YES_NO) {
        text = json_is_true(value) ? "yes" : "no";
    }
    if (!text)
        return refuse_body(error, "%s must be %s, such as %s", member->name,
                           member->form == TEXT ? "a string" : member->form == NUMBER ? "a whole number" : "true or false", member->example);
    *value_at(&body->edit, member) = text;
    return true;
}

static bool unknown_member(enum config_edit_kind kind, const char *name, char *error)
{
    struct suggest suggest = {0};

    for (size_t i = 0; i < MEMBERS; i++) {
        if (members[i].is_option || kind == CONFIG_EDIT_ADD)
            suggest_offer(&suggest, name, members[i].name);
        else if (strcmp(members[i].name, name) == 0)
            return refuse_body(error, "%s of a backend cannot be changed; remove the backend and add another one", name);
    }
    if (suggest.nearest)
        return refuse_body(error, "unknown member \"%.64s\"; did you mean \"%s\"?", name, suggest.nearest);
    return refuse_body(error, "unknown member \"%.64s\"; there are %sstate, drain_timeout, weight, max_connections, check_port, agent_port and backup", name,
                       kind == CONFIG_EDIT_ADD ? "name, address, " : "");
}

/* Stores all members. */
static bool take_members(struct api_body *body, char *error)
{
    enum config_edit_kind kind = body->edit.kind;
    const char *name;
    json_t *value;

    json_object_foreach(body->json, name, value) {
        size_t i = 0;

        while (i < MEMBERS && !(strcmp(members[i].name, name) == 0 && (members[i].is_option || kind == CONFIG_EDIT_ADD)))
            i++;
        if (i == MEMBERS)
            return unknown_member(kind, name, error);
        if (!take_value(body, &members[i], value, error))
            return false;
    }
    if (kind == CONFIG_EDIT_ADD && !body->edit.backend)
        return refuse_body(error, "name is missing: what is the backend called?");
    if (kind == CONFIG_EDIT_ADD && !body->edit.address)
        return refuse_body(error, "address is missing: write \"address\": \"10.0.0.3:8001\"");
    if (json_object_size(body->json) == 0)
        return refuse_body(error, "the object is empty: nothing to change");
    return true;
}

bool api_body_edit(struct api_body *body, enum config_edit_kind kind, const char *text, size_t bytes, char *error)
{
    *body = (struct api_body){.edit.kind = kind, .json = parse_object(text, bytes, error)};
    if (body->json && take_members(body, error))
        return true;
    api_body_clear(body);
    return false;
}

void api_body_clear(struct api_body *body)
{
    json_decref(body->json);
    *body = (struct api_body){0};
}

bool api_body_log_level(enum log_level *level, const char *text, size_t bytes, char *error)
{
    json_t *json = parse_object(text, bytes, error), *value;
    const char *name;
    bool found;

    if (!json)
        return false;
    found = api_level_find(level, json_string_value(json_object_get(json, "level")));
    if (!found)
        refuse_body(error, "level must be one of \"error\", \"warn\", \"info\" and \"debug\"");
    json_object_foreach(json, name, value)
        if (found && strcmp(name, "level") != 0)
            found = refuse_body(error, "unknown member \"%.64s\"; there is only level", name);
    json_decref(json);
    return found;
}

const char *api_body_describe(const struct config_edit *edit, char *text, size_t size)
{
    size_t used = 0;

    *text = '\0';
    for (size_t i = 0; i < MEMBERS; i++) {
        const char *value = members[i].is_option ? value_of(edit, &members[i]) : NULL;

        if (value && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s = %s", used > 0 ? ", " : "", members[i].name, *value != '\0' ? value : "default");
    }
    return text;
}

json_t *api_body_json(const struct config_edit *edit)
{
    json_t *object = json_object();

    for (size_t i = 0; i < MEMBERS; i++) {
        const char *value = members[i].is_option ? value_of(edit, &members[i]) : NULL;

        if (object && value && json_object_set_new(object, members[i].name, api_json_text_or_null(value)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}
