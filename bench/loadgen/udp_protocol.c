/* udp_protocol.c: keys, sizes and names of datagrams. Pure functions; any thread. */
#include "udp_protocol.h"

#include <string.h>

static uint64_t pair_of(uint32_t upper, uint32_t lower)
{
    return (uint64_t)upper << 32 | lower;
}

uint64_t udp_protocol_key(const struct udp_header *header)
{
    return protocol_mix(pair_of(header->flow, header->number), header->run);
}

size_t udp_protocol_size(size_t min, size_t max, uint64_t seed, uint32_t flow, uint32_t number)
{
    if (min == max)
        return min;
    return min + (size_t)(protocol_mix(seed, pair_of(flow, number)) % (max - min + 1));
}

void udp_protocol_sign(uint8_t *data, size_t length, const char *name)
{
    struct udp_header header;
    if (length < sizeof(header))
        return;
    memcpy(&header, data, sizeof(header));
    if (header.magic != UDP_REQUEST_MAGIC)
        return;
    header.magic = UDP_REPLY_MAGIC;
    header.name_check = protocol_name_check(name);
    memcpy(header.name, name, sizeof(header.name));
    memcpy(data, &header, sizeof(header));
}

bool udp_protocol_name_is_right(const struct udp_header *header)
{
    static const char empty[PROTOCOL_NAME_BYTES];
    bool is_empty = memcmp(header->name, empty, sizeof(empty)) == 0;
    if (header->magic == UDP_REQUEST_MAGIC)
        return is_empty && header->name_check == 0;
    return !is_empty && header->name[PROTOCOL_NAME_BYTES - 1] == '\0' && header->name_check == protocol_name_check(header->name);
}
