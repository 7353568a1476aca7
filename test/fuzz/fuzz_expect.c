/* fuzz_expect: any text as an expectation, and any answer, which is compared as it grows: a verdict never changes once it is certain. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = memchr(data, '\n', size);
    size_t length = line ? (size_t)(line - data) : size, rest = size - length;
    char *text = malloc(length + 1), problem[EXPECT_PROBLEM_BYTES];
    uint8_t *answer = malloc(rest + 1); /* exactly as long as allowed, so that reading beyond the end is found */
    enum expect_verdict verdict = EXPECT_OPEN;
    struct expect expect;

    assert(text && answer);
    memcpy(text, data, length);
    text[length] = '\0';
    memcpy(answer, data + length, rest);
    answer[rest] = '\0';
    if (expect_validate(text, problem)) {
        assert(expect_init(&expect, text) == 0);
        for (size_t bytes = 0; bytes <= rest; bytes += bytes / 4 + 1) {
            enum expect_verdict next = expect_match(&expect, answer, bytes);
            assert(expect.is_regex || verdict == EXPECT_OPEN || next == verdict);
            verdict = next;
        }
        expect_deinit(&expect);
    } else {
        assert(strlen(problem) > 0);
    }
    free(answer);
    free(text);
    return 0;
}
