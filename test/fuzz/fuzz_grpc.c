/* fuzz_grpc: any lines and bytes as the answer to a gRPC probe: what is read stays within its bounds, and the outcome of a decided answer does not depend on how
 * the connection ends. The input is header lines, a NUL byte, the body, and trailers after the length that the first byte gives. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "health/grpc_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_lines(struct grpc_answer *answer, const char *text, size_t bytes)
{
    while (bytes > 0) {
        const char *end = memchr(text, '\n', bytes);
        size_t length = end ? (size_t)(end - text) + 1 : bytes;
        if (!grpc_answer_add_header(answer, text, length, 200))
            return;
        text += length;
        bytes -= length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pool_settings settings = {.check = CONFIG_CHECK_GRPC, .check_service = "x"};
    struct grpc_answer answer;
    struct probe_result whole, cut;

    if (size == 0)
        return 0;
    size_t wanted = data[0];
    const char *text = (const char *)data + 1, *end = memchr(text, '\0', --size);
    size_t header_bytes = end ? (size_t)(end - text) : size, body_bytes = size - header_bytes;

    grpc_answer_init(&answer, &settings);
    add_lines(&answer, text, header_bytes);
    body_bytes = body_bytes < wanted ? body_bytes : wanted;
    (void)grpc_answer_add_body(&answer, text + header_bytes, body_bytes);
    assert(answer.data_bytes <= sizeof(answer.data));
    bool decided = grpc_answer_is_decided(&answer);
    grpc_answer_judge(&answer, NULL, &whole);
    grpc_answer_judge(&answer, "cut", &cut);
    assert(!decided || (whole.outcome == cut.outcome && strcmp(whole.reason, cut.reason) == 0));
    assert((whole.outcome == PROBE_PASSED) == (whole.reason[0] == '\0'));
    assert(whole.outcome != PROBE_PASSED || decided);
    add_lines(&answer, text + header_bytes + body_bytes, size - header_bytes - body_bytes);
    grpc_answer_judge(&answer, NULL, &whole);
    return 0;
}
