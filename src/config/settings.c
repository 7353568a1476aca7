/* config/settings.c: copies and compares settings, key by key from the table of keys, so that no key can be forgotten. Any thread; owns nothing. */
#include "config/settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config/keys.h"

/* The settings of one section, as the table of keys sees them. */
struct kind {
    enum config_section section;
    size_t offset; /* of `settings` in what the offsets of the keys count from */
    size_t bytes;  /* of the settings */
};

static const struct kind of_listener = {CONFIG_IN_LISTENER, offsetof(struct config_listener, settings), sizeof(struct listener_settings)};
static const struct kind of_pool = {CONFIG_IN_POOL, offsetof(struct config_pool, settings), sizeof(struct pool_settings)};

static bool is_setting(const struct config_key *key, const struct kind *kind)
{
    return key->section == kind->section && key->bytes > 0;
}

static bool is_string(const struct config_key *key)
{
    switch (key->type) {
    case CONFIG_WORD:
    case CONFIG_TEXT:
    case CONFIG_COMMAND:
    case CONFIG_HOST:
    case CONFIG_PATH:
    case CONFIG_SINK:
    case CONFIG_URL_PATH:
    case CONFIG_METHOD:
    case CONFIG_PAYLOAD:
    case CONFIG_EXPECT:
    case CONFIG_STATUS:
        return true;
    default:
        return false;
    }
}

/* The field of a key. */
static const void *field_of(const struct config_key *key, const struct kind *kind, const void *settings)
{
    return (const char *)settings + key->offset - kind->offset;
}

static const char *string_of(const struct config_key *key, const struct kind *kind, const void *settings)
{
    const char *text;

    memcpy(&text, field_of(key, kind, settings), sizeof(text));
    return text;
}

static size_t string_bytes(const struct config_key *key, const struct kind *kind, const void *settings)
{
    const char *text = is_string(key) ? string_of(key, kind, settings) : NULL;

    return text ? strlen(text) + 1 : 0;
}

static void *copy_settings(const struct kind *kind, const void *settings)
{
    size_t bytes = kind->bytes;
    char *copy, *end;

    for (size_t i = 0; i < config_key_count; i++)
        bytes += is_setting(&config_keys[i], kind) ? string_bytes(&config_keys[i], kind, settings) : 0;
    copy = malloc(bytes);
    if (!copy)
        return NULL;
    memcpy(copy, settings, kind->bytes);
    end = copy + kind->bytes;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        size_t length = is_setting(key, kind) ? string_bytes(key, kind, settings) : 0;

        if (length == 0)
            continue;
        memcpy(end, string_of(key, kind, settings), length);
        memcpy(copy + key->offset - kind->offset, &end, sizeof(end));
        end += length;
    }
    return copy;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_address(const struct pool_settings *a, const struct pool_settings *b)
{
    return a->check_address_set == b->check_address_set && (!a->check_address_set || addr_equal(&a->check_address, &b->check_address));
}

static bool same_value(const struct config_key *key, const struct kind *kind, const void *a, const void *b)
{
    if (is_string(key))
        return same_text(string_of(key, kind, a), string_of(key, kind, b));
    if (key->type == CONFIG_IP)
        return same_address(a, b);
    return memcmp(field_of(key, kind, a), field_of(key, kind, b), key->bytes) == 0;
}

/* Whether a probe depends on the key: on all that begin with "check", except the initial state, and those that say which address to probe. */
static bool is_of_probe(const struct config_key *key)
{
    return strncmp(key->name, "check", strlen("check")) == 0 && strcmp(key->name, "check_initial") != 0 && strcmp(key->name, "check_address") != 0 &&
           strcmp(key->name, "check_port") != 0;
}

static bool equal_settings(const struct kind *kind, const void *a, const void *b)
{
    for (size_t i = 0; i < config_key_count; i++) {
        if (is_setting(&config_keys[i], kind) && !same_value(&config_keys[i], kind, a, b))
            return false;
    }
    return true;
}

struct listener_settings *listener_settings_copy(const struct listener_settings *settings)
{
    return copy_settings(&of_listener, settings);
}

struct pool_settings *pool_settings_copy(const struct pool_settings *settings)
{
    return copy_settings(&of_pool, settings);
}

struct backend_settings *backend_settings_copy(const struct backend_settings *settings)
{
    struct backend_settings *copy = malloc(sizeof(*copy));

    if (copy)
        *copy = *settings;
    return copy;
}

bool listener_settings_equal(const struct listener_settings *a, const struct listener_settings *b)
{
    return equal_settings(&of_listener, a, b);
}

bool pool_settings_equal(const struct pool_settings *a, const struct pool_settings *b)
{
    return equal_settings(&of_pool, a, b);
}

bool pool_settings_same_probe(const struct pool_settings *a, const struct pool_settings *b)
{
    if (a->check == CONFIG_CHECK_EXEC)
        return false;
    for (size_t i = 0; a != b && i < config_key_count; i++) {
        if (is_setting(&config_keys[i], &of_pool) && is_of_probe(&config_keys[i]) && !same_value(&config_keys[i], &of_pool, a, b))
            return false;
    }
    return true;
}

bool backend_settings_equal(const struct backend_settings *a, const struct backend_settings *b)
{
    return a->weight == b->weight && a->max_connections == b->max_connections && a->check_port == b->check_port &&
           a->agent_port == b->agent_port && a->drain_timeout_ms == b->drain_timeout_ms && a->backup == b->backup && a->state == b->state;
}
