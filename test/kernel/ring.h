/* ring.h: functions for the programs of this folder that use io_uring; see fact.h. */
#ifndef TEST_KERNEL_RING_H
#define TEST_KERNEL_RING_H

#include <liburing.h>

#include "fact.h"

/* Returns the result of a liburing call that is not part of the fact. Ends the program if the call returns a negative errno. */
static inline int ring_must(int result, const char *call, int line)
{
    errno = -result;
    return fact_must(result, call, line);
}
#define RING_MUST(call) ring_must(call, #call, __LINE__)

/* Opens a ring. Skips the program if the kernel has no such ring. */
static inline void ring_open_as(struct io_uring *ring, unsigned entries, struct io_uring_params *params)
{
    int result = io_uring_queue_init_params(entries, ring, params);

    if (result == -EINVAL)
        fact_skip("this kernel has no ring with the flags 0x%x", params->flags);
    if (result < 0)
        fact_skip("no io_uring here: %s", strerror(-result));
}

/* Opens a ring with the flags that a worker uses (src/io/io.c). */
static inline void ring_open(struct io_uring *ring, unsigned entries)
{
    struct io_uring_params params = {.flags = IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};

    ring_open_as(ring, entries, &params);
}

/* Returns the next free request. Set its user_data after preparing it. */
static inline struct io_uring_sqe *ring_request(struct io_uring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

    if (!sqe)
        fact_broken("the submission queue is full");
    return sqe;
}

/* Submits the queued requests and takes the next completion. Returns false if none came before the deadline. */
static inline bool ring_next(struct io_uring *ring, struct io_uring_cqe *taken)
{
    struct __kernel_timespec span = {.tv_sec = FACT_DEADLINE_MS / 1000};
    struct io_uring_cqe *cqe = NULL;
    int result = io_uring_submit_and_wait_timeout(ring, &cqe, 1, &span, NULL);

    if (result != -ETIME)
        (void)RING_MUST(result);
    if (!cqe) /* also if requests were submitted: the call then does not return -ETIME */
        return false;
    *taken = *cqe;
    io_uring_cqe_seen(ring, cqe);
    return true;
}

/* Submits the queued requests and lets the kernel run its deferred work. Returns true if there is no completion after that. Otherwise puts the first one into
 * `taken`. */
static inline bool ring_is_quiet(struct io_uring *ring, struct io_uring_cqe *taken)
{
    struct io_uring_cqe *cqe;

    (void)RING_MUST(io_uring_submit_and_get_events(ring));
    if (io_uring_cq_ready(ring) == 0 || io_uring_peek_cqe(ring, &cqe) < 0)
        return true;
    *taken = *cqe;
    io_uring_cqe_seen(ring, cqe);
    return false;
}

/* ---- buffers into which the kernel receives ---- */

enum { RING_GROUP = 1, RING_BUFFER_BYTES = 4096, RING_BUFFERS = 16 };

struct ring_buffers {
    _Alignas(4096) char entries[4096]; /* struct io_uring_buf_ring */
    char bytes[RING_BUFFERS * RING_BUFFER_BYTES];
};

static inline void ring_buffers_register(struct io_uring *ring, struct ring_buffers *buffers)
{
    struct io_uring_buf_ring *entries = (struct io_uring_buf_ring *)(void *)buffers->entries;
    struct io_uring_buf_reg registration = {.ring_addr = (uint64_t)(uintptr_t)entries, .ring_entries = RING_BUFFERS, .bgid = RING_GROUP};

    io_uring_buf_ring_init(entries);
    (void)RING_MUST(io_uring_register_buf_ring(ring, &registration, 0));
    for (unsigned short i = 0; i < RING_BUFFERS; i++)
        io_uring_buf_ring_add(entries, buffers->bytes + i * RING_BUFFER_BYTES, RING_BUFFER_BYTES, i, RING_BUFFERS - 1, i);
    io_uring_buf_ring_advance(entries, RING_BUFFERS);
}

/* Queues a multishot receive into the registered buffers. It ends after `credit_bytes`; 0: no limit. */
static inline void ring_receive(struct io_uring *ring, int fd, uint32_t credit_bytes, uint64_t user_data)
{
    struct io_uring_sqe *sqe = ring_request(ring);

    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->file_index = credit_bytes; /* the kernel's optlen */
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = RING_GROUP;
    sqe->user_data = user_data;
}

#endif
