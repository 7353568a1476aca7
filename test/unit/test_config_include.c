/* test_config_include: configurations in several files: where files are looked for, unreadable files, circular includes, patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "loading.h"

#define LISTENER "[listener l]\nbind=127.0.0.1:1\npool=p\n"
#define POOL "[pool p]\nbackend=b 127.0.0.1:2\n"

#define NOBODY 65534

/* Permissions do not apply to root, so the tests of permissions run as another user. */
static void become_ordinary(void)
{
    if (geteuid() == 0 && seteuid(NOBODY) < 0)
        skip(); /* a user namespace that has no other users */
}

static void become_oneself(void)
{
    assert_int_equal(seteuid(getuid()), 0);
}

static char folder[] = "/tmp/penstock-test-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Loads main.ini and compares its errors with `wanted`, with the folder removed from each path. */
static void load_gives(const char *wanted)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/main.ini", folder);
    assert_load_says(path, folder, wanted);
}

static void included_files_are_read_relative_to_the_including_one(void **state)
{
    (void)state;
    put("main.ini", "[global]\ninclude=conf.d/*.ini\ninclude=conf.d/deep/none*.ini\n");
    put("conf.d/1.ini", "[global]\ninclude=deep/pool.ini\n" LISTENER);
    put("conf.d/deep/pool.ini", POOL);
    load_gives("");
    put("conf.d/deep/pool.ini", POOL "rise=0\n");
    put("conf.d/1.ini", "[global]\ninclude=deep/pool.ini\n" LISTENER "backlog=0\n");
    load_gives("conf.d/1.ini:6: backlog = 0: not in the range: 1 to 65535\n"
               "conf.d/deep/pool.ini:3: rise = 0: not in the range: 1 to 100\n");
}

static void names_and_keys_are_compared_over_all_files(void **state)
{
    (void)state;
    put("main.ini", "[global]\nworkers=1\ninclude=a.ini\n" LISTENER POOL);
    put("a.ini", "[global]\nworkers=2\n" POOL);
    load_gives("main.ini:7: section [pool p] again; first at a.ini:3\n"
               "a.ini:2: key \"workers\" again; first at main.ini:2\n");
}

static void an_include_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    put("main.ini", "[global]\ninclude=none.ini\ninclude=none/*.ini\ninclude=conf.d\n" LISTENER POOL);
    load_gives("main.ini:2: include \"none.ini\": No such file or directory\n"
               "main.ini:3: include \"none/*.ini\": no such folder\n"
               "main.ini:4: include \"conf.d\": Is a directory\n");
}

static void a_pattern_may_match_nothing(void **state)
{
    (void)state;
    put("main.ini", "[global]\ninclude=none*.ini\ninclude=conf.d/none*.ini\ninclude=conf.d/*/none.ini\n" LISTENER POOL);
    load_gives("");
    put("main.ini", "[global]\ninclude=conf.d/none*/a.ini\ninclude=main.ini/*.ini\n" LISTENER POOL);
    load_gives("main.ini:2: include \"conf.d/none*/a.ini\": no such folder\n"
               "main.ini:3: include \"main.ini/*.ini\": no such folder\n");
}

/* A folder of a pattern that cannot be listed, or cannot be entered, hides files that might match. */
static void a_folder_of_a_pattern_that_cannot_be_read_is_an_error(void **state)
{
    char closed[128];
    (void)state;
    snprintf(closed, sizeof(closed), "%s/conf.d/deep", folder);
    put("conf.d/deep/pool.ini", POOL);
    put("conf.d/1.ini", "[global]\n");
    chmod(folder, 0755);
    put("main.ini", "[global]\ninclude=conf.d/deep/*.ini\ninclude=conf.d/*/pool.ini\ninclude=conf.d/*/*.ini\ninclude=conf.d/*.ini\n"
                    LISTENER "[pool p]\nrise=0\n");
    assert_int_equal(chmod(closed, 0), 0);
    become_ordinary();
    load_gives("main.ini:2: include \"conf.d/deep/*.ini\": conf.d/deep: Permission denied\n"
               "main.ini:3: include \"conf.d/*/pool.ini\": conf.d/deep/pool.ini: Permission denied\n"
               "main.ini:4: include \"conf.d/*/*.ini\": conf.d/deep: Permission denied\n"
               "main.ini:9: pool \"p\" has no backends: add backend = NAME ADDRESS\n"
               "main.ini:10: rise = 0: not in the range: 1 to 100\n");
    become_oneself();
    assert_int_equal(chmod(closed, 0711), 0); /* it can be entered, but not listed */
    put("main.ini", "[global]\ninclude=conf.d/*/pool.ini\ninclude=conf.d/deep/p*.ini\n" LISTENER);
    become_ordinary();
    if (geteuid() == getuid()) /* still the owner, so the owner's permissions apply */
        assert_int_equal(chmod(closed, 0311), 0);
    load_gives("main.ini:3: include \"conf.d/deep/p*.ini\": conf.d/deep: Permission denied\n");
    become_oneself();
    assert_int_equal(chmod(closed, 0755), 0);
}

