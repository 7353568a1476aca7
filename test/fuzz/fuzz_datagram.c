/* fuzz_datagram: any bytes as a QUIC datagram: the id that is found lies in it; any bytes as two addresses: the header that announces them has the length
 * that it states. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/proxy_header.h"
#include "select/quic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_quic(const uint8_t *data, size_t size)
{
    uint32_t offset, length;
    const uint8_t *found;

    if (size < sizeof(offset) + sizeof(length))
        return;
    memcpy(&offset, data, sizeof(offset));
    memcpy(&length, data + sizeof(offset), sizeof(length));
    data += sizeof(offset) + sizeof(length);
    size -= sizeof(offset) + sizeof(length);
    if (data[-1] & 1) { /* else nearly all would be too large */
        offset %= 32;
        length %= 32;
    }
    found = quic_connection_id(data, size, offset, length);
    assert(!found || (found > data && found <= data + size && length <= (size_t)(data + size - found)));
}

static void check_proxy_header(const uint8_t *data, size_t size)
{
    uint8_t out[PROXY_HEADER_BYTES_MAX];
    struct addr addrs[2] = {{.length = 0}};
    size_t bytes;

    if (size < sizeof(addrs))
        return;
    memcpy(addrs, data, sizeof(addrs));
    for (int i = 0; i < 2; i++)
        if (addrs[i].length % 4 > 0) /* else another family, or none */
            addrs[i].sa.sa_family = addrs[i].length % 2 ? AF_INET : AF_INET6;
    bytes = proxy_header_write(out, size % 2 ? PROXY_STREAM : PROXY_DGRAM, &addrs[0], &addrs[1]);
    assert(bytes >= 16 && bytes <= sizeof(out) && bytes == 16u + out[14] * 256u + out[15]);
    assert((bytes == 16) == (out[12] == 0x20));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_quic(data, size);
    check_proxy_header(data, size);
    return 0;
}
