/* table/mailbox.c: orders, messages and the descriptor that reports them. Any thread sends, the owner takes.
 *
 * The ring publishes the messages. The orders are one word: a sender sets bits with release order, and the owner exchanges the word with acquire order. A
 * sender that finds bits set does not write to the descriptor. Another sender has set them, and writes to the descriptor after that; the owner has not
 * exchanged the word since, so it will still do so. The owner also sees what this sender wrote before, because its read-modify-write continues the release
 * sequence that the exchange acquires. */
#include "table/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

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
    atomic_init(&mailbox->closed, false);
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

    /* This fails only if the counter would overflow. The descriptor is readable then. */
    while (write(mailbox->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void mailbox_order(struct mailbox *mailbox, uint32_t orders)
{
    if (atomic_fetch_or_explicit(&mailbox->orders, orders, memory_order_acq_rel) == 0)
        tell_owner(mailbox);
}

void mailbox_close(struct mailbox *mailbox)
{
    atomic_store_explicit(&mailbox->closed, true, memory_order_relaxed);
}

bool mailbox_is_closed(const struct mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->closed, memory_order_relaxed);
}

bool mailbox_post(struct mailbox *mailbox, const void *message)
{
    if (mailbox_is_closed(mailbox) || !ring_push(mailbox->ring, message))
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

    while (read(mailbox->event_fd, &count, sizeof(count)) < 0 && errno == EINTR) /* EAGAIN: it was not readable */
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