static void a_folder_whose_name_looks_like_a_pattern_is_no_pattern(void **state)
{
    char path[160], from[160], deep[128];
    struct config_errors *errors = config_errors_new();
    (void)state;
    snprintf(deep, sizeof(deep), "%s/[x]*", folder);
    assert_int_equal(mkdir(deep, 0700), 0);
    put("[x]*/main.ini", "[global]\ninclude=p*.ini\n" LISTENER);
    put("[x]*/pool.ini", POOL);
    snprintf(path, sizeof(path), "%s/main.ini", deep);
    struct config *config = config_load(path, errors);
    snprintf(from, sizeof(from), "%s/pool.ini", deep);
    unlink(from);
    unlink(path);
    rmdir(deep);
    if (!config)
        fail_msg("%s", config_errors_text(errors, 0));
    config_free(config);
    config_errors_free(errors);
}

static void a_circle_of_includes_is_an_error(void **state)
{
    (void)state;
    put("main.ini", "[global]\ninclude=a.ini\ninclude=a.ini\n" LISTENER POOL);
    put("a.ini", "[global]\ninclude=main.ini\n");
    load_gives("main.ini:3: include \"a.ini\": already included at main.ini:2\n"
               "a.ini:2: include \"main.ini\": the file includes itself\n");
}

static void includes_go_eight_deep_and_no_deeper(void **state)
{
    char name[32], text[64];
    (void)state;
    put("main.ini", "[global]\ninclude=d1.ini\n" LISTENER POOL);
    for (int i = 1; i <= 8; i++) {
        snprintf(name, sizeof(name), "d%d.ini", i);
        snprintf(text, sizeof(text), i < 8 ? "[global]\ninclude=d%d.ini\n" : "[global]\n", i + 1);
        put(name, text);
    }
    load_gives("");
    put("d8.ini", "[global]\ninclude=d9.ini\n");
    put("d9.ini", "[global]\n");
    load_gives("d8.ini:2: include \"d9.ini\": more than 8 files deep\n");
}

static void a_first_file_that_cannot_be_read_is_one_error(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof(path), "%s/main.ini", folder);
    unlink(path);
    load_gives("main.ini: cannot be read: No such file or directory (another file is named with -c FILE)\n");
    assert_int_equal(mkdir(path, 0700), 0);
    load_gives("main.ini: cannot be read: Is a directory\n");
    assert_int_equal(rmdir(path), 0);
    put("main.ini", LISTENER POOL);
    chmod(path, 0);
    chmod(folder, 0755);
    become_ordinary();
    load_gives("main.ini: cannot be read: Permission denied\n");
    become_oneself();
    unlink(path);
}

static int make_folder(void **state)
{
    char path[128];
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/conf.d", folder);
    umask(022); /* other users must be able to enter the folders */
    if (mkdir(path, 0755) < 0)
        return -1;
    strcat(path, "/deep");
    return mkdir(path, 0755);
}

/* Runs after each test, even if it failed, so that the folder can be removed. */
static int open_again(void **state)
{
    char path[128];
    (void)state;
    snprintf(path, sizeof(path), "%s/conf.d/deep", folder);
    return seteuid(getuid()) < 0 || chmod(path, 0755) < 0 ? -1 : 0;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"a.ini", "main.ini", "d1.ini", "d2.ini", "d3.ini", "d4.ini", "d5.ini", "d6.ini", "d7.ini",
                                        "d8.ini", "d9.ini", "conf.d/1.ini", "conf.d/deep/pool.ini", "conf.d/deep", "conf.d"};
    char path[128];
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        remove(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(included_files_are_read_relative_to_the_including_one),
        cmocka_unit_test(names_and_keys_are_compared_over_all_files),
        cmocka_unit_test(an_include_that_cannot_be_read_is_an_error),
        cmocka_unit_test(a_pattern_may_match_nothing),
        cmocka_unit_test_teardown(a_folder_of_a_pattern_that_cannot_be_read_is_an_error, open_again),
        cmocka_unit_test(a_folder_whose_name_looks_like_a_pattern_is_no_pattern),
        cmocka_unit_test(a_circle_of_includes_is_an_error),
        cmocka_unit_test(includes_go_eight_deep_and_no_deeper),
        cmocka_unit_test_teardown(a_first_file_that_cannot_be_read_is_one_error, open_again),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
