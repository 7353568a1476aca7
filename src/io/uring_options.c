/* io/uring_options.c: sets options of sockets that are about to connect. Worker thread; owns nothing.
 *
 * Options are set by requests to the ring (Linux 6.7), which the kernel executes before the connect that follows them. This saves four system calls for each
 * connection. The connect is in flight after that, so the descriptor cannot be closed and reused before these requests are executed. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/kernel.h"
#include "io/uring.h"

/* liburing 2.3 lacks the number of the command and the place of its arguments in the request (struct io_uring_sqe of Linux 6.7). */
enum { COMMAND_SETSOCKOPT = 3 };

static void prepare_set(struct io_uring_sqe *sqe, int fd, int level, int option, const void *value, size_t bytes)
{
    io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, COMMAND_SETSOCKOPT); /* the offset field holds the command */
    sqe->addr = (uint32_t)level | (uint64_t)(uint32_t)option << 32;
    sqe->file_index = (uint32_t)bytes;       /* optlen */
    sqe->addr3 = (uint64_t)(uintptr_t)value; /* optval */
}

struct ring_setter {
    struct kernel_setter setter; /* first */
    struct uring *uring;
};

static void queue_set(struct uring *uring, int fd, int level, int option, const void *value, size_t bytes)
{
    struct io_uring_sqe *sqe = uring_next_sqe(uring);

    prepare_set(sqe, fd, level, option, value, bytes);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = (uint64_t)OP_UNHEARD << 56; /* a refused option does not justify failing the connection */
}

/* Returns a place for a value. The kernel reads the value when the request is submitted. A place is reused only after more requests than the queue holds, so
 * they were all submitted. */
static union uring_option *next_place(struct uring *uring)
{
    return &uring->options[uring->option_next++ % URING_SQ_ENTRIES];
}

static void set_by_ring(const struct kernel_setter *setter, int fd, int level, int option, int value)
{
    struct uring *uring = ((const struct ring_setter *)setter)->uring;
    union uring_option *place = next_place(uring);

    place->number = value;
    queue_set(uring, fd, level, option, &place->number, sizeof(place->number));
}

static void set_text_by_ring(const struct kernel_setter *setter, int fd, int level, int option, const char *text)
{
    struct uring *uring = ((const struct ring_setter *)setter)->uring;
    union uring_option *place = next_place(uring);
    size_t length = strnlen(text, sizeof(place->text));

    memcpy(place->text, text, length);
    queue_set(uring, fd, level, option, place->text, length);
}

void uring_set_options(struct uring *uring, int fd, int family, const struct io_socket_options *options)
{
    struct ring_setter by_ring = {.setter = {.set = set_by_ring, .set_text = set_text_by_ring}, .uring = uring};

    if (uring->sets_options && family != AF_UNIX) /* a UNIX socket is connected by a direct call, before any request would be submitted */
        kernel_set_options(&by_ring.setter, fd, family, options);
    else
        kernel_set_options_now(fd, family, options);
}

bool uring_options_self_test(struct uring *uring)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), value = 0;
    static const int one = 1;
    socklen_t length = sizeof(value);
    struct io_uring_sqe *sqe;
    struct io_uring_cqe *cqe;
    bool works = false;

    if (fd < 0)
        return false;
    sqe = uring_next_sqe(uring);
    prepare_set(sqe, fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    sqe->user_data = (uint64_t)OP_UNHEARD << 56; /* a late completion is ignored */
    if (io_uring_submit_and_wait(&uring->ring, 1) == 1 && io_uring_peek_cqe(&uring->ring, &cqe) == 0) {
        works = cqe->res == 0 && getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length) == 0 && value != 0;
        io_uring_cqe_seen(&uring->ring, cqe);
    }
    (void)close(fd);
    return works;
}
