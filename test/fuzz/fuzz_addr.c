/* fuzz_addr: parses any text as an address, a duration and a size. An accepted value must stay the same when it is formatted and parsed again. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), written[ADDR_TEXT_BYTES];
    struct addr addr = {0}, again = {0};
    uint64_t value, value_again;

    assert(text);
    memcpy(text, data, size);
    text[size] = '\0';
    if (addr_parse(&addr, text) == NULL) {
        addr_format(&addr, written, sizeof(written));
        assert(strlen(written) < sizeof(written) - 1);
        if (!strchr(written, '?')) /* in a UNIX name, "?" stands for a character that cannot be printed */
            assert(addr_parse(&again, written) == NULL && addr_equal(&addr, &again));
    }
    if (duration_parse(&value, text) == NULL)
        assert(duration_parse(&value_again, duration_format(value, written, sizeof(written))) == NULL && value == value_again);
    if (size_parse(&value, text) == NULL)
        assert(size_parse(&value_again, size_format(value, written, sizeof(written))) == NULL && value == value_again);
    free(text);
    return 0;
}
