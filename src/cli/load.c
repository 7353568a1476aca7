/* cli/load.c: reads the configuration for a subcommand. Main thread; owns nothing. */
#include "cli/load.h"

#include <stdio.h>

#include "config/config.h"

struct config *cli_load(const char *command, const char *file)
{
    struct config_errors *errors = config_errors_new();
    struct config *config;

    if (!errors) {
        fprintf(stderr, "penstock %s: out of memory\n", command);
        return NULL;
    }
    config = config_load(file, errors);
    for (size_t i = 0; !config && i < config_errors_lines(errors); i++) /* after success, `errors` has only warnings, which the configuration has too */
        fprintf(stderr, "%s\n", config_errors_text(errors, i));
    config_errors_free(errors);
    return config;
}
