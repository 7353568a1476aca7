/* io/uring_buffers.c: the ring of buffers that the kernel receives into. Worker thread; owns the published buffers.
 *
 * The kernel takes them in the order in which they were published, so that every one is used, and its memory touched, in turn: few are published at first, and
 * all of them from the first time on that a receive finds none. */
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "io/uring.h"

enum { PUBLISHED_AT_FIRST = 64 };

void uring_buffers_publish(struct uring *uring, struct buffer *buffer, unsigned short place)
{
    buffer->start = 0;
    buffer->end = 0;
    uring->published[place] = buffer;
    io_uring_buf_ring_add(uring->buffer_ring, buffer->data, BUFFER_BYTES, place, URING_PUBLISHED - 1, 0);
    io_uring_buf_ring_advance(uring->buffer_ring, 1);
}

void uring_buffers_publish_new(struct uring *uring, unsigned short place)
{
    struct buffer *buffer = buffer_new(&uring->io.buffers);

    if (buffer)
        uring_buffers_publish(uring, buffer, place);
    else
        uring->missing++;
}

void uring_buffers_publish_missing(struct uring *uring)
{
    for (unsigned short place = 0; uring->missing > 0 && place < URING_PUBLISHED; place++) {
        if (!uring->published[place]) {
            uring->missing--;
            uring_buffers_publish_new(uring, place);
            if (!uring->published[place])
                return;
        }
    }
}

int uring_buffers_init(struct uring *uring)
{
    struct io_uring_buf_reg registration = {.ring_entries = URING_PUBLISHED, .bgid = URING_BUFFER_GROUP};
    size_t bytes = URING_PUBLISHED * sizeof(struct io_uring_buf);
    int result;

    uring->buffer_ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (uring->buffer_ring == MAP_FAILED) {
        uring->buffer_ring = NULL;
        return -ENOMEM;
    }
    registration.ring_addr = (uint64_t)(uintptr_t)uring->buffer_ring;
    result = io_uring_register_buf_ring(&uring->ring, &registration, 0);
    if (result < 0) {
        (void)munmap(uring->buffer_ring, bytes);
        uring->buffer_ring = NULL;
        return result;
    }
    io_uring_buf_ring_init(uring->buffer_ring);
    for (unsigned short place = 0; place < PUBLISHED_AT_FIRST; place++)
        uring_buffers_publish_new(uring, place);
    uring->missing += URING_PUBLISHED - PUBLISHED_AT_FIRST;
    return 0;
}

void uring_buffers_deinit(struct uring *uring)
{
    for (int place = 0; place < URING_PUBLISHED; place++) {
        if (uring->published[place])
            buffer_free(&uring->io.buffers, uring->published[place]);
    }
    if (uring->buffer_ring)
        (void)munmap(uring->buffer_ring, URING_PUBLISHED * sizeof(struct io_uring_buf));
}

struct buffer *uring_buffers_take(struct uring *uring, const struct io_uring_cqe *cqe, unsigned short *place)
{
    struct buffer *buffer;

    *place = (unsigned short)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    buffer = uring->published[*place];
    assert(buffer);
    uring->published[*place] = NULL;
    return buffer;
}
