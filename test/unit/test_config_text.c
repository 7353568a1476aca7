/* test_config_text: a configuration as text: what is written, and that it is read as an equal configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/hash.h"
#include "config/keys.h"
#include "loading.h"
#include "same_config.h"

#define LISTENER "[listener l]\nbind = 127.0.0.1:1\npool = p\n"
#define POOL "\n[pool p]\nbackend = b 127.0.0.1:2\n"

static void assert_text(const char *in, const char *wanted)
{
    struct config *config = load_good(in);
    char *text = config_text(config);

    assert_string_equal(text, wanted);
    assert_true(same_config_from_text(config));
    free(text);
    config_free(config);
}

/* For bytes of a probe that are written in another way. */
static void assert_rewritten(const char *in, const char *wanted)
{
    struct config *config = load_good(in);
    char *text = config_text(config);

    assert_string_equal(text, wanted);
    config_free(config);
    config = load_good(text);
    assert_true(same_config_from_text(config));
    free(text);
    config_free(config);
}

static void keys_and_values_stay_as_they_are_written(void **state)
{
    (void)state;
    assert_text("; a comment\n[global]\nworkers=2 ; two\nlog  =  stderr\n[pool p]\nbackend=b   127.0.0.1:2\tweight=3  backup\nbackend=c 127.0.0.1:3\nrise=4\n"
                "[defaults]\nidle_timeout=90s\n[listener l]\nbind=*:1\nbind=127.0.0.2:7-9\npool=p\n",
                "[global]\nworkers = 2\nlog = stderr\n\n[defaults]\nidle_timeout = 90s\n\n"
                "[pool p]\nbackend = b 127.0.0.1:2 weight=3 backup\nbackend = c 127.0.0.1:3\nrise = 4\n\n"
                "[listener l]\nbind = *:1\nbind = 127.0.0.2:7-9\npool = p\n");
}

static void characters_that_mean_something_are_escaped(void **state)
{
    static const char *const values[] = {
        "check = http\ncheck_body = \\s;a\\\\ \\;b;c \\${d}\\t\n",
        "check = http\ncheck_body = \\\"quoted\\\"\n",
        "check = http\ncheck_body = a \\# b\n",
        "check_send = \\x20a\\\\ \\;b\\r\\n${X}\n",
        "check_send = hex:01 02\n",
        "check_expect = regex:^a\\.b \\;[c;]\\{$\n",
    };
    char text[512];
    (void)state;

    setenv("X", "$", 1);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(text, sizeof(text), LISTENER POOL "%s", values[i]);
        if (i != 3) {
            assert_text(text, text);
        } else {
            struct config *config = load_good(text);
            assert_string_equal(config->pools[0].settings.check_send, "\\x20a\\\\ \\;b\\r\\n$");
            assert_true(same_config_from_text(config));
            config_free(config);
        }
    }
}

static void variables_are_written_as_their_values(void **state)
{
    (void)state;
    setenv("BODY", "  ${HOME} ; \\n # ~\t", 1);
    setenv("PAD", "   ", 1);
    assert_text(LISTENER POOL "backend = ${PAD}c${PAD} 127.0.0.1:3${PAD}\ncheck = http\ncheck_body = ${BODY}\n",
                LISTENER POOL "backend = c 127.0.0.1:3\ncheck = http\ncheck_body = \\s \\$\\{HOME} \\; \\\\n \\# \\~\\t\n");
    setenv("BODY", " hex:00 ${", 1); /* the blanks make it a text */
    assert_rewritten(LISTENER POOL "check_send = ${BODY}\n", LISTENER POOL "check_send = \\x20hex:00 $\\x7b\n");
    setenv("BODY", "regex:[ ;]\\$", 1);
    assert_rewritten(LISTENER POOL "check_expect = ${BODY}\n", LISTENER POOL "check_expect = regex:[\\x20;]\\$\n");
    setenv("BODY", "hex:00 01 ", 1);
    assert_rewritten(LISTENER POOL "check_send = a\ncheck_expect = ${BODY}${PAD}\n", LISTENER POOL "check_send = a\ncheck_expect = hex:00 01\n");
}

