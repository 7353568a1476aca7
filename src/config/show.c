/* config/show.c: writes a configuration as text. It follows the table of keys, so that none is left out. Any thread. */
#include "config/show.h"

#include <inttypes.h>
#include <string.h>

#include "base/duration.h"
#include "config/keys.h"

#define WIDTH 100
#define INDENT 12

/* The line that is being written. */
struct line {
    FILE *out;
    size_t column;
};

static uint64_t read_number(const struct config_key *key, const void *object)
{
    const char *field = (const char *)object + key->offset;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    switch (key->bytes) {
    case sizeof(u8):
        return memcpy(&u8, field, sizeof(u8)), u8;
    case sizeof(u16):
        return memcpy(&u16, field, sizeof(u16)), u16;
    case sizeof(u32):
        return memcpy(&u32, field, sizeof(u32)), u32;
    default:
        return memcpy(&u64, field, sizeof(u64)), u64;
    }
}

static void format_cpus(const struct config *config, char *buffer, size_t size)
{
    size_t n = 0;
    buffer[0] = '\0';
    if (config->affinity != CONFIG_AFFINITY_LIST)
        config_choice_format("auto|off", config->affinity, buffer, size);
    for (size_t i = 0; i < config->affinity_count && n < size; i++)
        n += (size_t)snprintf(buffer + n, size - n, "%s%d", i > 0 ? "," : "", config->affinity_cpus[i]);
}

static void format_address(const struct config_key *key, const void *object, char *buffer, size_t size)
{
    struct addr addr;

    memcpy(&addr, (const char *)object + key->offset, sizeof(addr));
    if (addr_family(&addr) == AF_UNSPEC)
        snprintf(buffer, size, "%s", key->zero);
    else
        addr_format(&addr, buffer, size);
}

static void format_ip(const struct config_pool *pool, char *buffer, size_t size)
{
    addr_format(&pool->settings.check_address, buffer, size);
    *strrchr(buffer, ':') = '\0';
}

/* Formats the value of a key. Returns false if it is not set or is shown elsewhere. */
static bool format_value(const struct config_key *key, const void *object, char *buffer, size_t size)
{
    const char *text;
    uint64_t value;

    switch (key->type) {
    case CONFIG_CPUS:
        format_cpus(object, buffer, size);
        return true;
    case CONFIG_ADDRESS:
        format_address(key, object, buffer, size);
        return true;
    case CONFIG_IP:
        if (((const struct config_pool *)object)->settings.check_address_set)
            format_ip(object, buffer, size);
        return ((const struct config_pool *)object)->settings.check_address_set;
    case CONFIG_WORD:
    case CONFIG_TEXT:
    case CONFIG_HOST:
    case CONFIG_PATH:
    case CONFIG_COMMAND:
    case CONFIG_SINK:
    case CONFIG_URL_PATH:
    case CONFIG_METHOD:
    case CONFIG_PAYLOAD:
    case CONFIG_EXPECT:
    case CONFIG_STATUS:
        memcpy(&text, (const char *)object + key->offset, sizeof(text));
        snprintf(buffer, size, "%s", text ? text : key->zero ? key->zero : "");
        return buffer[0] != '\0';
    default:
        if (key->bytes == 0)
            return false;
    }
    value = read_number(key, object);
    if (value == 0 && key->zero)
        snprintf(buffer, size, "%s", key->zero);
    else if (value == UINT32_MAX && key->free)
        snprintf(buffer, size, "%s", key->free);
    else if (key->type == CONFIG_DURATION_US)
        duration_us_format(value, buffer, size);
    else if (key->type == CONFIG_DURATION)
        duration_format(value, buffer, size);
    else if (key->type == CONFIG_SIZE)
        size_format(value, buffer, size);
    else if (key->type == CONFIG_MODE)
        snprintf(buffer, size, "0%" PRIo64, value);
    else if (key->type == CONFIG_CHOICE || key->type == CONFIG_YES_NO)
        config_choice_format(key->type == CONFIG_YES_NO ? "no|yes" : key->choices, value, buffer, size);
    else
        snprintf(buffer, size, "%" PRIu64 "%s", value, key->type == CONFIG_PERCENT ? "%" : "");
    return true;
}

