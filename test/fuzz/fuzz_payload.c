/* fuzz_payload: any text as a payload: what is accepted comes back the same after being written and read again, and matches itself. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct payload *payload, bool as_hex)
{
    static const char prefix[] = "hex:";
    char written[sizeof(prefix) + 4 * PAYLOAD_BYTES_MAX + 8];
    struct payload again;

    payload_format(payload->bytes, payload->count, as_hex, written, sizeof(written));
    if (!as_hex && payload_is_hex(written)) /* the text has to be written in another way */
        return;
    assert(!payload_parse(&again, written, false));
    assert(again.count == payload->count && memcmp(again.bytes, payload->bytes, payload->count) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), shown[16];
    struct payload payload, pattern;
    bool is_payload, is_pattern;

    assert(text);
    memcpy(text, data, size);
    text[size] = '\0';
    is_payload = !payload_parse(&payload, text, false);
    is_pattern = !payload_parse(&pattern, text, true);
    assert(is_pattern || !is_payload);
    if (is_payload) {
        assert(payload.count > 0 && payload.count <= PAYLOAD_BYTES_MAX);
        assert(payload_matches(&pattern, payload.bytes, payload.count));
        assert(!payload_matches(&pattern, payload.bytes, payload.count - 1));
        check_round_trip(&payload, false);
        check_round_trip(&payload, true);
    }
    if (is_pattern) {
        assert(payload_matches(&pattern, pattern.bytes, pattern.count));
        (void)payload_matches(&pattern, data, size);
    }
    payload_format(data, size, size % 2, shown, sizeof(shown));
    assert(strlen(shown) < sizeof(shown));
    free(text);
    return 0;
}