/* Values of the greatest length still fit on a line. */
static void the_longest_path_fits(void **state)
{
    char path[4096];
    (void)state;

    memset(path, '\\', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    setenv("LONG", path, 1);
    struct config *config = load_good("[global]\naccess_log = ${LONG}\n" LISTENER POOL);
    assert_true(same_config_from_text(config));
    config_free(config);
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void included_files_become_part_of_the_text(void **state)
{
    char folder[] = "/tmp/penstock-test-XXXXXX", main_file[64], part[64];
    struct config_errors *errors = config_errors_new();
    (void)state;

    assert_non_null(mkdtemp(folder));
    snprintf(main_file, sizeof(main_file), "%s/main.ini", folder);
    snprintf(part, sizeof(part), "%s/part.ini", folder);
    put_file(main_file, "[global]\ninclude = part.ini\n" LISTENER "[defaults]\nrise = 3\n");
    put_file(part, "[global]\nworkers = 3\n[defaults]\nfall = 7\n" POOL);
    struct config *config = config_load(main_file, errors);
    assert_non_null(config);
    char *text = config_text(config);
    assert_string_equal(text, "[global]\nworkers = 3\n\n[defaults]\nfall = 7\nrise = 3\n" POOL "\n" LISTENER);
    assert_true(same_config_from_text(config));
    free(text);
    config_free(config);
    config_errors_free(errors);
    unlink(main_file);
    unlink(part);
    rmdir(folder);
}

static void the_examples_are_the_same_after_it(void **state)
{
    static const char *const ports[] = {"DEMO_PORT", "DEMO_ONE", "DEMO_TWO", "DEMO_THREE", "DEMO_QUICK_1", "DEMO_QUICK_2", "DEMO_SLOW"};
    char port[8];
    struct config_errors *errors = config_errors_new();
    glob_t found;
    (void)state;

    setenv("DEMO_LOG", "stderr", 1);
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        snprintf(port, sizeof(port), "%zu", i + 1);
        setenv(ports[i], port, 1);
    }
    assert_int_equal(glob("etc/*.ini", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 3);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct config *config = config_load(found.gl_pathv[i], errors);
        if (!config)
            fail_msg("%s", config_errors_text(errors, 0));
        assert_true(same_config_from_text(config));
        config_free(config);
    }
    globfree(&found);
    config_errors_free(errors);
}

/* ---- random configurations ---- */

static void put_number(FILE *out, const struct config_key *key, uint64_t *seed)
{
    uint64_t span = key->max - key->min, value = key->min + random_next(seed) % (span < UINT64_MAX ? span + 1 : span);
    char text[DURATION_TEXT_BYTES];

    if (random_below(seed, 2) > 0 && value > key->min + 1000)
        value = key->min + random_below(seed, 1000); /* small values are more likely than evenly chosen ones are */
    if (key->step > 0)
        value -= value % key->step;
    if (strcmp(key->name, "hash_table_size") == 0)
        value = 7919;
    if (key->zero && random_below(seed, 4) == 0)
        fputs(key->zero, out);
    else if (key->free && random_below(seed, 4) == 0)
        fputs(key->free, out);
    else if (key->type == CONFIG_DURATION)
        fputs(duration_format(value, text, sizeof(text)), out);
    else if (key->type == CONFIG_DURATION_US)
        fputs(duration_us_format(value, text, sizeof(text)), out);
    else if (key->type == CONFIG_SIZE)
        fputs(size_format(value, text, sizeof(text)), out);
    else
        fprintf(out, "%" PRIu64 "%s", value, key->type == CONFIG_PERCENT ? "%" : "");
}

static void put_choice(FILE *out, const char *choices, uint64_t *seed)
{
    char words[120], *rest, *chosen = NULL;
    uint32_t count = 0;

    snprintf(words, sizeof(words), "%s", choices);
    for (char *word = strtok_r(words, "|", &rest); word; word = strtok_r(NULL, "|", &rest))
        if (random_below(seed, ++count) == 0)
            chosen = word;
    fputs(chosen, out);
}

/* Writes characters that the reader and base/payload.h treat in different ways. */
static void put_noise(FILE *out, uint64_t *seed)
{
    static const char *const pieces[] = {"a", "b", "0", "/", "\\;", " \\;", ";", "\\\\", "\\$", "\\${", "$", "{", "\\{", "\\~", "\\#", "\\=", "=", "\\`", "\\\"", "'", ":",
                                         "\xc3\xa4"};
    static const char *const blanks[] = {" ", "  ", "\t"};

    for (uint32_t n = 1 + random_below(seed, 12); n > 0; n--) {
        fputs(pieces[random_below(seed, sizeof(pieces) / sizeof(pieces[0]))], out);
        if (n > 1 && random_below(seed, 5) == 0)
            fprintf(out, "%sc", blanks[random_below(seed, 3)]);
    }
}

static void put_any_value(FILE *out, const struct config_key *key, uint64_t *seed)
{
    static const char *const ips[] = {"auto", "10.0.0.1", "::1"}, *const cpus[] = {"auto", "off", "0,2-3"};

    switch (key->type) {
    case CONFIG_YES_NO:
        put_choice(out, "no|yes", seed);
        break;
    case CONFIG_CHOICE:
        put_choice(out, key->choices, seed);
        break;
    case CONFIG_CPUS:
        fputs(cpus[random_below(seed, 3)], out);
        break;
    case CONFIG_IP:
        fputs(ips[random_below(seed, 3)], out);
        break;
    case CONFIG_STATUS:
        fputs("200-299,401", out);
        break;
    case CONFIG_METHOD:
        fputs("OPTIONS", out);
        break;
    case CONFIG_HOST:
    case CONFIG_WORD:
        fprintf(out, "w%u", random_below(seed, 9));
        break;
    case CONFIG_SINK:
    case CONFIG_PATH:
    case CONFIG_COMMAND:
    case CONFIG_URL_PATH:
        fputc('/', out);
        if (key->type == CONFIG_URL_PATH)
            fputs("\\;a=\\~", out);
        else
            put_noise(out, seed);
        break;
    case CONFIG_TEXT:
    case CONFIG_PAYLOAD:
    case CONFIG_EXPECT:
        fputs(random_below(seed, 8) == 0 && key->type == CONFIG_EXPECT ? "regex:" : "", out);
        put_noise(out, seed);
        break;
    default:
        put_number(out, key, seed);
    }
}

static void put_some_keys(FILE *out, enum config_section kind, uint64_t *seed)
{
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        bool fixed = key->type == CONFIG_INCLUDE || key->type == CONFIG_BIND || key->type == CONFIG_POOL || key->type == CONFIG_BACKEND;

        if (fixed || !config_key_is_in(key, kind) || random_below(seed, 12) > 0)
            continue;
        fprintf(out, "%s = ", key->name);
        put_any_value(out, key, seed);
        fputc('\n', out);
    }
}

