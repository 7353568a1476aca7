/* worker/mailbox.c: bounded queue and eventfd of a worker. Any thread posts, the worker takes; owned by control. */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/ring.h"
#include "worker/mailbox.h"
#include "worker/worker.h"

enum { MAILBOX_MESSAGES = 1024 };

int mailbox_init(struct mailbox *mailbox)
{
    *mailbox = (struct mailbox){.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (mailbox->event_fd < 0)
        return -errno;
    mailbox->ring = ring_new(MAILBOX_MESSAGES, sizeof(struct mail));
    if (!mailbox->ring) {
        (void)close(mailbox->event_fd);
        *mailbox = (struct mailbox){0};
        return -ENOMEM;
    }
    return 0;
}

void mailbox_deinit(struct mailbox *mailbox)
{
    struct mail mail;

    if (!mailbox->ring)
        return;
    while (mailbox_take(mailbox, &mail)) {
        if (mail.kind == MAIL_CONNECTION)
            (void)close(mail.fd);
    }
    ring_free(mailbox->ring);
    (void)close(mailbox->event_fd);
    *mailbox = (struct mailbox){0};
}

bool mailbox_post(struct mailbox *mailbox, const struct mail *mail)
{
    uint64_t one = 1;

    if (!ring_push(mailbox->ring, mail))
        return false;
    /* Fails only when the counter would overflow: the worker has been told often enough then. */
    while (write(mailbox->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    return true;
}

bool mailbox_take(struct mailbox *mailbox, struct mail *mail)
{
    return ring_pop(mailbox->ring, mail);
}

struct mailbox *worker_mailboxes_new(unsigned workers)
{
    struct mailbox *mailboxes = calloc(workers, sizeof(*mailboxes));

    for (unsigned i = 0; mailboxes && i < workers; i++) {
        if (mailbox_init(&mailboxes[i]) < 0) {
            worker_mailboxes_free(mailboxes, workers);
            return NULL;
        }
    }
    return mailboxes;
}

void worker_mailboxes_free(struct mailbox *mailboxes, unsigned workers)
{
    for (unsigned i = 0; mailboxes && i < workers; i++)
        mailbox_deinit(&mailboxes[i]);
    free(mailboxes);
}
