/* test_cli_replace.c: a file is replaced as a whole, or stays as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/replace.h"

static char folder[] = "/tmp/test_cli_replace.XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink("file");
    (void)unlink("link");
    return rmdir(folder);
}

static void assert_contents(const char *path, const char *contents)
{
    char text[100] = "";
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    (void)!fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    assert_string_equal(text, contents);
}

static unsigned count_files(void)
{
    unsigned count = 0;
    DIR *files = opendir(".");

    assert_non_null(files);
    while (readdir(files))
        count++;
    closedir(files);
    return count - 2; /* without . and .. */
}

static void a_new_file_is_readable_by_all(void **state)
{
    const char *step;
    struct stat status;

    (void)state;
    assert_int_equal(replace_file("file", "one", 3, &step), 0);
    assert_contents("file", "one");
    assert_int_equal(stat("file", &status), 0);
    assert_int_equal(status.st_mode & 07777, 0644);
    assert_int_equal(count_files(), 1);
}

static void mode_and_links_stay(void **state)
{
    const char *step;
    struct stat status;

    (void)state;
    assert_int_equal(replace_file("file", "one", 3, &step), 0);
    assert_int_equal(chmod("file", 0600), 0);
    assert_int_equal(symlink("file", "link"), 0);
    assert_int_equal(replace_file("link", "two", 3, &step), 0);
    assert_contents("file", "two");
    assert_int_equal(lstat("link", &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_int_equal(stat("file", &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(count_files(), 2);
}

static void failures_name_the_step_and_leave_nothing(void **state)
{
    const char *step;

    (void)state;
    assert_int_equal(replace_file("nowhere/file", "one", 3, &step), -ENOENT);
    assert_string_equal(step, "create a file beside it");
    assert_int_equal(mkdir("file", 0700), 0);
    assert_int_equal(replace_file("file", "one", 3, &step), -EINVAL);
    assert_string_equal(step, "give the new file its mode");
    assert_int_equal(count_files(), 1);
    assert_int_equal(rmdir("file"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_file_is_readable_by_all, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(mode_and_links_stay, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(failures_name_the_step_and_leave_nothing, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