/* Whether the key that another one is used with has a value that gives it an effect. "udp" is also the end of "tcp+udp". */
static bool is_used(const struct config_key *key, const void *object)
{
    const char *equals = strchr(key->used_with, '=');
    char name[32] = "", value[64], words[64], *rest;

    memcpy(name, key->used_with, (size_t)(equals - key->used_with));
    if (!format_value(config_key_find(key->section, name), object, value, sizeof(value)))
        return false;
    snprintf(words, sizeof(words), "%s", equals + 1);
    for (char *word = strtok_r(words, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
        if (strstr(value, word))
            return true;
    return false;
}

static bool has_a_say(const struct config_key *key, const void *object)
{
    const struct config_pool *pool = object;

    if (key->used_with)
        return is_used(key, object);
    if (key->section != CONFIG_IN_POOL || pool->settings.check != CONFIG_CHECK_NONE)
        return true;
    return strncmp(key->name, "check_", 6) != 0 && strcmp(key->name, "rise") != 0 && strcmp(key->name, "fall") != 0;
}

static void put_item(struct line *line, const char *label, const char *name, const char *value)
{
    size_t n = strlen(name) + 1 + strlen(value);
    if (line->column == 0)
        fprintf(line->out, "  %-*s", INDENT - 2, label);
    else if (line->column + n + 2 > WIDTH)
        fprintf(line->out, ",\n%*s", INDENT, "");
    else
        fprintf(line->out, ", ");
    line->column = line->column == 0 || line->column + n + 2 > WIDTH ? INDENT + n : line->column + n + 2;
    fprintf(line->out, "%s %s", name, value);
}

/* Writes the keys of one kind of section: those about probes and agents, or the others. */
static void show_fields(FILE *out, enum config_section kind, const void *object, const char *label, bool probes)
{
    struct line line = {.out = out};
    char value[1100];

    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        bool probe = strncmp(key->name, "check", 5) == 0 || strncmp(key->name, "agent_", 6) == 0 || strcmp(key->name, "rise") == 0 ||
                     strcmp(key->name, "fall") == 0;
        if (key->section != kind || probe != probes || !has_a_say(key, object))
            continue;
        if (format_value(key, object, value, sizeof(value)))
            put_item(&line, label, key->name, value);
    }
    if (line.column > 0)
        fputc('\n', out);
}

static bool port_follows(const struct config_bind *bind, const struct config_bind *next)
{
    struct addr addr = bind->addr;
    if (bind->optional != next->optional || bind->udp != next->udp || addr_port(&addr) == 0 || addr_port(&addr) == UINT16_MAX)
        return false;
    addr_set_port(&addr, (uint16_t)(addr_port(&addr) + 1));
    return addr_equal(&addr, &next->addr);
}

static void show_listener(const struct config *config, const struct config_listener *listener, FILE *out)
{
    char text[ADDR_TEXT_BYTES];
    size_t i = 0;

    fprintf(out, "\nlistener %s\n", listener->name);
    while (i < listener->bind_count) {
        const struct config_bind *first = &listener->binds[i++], *last = first;
        while (i < listener->bind_count && port_follows(last, &listener->binds[i]))
            last = &listener->binds[i++];
        fprintf(out, "  %-*s%s", INDENT - 2, "bind", addr_format(&first->addr, text, sizeof(text)));
        if (last != first)
            fprintf(out, "-%u", addr_port(&last->addr));
        fprintf(out, "%s%s\n", listener->settings.protocol == CONFIG_PROTOCOL_BOTH ? first->udp ? " (UDP)" : " (TCP)" : "",
                first->optional ? " (where there is IPv6)" : "");
    }
    fprintf(out, "  %-*s%s\n", INDENT - 2, "pool", config->pools[listener->pool].name);
    show_fields(out, CONFIG_IN_LISTENER, listener, "with", false);
}

static const char *format_timeout(uint32_t timeout_ms, char *buffer, size_t size)
{
    return timeout_ms == UINT32_MAX ? "off" : duration_format(timeout_ms, buffer, size);
}

static void show_backend(const struct config_pool *pool, const struct config_backend *backend, int name_width, int addr_width, FILE *out)
{
    char text[ADDR_TEXT_BYTES], timeout[DURATION_TEXT_BYTES];

    fprintf(out, "  %-*s%-*s %-*s weight %u", INDENT - 2, "backend", name_width, backend->name, addr_width,
            addr_format(&backend->addr, text, sizeof(text)), backend->settings.weight);
    if (backend->settings.max_connections > 0)
        fprintf(out, ", max_connections %u", backend->settings.max_connections);
    if (backend->settings.check_port > 0)
        fprintf(out, ", check_port %u", backend->settings.check_port);
    if (backend->settings.agent_port > 0)
        fprintf(out, ", agent_port %u", backend->settings.agent_port);
    if (backend->settings.drain_timeout_ms != pool->settings.drain_timeout_ms)
        fprintf(out, ", drain_timeout %s", format_timeout(backend->settings.drain_timeout_ms, timeout, sizeof(timeout)));
    if (backend->settings.state != CONFIG_BACKEND_READY)
        fprintf(out, ", state %s", backend->settings.state == CONFIG_BACKEND_DRAIN ? "drain" : "maint");
    fprintf(out, "%s\n", backend->settings.backup ? ", backup" : "");
}

static void show_pool(const struct config_pool *pool, FILE *out)
{
    char text[ADDR_TEXT_BYTES];
    int name_width = 0, addr_width = 0;

    fprintf(out, "\npool %s\n", pool->name);
    show_fields(out, CONFIG_IN_POOL, pool, "with", false);
    show_fields(out, CONFIG_IN_POOL, pool, "probes", true);
    for (size_t i = 0; i < pool->backend_count; i++) {
        int name = (int)strlen(pool->backends[i].name);
        int addr = (int)strlen(addr_format(&pool->backends[i].addr, text, sizeof(text)));
        name_width = name > name_width ? name : name_width;
        addr_width = addr > addr_width ? addr : addr_width;
    }
    for (size_t i = 0; i < pool->backend_count; i++)
        show_backend(pool, &pool->backends[i], name_width, addr_width, out);
}

void config_show(const struct config *config, FILE *out)
{
    fputs("global\n", out);
    show_fields(out, CONFIG_IN_GLOBAL, config, "with", false);
    for (size_t i = 0; i < config->listener_count; i++)
        show_listener(config, &config->listeners[i], out);
    for (size_t i = 0; i < config->pool_count; i++)
        show_pool(&config->pools[i], out);
}

static void show_help(const char *help, FILE *out)
{
    size_t column = 0;
    while (*help) {
        size_t n = strcspn(help, " ");
        if (column == 0 || column + n + 1 > WIDTH) {
            fprintf(out, "%s      ", column == 0 ? "" : "\n");
            column = 6;
        } else {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)n, help);
        column += n;
        help += n + strspn(help + n, " ");
    }
    fputc('\n', out);
}

void config_show_keys(FILE *out)
{
    char range[120];
    enum config_section section = 0;

    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->section != section)
            fprintf(out, "\n[%s%s]\n", config_section_name(key->section), key->section == CONFIG_IN_GLOBAL ? "" : " NAME");
        section = key->section;
        fprintf(out, "  %s = %s", key->name, config_key_range(key, range, sizeof(range)));
        if (key->initial)
            fprintf(out, " (default %s)", key->initial);
        fprintf(out, "%s", key->repeatable ? " (repeatable)" : "");
        if (key->used_with)
            fprintf(out, " (with %s)", key->used_with);
        fputc('\n', out);
        show_help(key->help, out);
    }
}
