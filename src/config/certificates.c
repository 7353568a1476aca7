/* config/certificates.c: checks a file of certificates in PEM without a library for TLS, which only libcurl uses. Thread that loads the configuration. */
#include "config/certificates.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/contents.h"

#define BLANKS " \t\r\n"

enum { DER_SEQUENCE = 0x30, DER_LONG_LENGTH = 0x80, DER_HEADER_BYTES_MAX = 6 };

/* Decodes base64 with blanks from `text` up to `end`. Stores the first `size` bytes. Returns the number of all bytes, or 0 if it is not base64. */
static size_t decode_base64(const char *text, const char *end, uint8_t *out, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t digit_count = 0, padding = 0, bytes = 0;
    uint32_t bits = 0;

    for (; text < end; text++) {
        const char *digit = *text != '\0' ? strchr(digits, *text) : NULL;

        if (*text != '\0' && strchr(BLANKS, *text))
            continue;
        if (*text == '=') {
            padding++;
            continue;
        }
        if (!digit || padding > 0)
            return 0;
        bits = bits << 6 | (uint32_t)(digit - digits);
        if (digit_count++ % 4 == 0) /* eight bits need two digits */
            continue;
        if (bytes < size)
            out[bytes] = (uint8_t)(bits >> (6 - 2 * ((digit_count - 1) % 4)));
        bytes++;
    }
    return (digit_count + padding) % 4 == 0 && padding <= 2 ? bytes : 0;
}

/* Whether `bytes` bytes that begin with `header` are one DER sequence, perhaps with more after it, as in a "TRUSTED CERTIFICATE". */
static bool is_sequence(const uint8_t *header, size_t bytes)
{
    size_t length = header[1], length_bytes = 0;

    if (bytes < DER_HEADER_BYTES_MAX || header[0] != DER_SEQUENCE)
        return false;
    if (length >= DER_LONG_LENGTH) {
        length_bytes = length - DER_LONG_LENGTH;
        if (length_bytes == 0 || length_bytes > DER_HEADER_BYTES_MAX - 2)
            return false;
        length = 0;
        for (size_t i = 0; i < length_bytes; i++)
            length = length << 8 | header[2 + i];
    }
    return length > 0 && length <= bytes - 2 - length_bytes;
}

/* Checks every block "-----BEGIN ... CERTIFICATE-----". */
static const char *check_text(const char *text)
{
    static const char begin[] = "-----BEGIN ", end[] = "-----END ", certificate[] = "CERTIFICATE-----";
    size_t count = 0;

    while ((text = strstr(text, begin)) != NULL) {
        const char *label = text + strlen(begin), *body = strstr(label, "-----"), *last = strstr(label, end);
        uint8_t header[DER_HEADER_BYTES_MAX] = {0};

        text = label;
        if (!body || body - label < (ptrdiff_t)strlen("CERTIFICATE") || strncmp(body - strlen("CERTIFICATE"), certificate, strlen(certificate)) != 0)
            continue;
        body += strlen("-----");
        if (!last || !is_sequence(header, decode_base64(body, last, header, sizeof(header))))
            return "contains a certificate that cannot be read";
        count++;
    }
    return count > 0 ? NULL : "contains no certificate (in PEM, with a line \"-----BEGIN CERTIFICATE-----\")";
}

const char *config_certificates_check(const char *path)
{
    struct stat status;
    const char *problem = NULL;
    char *text = NULL;
    int fd = config_contents_open(path, true, &status, &problem);

    if (fd < 0)
        return problem;
    ssize_t bytes = config_contents_read(fd, &status, &text, &problem);
    close(fd);
    if (bytes < 0)
        return problem;
    char *terminated = realloc(text, (size_t)bytes + 1);
    if (!terminated) {
        free(text);
        return "out of memory";
    }
    terminated[bytes] = '\0';
    problem = check_text(terminated);
    free(terminated);
    return problem;
}
