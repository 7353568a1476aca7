/* table/mailbox.c: orders, messages and the descriptor that tells of them. Any thread sends, the owner takes.
 *
 * Messages are published by the ring. Orders are one word: the sender sets bits with release, the owner exchanges the word with acquire. A sender that finds the
 * word not zero does not write to the descriptor: another sender made it so, the owner has not exchanged it since, and that sender's write to the descriptor comes
 * after it set its bits, so that the owner is still going to look. What this sender wrote before is seen all the same, since its read-modify-write continues the
 * release sequence that the exchange acquires. */
#include "table/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <unistd.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/ring.h"

enum { POST_RETRY_US = 200 };

int mailbox_init(struct mailbox *mailbox, const struct mailbox_options *options)
{
    assert(options->capacity == 0 || options->message_bytes <= MAILBOX_MESSAGE_BYTES);
    *mailbox = (struct mailbox){.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .dispose = options->dispose};
    if (mailbox->event_fd < 0)
        return -errno;
    if (options->capacity > 0) {
        mailbox->ring = ring_new(options->capacity, options->message_bytes);
        if (!mailbox->ring) {
            (void)close(mailbox->event_fd);
            return -ENOMEM;
        }
    }
    atomic_init(&mailbox->orders, 0);
    mailbox->open = true;
    return 0;
}

void mailbox_deinit(struct mailbox *mailbox)
{
    alignas(max_align_t) unsigned char message[MAILBOX_MESSAGE_BYTES];

    if (!mailbox->open)
        return;
    while (mailbox->dispose && mailbox_take(mailbox, message))
        mailbox->dispose(message);
    ring_free(mailbox->ring);
    (void)close(mailbox->event_fd);
    *mailbox = (struct mailbox){0};
}

static void tell_owner(const struct mailbox *mailbox)
{
    uint64_t one = 1;

    /* Fails only when the counter would overflow: the descriptor is readable then. */
    while (write(mailbox->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void mailbox_order(struct mailbox *mailbox, uint32_t orders)
{
    if (atomic_fetch_or_explicit(&mailbox->orders, orders, memory_order_acq_rel) == 0)
        tell_owner(mailbox);
}

bool mailbox_post(struct mailbox *mailbox, const void *message)
{
    if (!ring_push(mailbox->ring, message))
        return false;
    tell_owner(mailbox);
    return true;
}

int mailbox_post_wait(struct mailbox *mailbox, const void *message, uint64_t deadline_ns)
{
    while (!mailbox_post(mailbox, message)) {
        if (clock_now_ns() >= deadline_ns)
            return -ETIMEDOUT;
        (void)usleep(POST_RETRY_US);
    }
    return 0;
}

void mailbox_clear(struct mailbox *mailbox)
{
    uint64_t count;

    while (read(mailbox->event_fd, &count, sizeof(count)) < 0 && errno == EINTR) /* EAGAIN: it was silent */
        ;
}

uint32_t mailbox_take_orders(struct mailbox *mailbox)
{
    return atomic_exchange_explicit(&mailbox->orders, 0, memory_order_acq_rel);
}

bool mailbox_take(struct mailbox *mailbox, void *message)
{
    return mailbox->ring && ring_pop(mailbox->ring, message);
}
