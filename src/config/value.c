/* config/value.c: checks a value of each type and stores it in its field. Thread that loads the configuration. */
#include "config/value.h"

#include <assert.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/duration.h"
#include "base/expect.h"
#include "base/host.h"
#include "base/payload.h"
#include "base/status_list.h"
#include "config/config.h"
#include "config/suggest.h"
#include "log/target.h"

struct target {
    const struct config_key *key;
    const char *text;
    void *object;
    struct config_arena *arena;
    struct config_problem *problem;
};

/* Sets the problem. Always returns false, for `return say_problem(...)`. */
static bool __attribute__((format(printf, 2, 3))) say_problem(struct config_problem *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof(problem->text), format, arguments);
    va_end(arguments);
    return false;
}

static bool say_range(const struct target *t)
{
    char range[120];
    return say_problem(t->problem, "not in the range: %s", config_key_range(t->key, range, sizeof(range)));
}

static bool store_number(const struct target *t, uint64_t value)
{
    char *field = (char *)t->object + t->key->offset;
    uint8_t u8 = (uint8_t)value;
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;

    switch (t->key->bytes) {
    case 0: /* the key has only one value so far, and no field */
        break;
    case 1:
        memcpy(field, &u8, sizeof(u8));
        break;
    case 2:
        memcpy(field, &u16, sizeof(u16));
        break;
    case 4: /* also enums and int, whose values here are small and not negative */
        memcpy(field, &u32, sizeof(u32));
        break;
    default:
        assert(t->key->bytes == sizeof(value));
        memcpy(field, &value, sizeof(value));
    }
    return true;
}

static bool store_text(const struct target *t, const char *text)
{
    assert(t->key->bytes == sizeof(text));
    memcpy((char *)t->object + t->key->offset, &text, sizeof(text));
    return true;
}

/* Parses digits only. strtoull() alone would accept blanks, signs and a leading zero for octal. */
static bool parse_digits(const char *text, bool hex, uint64_t *value)
{
    size_t n = hex ? strspn(text, "0123456789abcdefABCDEF") : strspn(text, "0123456789");
    uint64_t v = 0, base = hex ? 16 : 10;
    if (n == 0 || text[n] != '\0')
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        unsigned digit = (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        v = v > (UINT64_MAX - digit) / base ? UINT64_MAX : v * base + digit;
    }
    *value = v;
    return true;
}

bool config_value_number(const char *text, uint64_t min, uint64_t max, uint64_t *value, struct config_problem *problem)
{
    uint64_t v;
    if (!parse_digits(text, false, &v))
        return say_problem(problem, "not a whole number");
    if (v < min || v > max)
        return say_problem(problem, "not in the range: %" PRIu64 " to %" PRIu64, min, max);
    *value = v;
    return true;
}

/* Parses a 64-bit number. Refuses a larger one, which strtoull() would clamp. */
static bool parse_seed(const struct target *t)
{
    bool hex = strncmp(t->text, "0x", 2) == 0;
    const char *digits = hex ? t->text + 2 : t->text;
    uint64_t value;
    if (!parse_digits(digits, hex, &value))
        return say_problem(t->problem, "not a whole number");
    if (value == UINT64_MAX && strcasecmp(digits, hex ? "ffffffffffffffff" : "18446744073709551615") != 0)
        return say_range(t);
    return store_number(t, value);
}

bool config_value_is_prime(uint64_t n)
{
    for (uint64_t i = 2; i * i <= n; i++)
        if (n % i == 0)
            return false;
    return n > 1;
}

static bool set_number(const struct target *t)
{
    const struct config_key *key = t->key;
    char text[24];
    const char *problem = NULL, *digits = t->text;
    uint64_t value = 0;

    if (key->zero && strcmp(t->text, key->zero) == 0)
        return store_number(t, 0);
    if (key->free && strcmp(t->text, key->free) == 0)
        return store_number(t, UINT32_MAX);
    if (key->max == UINT64_MAX)
        return parse_seed(t);
    if (key->type == CONFIG_PERCENT) {
        size_t n = strlen(digits);
        if (n < 2 || n > sizeof(text) || digits[n - 1] != '%')
            return say_problem(t->problem, "not a percentage such as 10%%");
        snprintf(text, sizeof(text), "%.*s", (int)n - 1, digits);
        digits = text;
    }
    if (key->type == CONFIG_DURATION)
        problem = duration_parse(&value, digits);
    else if (key->type == CONFIG_DURATION_US)
        problem = duration_us_parse(&value, digits);
    else if (key->type == CONFIG_SIZE)
        problem = size_parse(&value, digits);
    else if (!parse_digits(digits, false, &value))
        problem = key->type == CONFIG_PERCENT ? "not a percentage such as 10%" : "not a whole number";
    if (problem)
        return say_problem(t->problem, "%s%s%s", problem, key->zero ? ", or " : "", key->zero ? key->zero : "");
    if (value < key->min || value > key->max)
        return say_range(t);
    if (key->step > 0 && value % key->step != 0)
        return say_problem(t->problem, "not a multiple of %s", duration_format(key->step, text, sizeof(text)));
    if (strcmp(key->name, "hash_table_size") == 0 && !config_value_is_prime(value))
        return say_problem(t->problem, "not a prime number");
    return store_number(t, value);
}

