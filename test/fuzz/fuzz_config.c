/* fuzz_config: loads any text as a configuration. It must be built, or refused with errors of one line each. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "config/load.h"
#include "config/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    struct config_errors *errors = config_errors_new();
    struct config *config;

    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    assert(errors && nowhere);
    config = config_load_text("fuzz", (const char *)data, size, errors);
    assert((config == NULL) == (config_errors_count(errors) > 0));
    for (size_t i = 0; i < config_errors_lines(errors); i++)
        assert(!strchr(config_errors_text(errors, i), '\n'));
    if (config) {
        assert(config->workers > 0 && config->listener_count > 0 && config->pool_count > 0);
        for (size_t i = 0; i < config->listener_count; i++)
            assert(config->listeners[i].bind_count > 0 && config->listeners[i].pool < config->pool_count);
        for (size_t i = 0; i < config->pool_count; i++)
            assert(config->pools[i].backend_count > 0 && config->pools[i].settings.hash_table_size >= config->pools[i].backend_count);
        for (size_t i = 0; i < config->warning_count; i++)
            assert(!strchr(config->warnings[i], '\n'));
        config_show(config, nowhere);
    }
    config_free(config);
    config_errors_free(errors);
    return 0;
}
