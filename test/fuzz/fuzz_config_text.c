/* fuzz_config_text: loads any text as a configuration. If it is one, its own text must be read as an equal one, and be written in the same way. */
#include <assert.h>
#include <stdint.h>

#include "../unit/same_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_errors *errors = config_errors_new();
    struct config *config = config_load_text("fuzz", (const char *)data, size, errors);

    assert(!config || same_config_from_text(config));
    config_free(config);
    config_errors_free(errors);
    return 0;
}
