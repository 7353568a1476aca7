/* fuzz_api_body: any bytes as the body of a request: what is accepted has text for each value, and what is refused has one sentence. */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "admin/api_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One line, not empty. */
static void check_sentence(const char *error)
{
    size_t length = strnlen(error, API_BODY_ERROR_BYTES);

    assert(length > 0 && length < API_BODY_ERROR_BYTES);
    for (size_t i = 0; i < length; i++)
        assert(!iscntrl((unsigned char)error[i]));
}

static void read_edit(enum config_edit_kind kind, const char *text, size_t size)
{
    char error[API_BODY_ERROR_BYTES] = "", described[64];
    struct api_body body;
    json_t *json;

    if (!api_body_edit(&body, kind, text, size, error)) {
        assert(!body.json);
        check_sentence(error);
        return;
    }
    assert(body.edit.kind == kind);
    assert((kind == CONFIG_EDIT_ADD) == (body.edit.address != NULL) && (kind == CONFIG_EDIT_ADD) == (body.edit.backend != NULL));
    assert(body.number_count <= API_BODY_NUMBERS);
    assert(strlen(api_body_describe(&body.edit, described, sizeof(described))) < sizeof(described));
    json = api_body_json(&body.edit);
    assert(json_is_object(json));
    json_decref(json);
    api_body_clear(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[API_BODY_ERROR_BYTES] = "", *text = malloc(size > 0 ? size : 1); /* exactly as long as the body, so that reading beyond its end is found */
    enum log_level level = LOG_DEBUG;

    assert(text);
    memcpy(text, data, size);
    read_edit(CONFIG_EDIT_ADD, text, size);
    read_edit(CONFIG_EDIT_SET, text, size);
    if (!api_body_log_level(&level, text, size, error))
        check_sentence(error);
    free(text);
    return 0;
}