static bool set_choice(const struct target *t, const char *choices)
{
    struct suggest suggest = {0};
    char words[120], range[120], *rest;
    uint64_t index;

    if (config_choice_find(choices, t->text, &index))
        return store_number(t, index);
    if (t->key->later && config_choice_find(t->key->later, t->text, &index))
        return say_problem(t->problem, "known, but not supported by this version");
    snprintf(words, sizeof(words), "%s", choices);
    for (char *word = strtok_r(words, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
        suggest_offer(&suggest, t->text, word);
    if (suggest.nearest)
        return say_problem(t->problem, "did you mean \"%s\"?", suggest.nearest);
    return say_problem(t->problem, "not one of: %s", t->key->type == CONFIG_YES_NO ? "yes, no" : config_key_range(t->key, range, sizeof(range)));
}

/* Parses one "N" or "N-M" of a list and moves `*at` past it. */
static bool take_span(const char **at, unsigned max, unsigned *first, unsigned *last)
{
    unsigned bounds[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        size_t n = strspn(*at, "0123456789");
        if (n == 0 || n > 6)
            return false;
        bounds[i] = (unsigned)strtoul(*at, NULL, 10);
        *at += n;
        if (i == 0 && **at != '-')
            bounds[++i] = bounds[0];
        else if (i == 0)
            (*at)++;
    }
    *first = bounds[0];
    *last = bounds[1];
    return bounds[0] <= bounds[1] && bounds[1] <= max;
}

static bool set_cpus(const struct target *t)
{
    struct config *config = t->object;
    bool named[CPU_SETSIZE] = {false};
    const char *at = t->text;
    unsigned first, last;
    size_t count = 0;
    int cpus[CPU_SETSIZE], *copy;

    if (strcmp(at, "auto") == 0)
        return store_number(t, CONFIG_AFFINITY_AUTO);
    if (strcmp(at, "off") == 0)
        return store_number(t, CONFIG_AFFINITY_OFF);
    for (;;) {
        if (!take_span(&at, CPU_SETSIZE - 1, &first, &last) || (*at != '\0' && *at != ','))
            return say_problem(t->problem, "not auto, off, or a list of CPUs from 0 to %d such as 0,2-3", CPU_SETSIZE - 1);
        for (unsigned cpu = first; cpu <= last; cpu++) {
            if (named[cpu])
                return say_problem(t->problem, "CPU %u is named twice", cpu);
            named[cpu] = true;
            cpus[count++] = (int)cpu;
        }
        if (*at++ == '\0')
            break;
    }
    copy = config_arena_alloc(t->arena, count * sizeof(*copy));
    if (!copy)
        return true; /* the arena records the failure */
    memcpy(copy, cpus, count * sizeof(*copy));
    config->affinity_cpus = copy;
    config->affinity_count = count;
    return store_number(t, CONFIG_AFFINITY_LIST);
}

static bool say_length(const struct target *t)
{
    return say_problem(t->problem, "%zu bytes long; at most %" PRIu64 " are allowed", strlen(t->text), t->key->max);
}

static bool say_sink(const struct target *t)
{
    if (strncmp(t->text, "syslog:", strlen("syslog:")) == 0)
        return say_problem(t->problem, "not a facility of syslog such as daemon, user or local0 to local7");
    return say_problem(t->problem, "not %s%sstderr, stdout, syslog, journal or a path with a \"/\" in it", t->key->zero ? t->key->zero : "",
                       t->key->zero ? ", " : "");
}

static bool set_text(const struct target *t)
{
    const struct config_key *key = t->key;
    bool blanks = strpbrk(t->text, " \t") != NULL;
    struct log_target sink;

    if (key->zero && strcmp(t->text, key->zero) == 0)
        return store_text(t, NULL);
    if (strlen(t->text) > key->max)
        return say_length(t);
    if (key->type == CONFIG_SINK && !log_target_parse(&sink, t->text))
        return say_sink(t);
    if (key->type == CONFIG_PATH && !strchr(t->text, '/'))
        return say_problem(t->problem, "not %s%sa path with a \"/\" in it", key->zero ? key->zero : "", key->zero ? " or " : "");
    if (key->type == CONFIG_WORD && blanks)
        return say_problem(t->problem, "blanks are not allowed");
    if (key->type == CONFIG_URL_PATH && (*t->text != '/' || blanks))
        return say_problem(t->problem, "not a path that begins with \"/\" and has no blanks");
    if (key->type == CONFIG_COMMAND && *t->text != '/')
        return say_problem(t->problem, "not a path that begins with \"/\"");
    if (key->type == CONFIG_METHOD && strspn(t->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(t->text))
        return say_problem(t->problem, "not a word in capitals such as GET");
    return store_text(t, t->text);
}

static bool set_host(const struct target *t)
{
    struct host host;

    if (!host_parse(&host, t->text))
        return say_problem(t->problem, "not a host name or an IP address");
    if (host.has_port)
        return say_problem(t->problem, "a port does not belong here");
    return store_text(t, t->text);
}

static bool set_payload(const struct target *t)
{
    struct payload payload;
    const char *problem;

    if (strlen(t->text) > t->key->max)
        return say_length(t);
    problem = payload_parse(&payload, t->text, false);
    return problem ? say_problem(t->problem, "%s", problem) : store_text(t, t->text);
}

static bool set_expect(const struct target *t)
{
    char problem[EXPECT_PROBLEM_BYTES];

    if (strlen(t->text) > t->key->max)
        return say_length(t);
    return expect_validate(t->text, problem) ? store_text(t, t->text) : say_problem(t->problem, "%s", problem);
}

static bool set_status(const struct target *t)
{
    const char *problem = status_list_check(t->text);

    if (strlen(t->text) > t->key->max)
        return say_length(t);
    if (problem)
        return say_problem(t->problem, "%s", problem);
    return store_text(t, t->text);
}

static bool set_ip(const struct target *t)
{
    struct config_pool *pool = t->object;
    size_t n = strlen(t->text);
    bool bracketed = n > 0 && t->text[n - 1] == ']', v6 = strchr(t->text, ':') != NULL;
    struct addr addr;
    char with_port[96];
    const char *problem;

    if (t->key->zero && strcmp(t->text, t->key->zero) == 0) {
        pool->settings.check_address_set = false;
        return true;
    }
    snprintf(with_port, sizeof(with_port), v6 && !bracketed ? "[%s]:1" : "%s:1", t->text);
    problem = addr_parse(&addr, with_port); /* a truncated text has lost its port, so this fails */
    if (problem || addr_family(&addr) == AF_UNIX)
        return say_problem(t->problem, "%s", problem && strstr(problem, "interface") ? problem : "not an IP address (without a port)");
    if (addr_lacks_interface(&addr))
        return say_problem(t->problem, "a link-local address needs its interface: fe80::1%%eth0");
    if (addr_is_wildcard(&addr) || addr_is_group(&addr))
        return say_problem(t->problem, "not an address to connect to");
    pool->settings.check_address = addr;
    pool->settings.check_address_set = true;
    return true;
}

static bool set_address(const struct target *t)
{
    struct addr addr = {0};
    const char *problem = NULL;

    assert(t->key->bytes == sizeof(addr));
    if (strcmp(t->text, t->key->zero) != 0)
        problem = addr_parse(&addr, t->text);
    if (!problem && addr_is_group(&addr))
        problem = "not an address to listen on";
    if (!problem && addr_lacks_interface(&addr))
        problem = "a link-local address needs its interface: [fe80::1%eth0]:PORT";
    if (!problem && strcmp(t->key->name, "admin") == 0 && addr_family(&addr) != AF_UNSPEC && (addr_family(&addr) != AF_UNIX || addr.un.sun_path[0] == '\0'))
        problem = "not off or a UNIX socket, unix:/PATH; for TCP, which can only read, set http";
    if (problem)
        return say_problem(t->problem, "%s", problem);
    memcpy((char *)t->object + t->key->offset, &addr, sizeof(addr));
    return true;
}

static bool set_mode(const struct target *t)
{
    size_t length = strlen(t->text);

    if (length < 3 || length > 4 || strspn(t->text, "01234567") != length || (length == 4 && *t->text != '0'))
        return say_problem(t->problem, "not permissions such as 0660");
    return store_number(t, strtoul(t->text, NULL, 8));
}

bool config_value_set(const struct config_key *key, const char *text, void *object, struct config_arena *arena,
                      struct config_problem *problem)
{
    const struct target target = {.key = key, .text = text, .object = object, .arena = arena, .problem = problem};

    switch (key->type) {
    case CONFIG_NUMBER:
    case CONFIG_DURATION:
    case CONFIG_DURATION_US:
    case CONFIG_SIZE:
    case CONFIG_PERCENT:
        return set_number(&target);
    case CONFIG_YES_NO:
        return set_choice(&target, "no|yes");
    case CONFIG_CHOICE:
        return set_choice(&target, key->choices);
    case CONFIG_CPUS:
        return set_cpus(&target);
    case CONFIG_WORD:
    case CONFIG_TEXT:
    case CONFIG_PATH:
    case CONFIG_COMMAND:
    case CONFIG_SINK:
    case CONFIG_URL_PATH:
    case CONFIG_METHOD:
        return set_text(&target);
    case CONFIG_HOST:
        return set_host(&target);
    case CONFIG_PAYLOAD:
        return set_payload(&target);
    case CONFIG_EXPECT:
        return set_expect(&target);
    case CONFIG_STATUS:
        return set_status(&target);
    case CONFIG_IP:
        return set_ip(&target);
    case CONFIG_ADDRESS:
        return set_address(&target);
    case CONFIG_MODE:
        return set_mode(&target);
    case CONFIG_INCLUDE:
    case CONFIG_BIND:
    case CONFIG_POOL:
    case CONFIG_BACKEND:
        return true;
    }
    return true;
}
