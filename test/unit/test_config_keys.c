/* test_config_keys: the table of keys, etc/penstock.ini and etc/man/penstock.ini.5 have the same keys, in the same sections, with the same defaults. Run it
 * from the top of the source tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/keys.h"

#define SAMPLE "etc/penstock.ini"
#define MANUAL "etc/man/penstock.ini.5"

struct found {
    char section[16], name[40], initial[64]; /* `initial` is the default; "": none */
    bool live;
};

struct list {
    struct found found[128];
    size_t count;
};

static FILE *open_or_fail(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s cannot be read: run this from the top of the source tree", path);
    return file;
}

static struct found *add(struct list *list, const char *section)
{
    assert_true(list->count < sizeof(list->found) / sizeof(list->found[0]));
    struct found *found = &list->found[list->count++];
    *found = (struct found){.live = false};
    snprintf(found->section, sizeof(found->section), "%s", section);
    return found;
}

/* Reads lines of the forms "[section", ";name = value" and "name = value". Explanations begin with "; ". A repeated key without ";" counts once. */
static void read_sample(struct list *list)
{
    char line[512], section[16] = "";
    FILE *file = open_or_fail(SAMPLE);

    while (fgets(line, sizeof(line), file)) {
        char name[40], value[64] = "";
        bool live = line[0] != ';';
        if (sscanf(line, "[%15[a-z]", section) == 1 || strncmp(line, "; ", 2) == 0 || strcmp(line, ";\n") == 0)
            continue;
        if (sscanf(live ? line : line + 1, "%39[a-z0-9_] =%*[ ]%63[^\n]", name, value) < 1)
            continue;
        if (live && list->count > 0 && strcmp(list->found[list->count - 1].name, name) == 0)
            continue;
        struct found *found = add(list, section);
        memcpy(found->name, name, sizeof(name));
        memcpy(found->initial, value, sizeof(value));
        found->live = live;
    }
    fclose(file);
}

/* Reads lines of the forms ".Ss The [section" and ".It Ic name No = ...", then ".Pq default Cm value ..." or ".Pq no default ...". */
static void read_manual(struct list *list)
{
    char line[512], section[16] = "", name[40];
    struct found *found = NULL;
    FILE *file = open_or_fail(MANUAL);

    while (fgets(line, sizeof(line), file)) {
        sscanf(line, ".Ss The [%15[a-z]", section);
        if (section[0] && sscanf(line, ".It Ic %39[a-z0-9_] No =", name) == 1 && strstr(line, " No = ")) {
            found = add(list, section);
            memcpy(found->name, name, sizeof(name));
        } else if (found && strncmp(line, ".Pq no default", 14) == 0) {
            found = NULL;
        } else if (found) {
            if (sscanf(line, ".Pq default Cm %63s", found->initial) != 1)
                fail_msg("%s: no default after %s", MANUAL, found->name);
            found = NULL;
        }
    }
    fclose(file);
}

static void compare(const struct list *list, const char *path)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        const char *initial = key->initial ? key->initial : "";
        size_t seen = 0;
        for (size_t j = 0; j < list->count; j++) {
            const struct found *found = &list->found[j];
            if (strcmp(found->name, key->name) != 0 || strcmp(found->section, config_section_name(key->section)) != 0)
                continue;
            seen++;
            if (!found->live && strcmp(found->initial, initial) != 0)
                fail_msg("%s: the default of %s is \"%s\", not \"%s\"", path, key->name, initial, found->initial);
        }
        if (seen != 1)
            fail_msg("%s: [%s] %s is there %zu times", path, config_section_name(key->section), key->name, seen);
    }
    if (list->count != config_key_count)
        fail_msg("%s: %zu keys, the table has %zu", path, list->count, config_key_count);
}

static void the_sample_has_every_key_with_its_default(void **state)
{
    struct list list = {.count = 0};
    (void)state;
    read_sample(&list);
    compare(&list, SAMPLE);
}

static void the_manual_has_every_key_with_its_default(void **state)
{
    struct list list = {.count = 0};
    (void)state;
    read_manual(&list);
    compare(&list, MANUAL);
}

static void the_sample_is_a_good_configuration(void **state)
{
    struct config_errors *errors = config_errors_new();
    struct config *config = config_load(SAMPLE, errors);
    (void)state;
    if (!config)
        fail_msg("%s", config_errors_text(errors, 0));
    config_free(config);
    config_errors_free(errors);
}

static void every_default_of_the_sample_may_be_set(void **state)
{
    char line[512];
    FILE *sample = open_or_fail(SAMPLE);
    char path[] = "/tmp/penstock-test-XXXXXX";
    int fd = mkstemp(path);
    FILE *copy = fd < 0 ? NULL : fdopen(fd, "w");
    struct config_errors *errors = config_errors_new();
    (void)state;

    assert_non_null(copy);
    while (fgets(line, sizeof(line), sample)) {
        size_t n = strlen(line);
        bool commented = line[0] == ';' && line[1] != ' ' && line[1] != '\n' && strcmp(line + n - 2, "=\n") != 0;
        fputs(commented ? line + 1 : line, copy);
    }
    fclose(sample);
    fclose(copy);
    struct config *config = config_load(path, errors);
    unlink(path);
    if (!config)
        fail_msg("%s", config_errors_text(errors, 0));
    config_free(config);
    config_errors_free(errors);
}

static void no_key_is_both_supported_and_announced_in_one_section(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        if (config_key_is_later(key->name)) /* one key is announced for pools and supported in other sections */
            assert_true(key->section != CONFIG_IN_POOL && strcmp(key->name, "max_connections") == 0);
        assert_ptr_equal(config_key_find(key->section, key->name), key);
    }
}

static void ranges_read_well(void **state)
{
    char range[120];
    size_t free_words = 0;
    (void)state;

    for (size_t i = 0; i < config_key_count; i++) {
        const char *text = config_key_range(&config_keys[i], range, sizeof(range));

        if (*text == '\0' || *text == ',' || *text == ' ' || strstr(text, ", ,") || strstr(text, "  "))
            fail_msg("%s = %s", config_keys[i].name, text);
        if (config_keys[i].free) {
            char wanted[60];

            free_words++;
            snprintf(wanted, sizeof(wanted), "%s, or ", config_keys[i].free);
            if (!strstr(text, wanted))
                fail_msg("%s = %s, without \"%s\"", config_keys[i].name, text, wanted);
        }
    }
    assert_true(free_words > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_has_every_key_with_its_default),
        cmocka_unit_test(ranges_read_well),
        cmocka_unit_test(the_manual_has_every_key_with_its_default),
        cmocka_unit_test(the_sample_is_a_good_configuration),
        cmocka_unit_test(every_default_of_the_sample_may_be_set),
        cmocka_unit_test(no_key_is_both_supported_and_announced_in_one_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
