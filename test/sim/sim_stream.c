/* test/sim/sim_stream.c: the bytes in transit in one direction of a connection: a ring buffer that is allocated when it is first used. Test thread; the
 * connection owns it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static void make(struct sim_stream *stream)
{
    stream->size = 64;
    while (stream->size < stream->send_max + stream->receive_max)
        stream->size *= 2;
    stream->data = malloc(stream->size);
    if (!stream->data)
        abort();
}

void sim_stream_push(struct sim_stream *stream, const uint8_t *data, uint32_t bytes)
{
    uint32_t at, first;

    if (!stream->data)
        make(stream);
    assert(bytes <= stream->size - stream->length);
    at = (stream->head + stream->length) & (stream->size - 1);
    first = bytes < stream->size - at ? bytes : stream->size - at;
    memcpy(stream->data + at, data, first);
    memcpy(stream->data, data + first, bytes - first);
    stream->length += bytes;
}

uint32_t sim_stream_take(struct sim_stream *stream, uint8_t *data, uint32_t bytes)
{
    uint32_t first;

    if (bytes > stream->arrived)
        bytes = stream->arrived;
    if (bytes == 0)
        return 0;
    first = bytes < stream->size - stream->head ? bytes : stream->size - stream->head;
    memcpy(data, stream->data + stream->head, first);
    memcpy(data + first, stream->data, bytes - first);
    stream->head = (stream->head + bytes) & (stream->size - 1);
    stream->length -= bytes;
    stream->arrived -= bytes;
    return bytes;
}

void sim_stream_cut(struct sim_stream *stream)
{
    stream->length = stream->arrived;
    stream->fin &= stream->fin_arrived;
}