static char *make_random_text(uint64_t *seed)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    fputs("[global]\nallow_exec = yes\n", out);
    put_some_keys(out, CONFIG_IN_GLOBAL, seed);
    fputs(LISTENER, out);
    put_some_keys(out, CONFIG_IN_LISTENER, seed);
    fputs(POOL, out);
    for (unsigned i = random_below(seed, 4); i > 0; i--)
        fprintf(out, "backend=c%u  10.0.0.1:%u weight=%u%s%s\n", i, i, 1 + random_below(seed, 256),
                random_below(seed, 3) == 0 ? " backup" : "", random_below(seed, 3) == 0 ? " state=drain max_connections=9" : "");
    put_some_keys(out, CONFIG_IN_POOL, seed);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Most random configurations have an error; those are skipped. */
static void random_ones_are_the_same_after_it(void **state)
{
    struct config_errors *errors;
    uint64_t seed = 1;
    unsigned good = 0;
    (void)state;

    for (unsigned i = 0; i < 6000; i++) {
        char *text = make_random_text(&seed);
        errors = config_errors_new();
        struct config *config = config_load_text("random", text, strlen(text), errors);

        if (config && !same_config_from_text(config))
            fail_msg("%s", text);
        good += config != NULL;
        free(text);
        config_free(config);
        config_errors_free(errors);
    }
    print_message("%u of 6000 are valid\n", good);
    assert_true(good > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_values_stay_as_they_are_written),
        cmocka_unit_test(characters_that_mean_something_are_escaped),
        cmocka_unit_test(variables_are_written_as_their_values),
        cmocka_unit_test(the_longest_path_fits),
        cmocka_unit_test(included_files_become_part_of_the_text),
        cmocka_unit_test(the_examples_are_the_same_after_it),
        cmocka_unit_test(random_ones_are_the_same_after_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
