/* io/uring_buffers.c: the ring of buffers that the kernel receives into. Worker thread; owns the published buffers.
 *
 * The kernel uses buffers in the order in which they were published, so each of them is used in turn and its memory is touched. Therefore only a few are
 * published at first, and all of them once a receive has found none. When no dispatch needs that many any more, the ring is recreated with few buffers,
 * because the kernel cannot give back single ones. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "io/uring.h"
#include "log/log.h"

enum { PUBLISHED_AT_FIRST = 64, TAKEN_FEW = PUBLISHED_AT_FIRST / 2, RENEWAL_TRIMS = 4 };

void uring_buffers_publish(struct uring *uring, struct buffer *buffer, unsigned short place)
{
    if (uring->withdrawn) {
        buffer_free(&uring->io.buffers, buffer);
        uring->missing++;
        return;
    }
    buffer->start = 0;
    buffer->end = 0;
    uring->published[place] = buffer;
    io_uring_buf_ring_add(uring->buffer_ring, buffer->data, BUFFER_BYTES, place, URING_PUBLISHED - 1, 0);
    io_uring_buf_ring_advance(uring->buffer_ring, 1);
}

void uring_buffers_publish_new(struct uring *uring, unsigned short place)
{
    struct buffer *buffer = uring->withdrawn ? NULL : buffer_new(&uring->io.buffers);

    if (buffer)
        uring_buffers_publish(uring, buffer, place);
    else
        uring->missing++;
}

bool uring_buffers_publish_missing(struct uring *uring)
{
    if (uring->withdrawn)
        return false;
    for (unsigned short place = 0; uring->missing > 0 && place < URING_PUBLISHED; place++) {
        if (!uring->published[place]) {
            uring->missing--;
            uring_buffers_publish_new(uring, place);
            if (!uring->published[place])
                break;
        }
    }
    return true;
}

/* Registers the ring and publishes the first buffers. Returns 0 or a negative errno. */
static int register_ring(struct uring *uring)
{
    struct io_uring_buf_reg registration = {
        .ring_addr = (uint64_t)(uintptr_t)uring->buffer_ring, .ring_entries = URING_PUBLISHED, .bgid = URING_BUFFER_GROUP};
    int result;

    io_uring_buf_ring_init(uring->buffer_ring); /* before the registration, after which the kernel reads how many buffers the ring holds */
    result = io_uring_register_buf_ring(&uring->ring, &registration, 0);
    if (result < 0)
        return result;
    uring->missing = URING_PUBLISHED - PUBLISHED_AT_FIRST;
    for (unsigned short place = 0; place < PUBLISHED_AT_FIRST; place++)
        uring_buffers_publish_new(uring, place);
    return 0;
}

int uring_buffers_init(struct uring *uring)
{
    size_t bytes = URING_PUBLISHED * sizeof(struct io_uring_buf);

    uring->buffer_ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (uring->buffer_ring == MAP_FAILED) {
        uring->buffer_ring = NULL;
        return -ENOMEM;
    }
    return register_ring(uring);
}

static void free_published(struct uring *uring)
{
    for (int place = 0; place < URING_PUBLISHED; place++) {
        if (uring->published[place])
            buffer_free(&uring->io.buffers, uring->published[place]);
        uring->published[place] = NULL;
    }
}

void uring_buffers_deinit(struct uring *uring)
{
    free_published(uring);
    if (uring->buffer_ring)
        (void)munmap(uring->buffer_ring, URING_PUBLISHED * sizeof(struct io_uring_buf));
}

void uring_buffers_withdraw(struct uring *uring)
{
    if (!uring->renews || uring->withdrawn)
        return;
    uring->renews = false;
    uring->withdrawn = io_uring_unregister_buf_ring(&uring->ring, URING_BUFFER_GROUP) == 0;
}

void uring_buffers_renew(struct uring *uring)
{
    int result;

    if (uring->taken > uring->taken_most)
        uring->taken_most = uring->taken;
    uring->taken_ever += uring->taken;
    uring->taken = 0;
    /* Unread completions may name a buffer of the old ring. */
    if (!uring->withdrawn || io_uring_cq_has_overflow(&uring->ring) || io_uring_cq_ready(&uring->ring) > 0)
        return;
    uring->taken_renewed = uring->taken_ever;
    free_published(uring);
    for (int i = 0; i < RENEWAL_TRIMS; i++) /* so that the new buffers come from memory that was not touched yet */
        slab_trim(&uring->io.buffers.slab);
    uring->withdrawn = false;
    result = register_ring(uring);
    if (result < 0) { /* out of memory: a later dispatch retries */
        uring->withdrawn = true;
        if (!uring->lacks_ring)
            log_warn("out of memory: a worker cannot register its receive buffers and receives nothing until it can: %s", strerrorname_np(-result));
    }
    uring->lacks_ring = uring->withdrawn;
    uring->used_renewed = uring->io.buffers.slab.used;
}

/* Whether to recreate the ring: more buffers are published than at first, or few buffers keep many chunks in use, probably the published ones. If sessions
 * keep the chunks in use instead, recreating gains nothing, and it is not repeated before a buffer was taken or given back. */
static bool too_large(const struct uring *uring)
{
    const struct slab *slab = &uring->io.buffers.slab;

    return uring->missing < URING_PUBLISHED - PUBLISHED_AT_FIRST || (slab_scattered(slab) && slab->used != uring->used_renewed);
}

/* Whether most of the published buffers have been filled once, so that their memory is allocated. */
static bool mostly_touched(const struct uring *uring)
{
    return uring->taken_ever - uring->taken_renewed > TAKEN_FEW;
}

bool uring_trimmable(struct io *io)
{
    return too_large(uring_of(io)) || mostly_touched(uring_of(io)) || slab_trimmable(&io->buffers.slab);
}

void uring_trim(struct io *io)
{
    struct uring *uring = uring_of(io);
    bool quiet = uring->taken_ever - uring->taken_trimmed <= TAKEN_FEW / 2;

    uring->renews = !slab_trimmable(&io->buffers.slab) && ((too_large(uring) && uring->taken_most <= TAKEN_FEW) || (mostly_touched(uring) && quiet));
    uring->taken_most = 0;
    uring->taken_trimmed = uring->taken_ever;
    slab_trim(&io->buffers.slab);
}

struct buffer *uring_buffers_take(struct uring *uring, const struct io_uring_cqe *cqe, unsigned short *place)
{
    struct buffer *buffer;

    *place = (unsigned short)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    buffer = uring->published[*place];
    assert(buffer);
    uring->published[*place] = NULL;
    uring->taken++;
    return buffer;
}
