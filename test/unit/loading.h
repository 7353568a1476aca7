/* loading.h: loads a configuration and checks the errors. For the test_config programs. Each of them includes the cmocka headers first. */
#ifndef TEST_UNIT_LOADING_H
#define TEST_UNIT_LOADING_H

#include <string.h>

#include "config/load.h"

/* Loads a text that must have no errors. Returns the configuration, which the caller frees. */
static inline struct config *load_good(const char *text)
{
    struct config_errors *errors = config_errors_new();
    struct config *config = config_load_text("test", text, strlen(text), errors);

    if (!config)
        fail_msg("%s", config_errors_text(errors, 0));
    config_errors_free(errors);
    return config;
}

/* Loads a file, and compares its errors and warnings with `wanted`: one line for each, with `folder` and its slash removed from each path; "" for none. */
static inline void assert_load_says(const char *path, const char *folder, const char *wanted)
{
    struct config_errors *errors = config_errors_new();
    struct config *config = config_load(path, errors);
    char all[4096] = "";

    for (size_t i = 0; i < config_errors_lines(errors); i++) {
        for (const char *at = config_errors_text(errors, i); *at;) {
            if (strncmp(at, folder, strlen(folder)) == 0)
                at += strlen(folder) + 1;
            else
                strncat(all, at++, 1);
        }
        strcat(all, "\n");
    }
    config_free(config);
    config_errors_free(errors);
    assert_string_equal(all, wanted);
}

#endif
