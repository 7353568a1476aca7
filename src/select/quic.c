/* select/quic.c: finds the connection id in a QUIC datagram. Pure; any thread; owns nothing. */
#include "select/quic.h"

enum {
    LONG_HEADER = 0x80, /* bit of the first byte: the header has a version and lengths */
    FIXED_BIT = 0x40,   /* bit of the first byte: always set in version 1 */
    ID_BYTES_MAX_V1 = 20,
    SHORT_ID_AT = 1,    /* position of the id in a short header */
    VERSION_AT = 1,
    ID_LENGTH_AT = 5,
    LONG_ID_AT = 6,
};

static uint32_t version_of(const uint8_t *datagram)
{
    const uint8_t *byte = datagram + VERSION_AT;

    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

/* Returns the position of the id and sets `*end` to the position after its last byte. Returns 0 if there is none. */
static size_t find_id(const uint8_t *datagram, size_t bytes, size_t *end)
{
    uint32_t version;

    if (bytes == 0)
        return 0;
    if (!(datagram[0] & LONG_HEADER)) {
        *end = bytes;
        return datagram[0] & FIXED_BIT ? SHORT_ID_AT : 0;
    }
    if (bytes < LONG_ID_AT)
        return 0;
    version = version_of(datagram);
    *end = LONG_ID_AT + (size_t)datagram[ID_LENGTH_AT];
    if (version == 0 || *end > bytes)
        return 0;
    if (version == 1 && (!(datagram[0] & FIXED_BIT) || datagram[ID_LENGTH_AT] > ID_BYTES_MAX_V1))
        return 0;
    return LONG_ID_AT;
}

const uint8_t *quic_connection_id(const uint8_t *datagram, size_t bytes, uint32_t offset, uint32_t length)
{
    size_t end, at = find_id(datagram, bytes, &end);

    if (at == 0 || (uint64_t)at + offset + length > end)
        return NULL;
    return datagram + at + offset;
}
