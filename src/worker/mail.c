/* worker/mail.c: the workers' mailboxes. Control makes and frees them. */
#include "worker/mail.h"

#include <stdlib.h>
#include <unistd.h>

#include "table/mailbox.h"
#include "table/survey_request.h"
#include "worker/worker.h"

enum { MAIL_CAPACITY = 1024 };

_Static_assert(sizeof(struct mail) <= MAILBOX_MESSAGE_BYTES, "a mailbox takes a worker's mail");

void mail_dispose(void *message)
{
    struct mail *mail = message;

    switch (mail->kind) {
    case MAIL_CLIENT:
        (void)close(mail->client.fd);
        break;
    case MAIL_SURVEY: /* the worker has ended: it has no sessions */
        survey_request_answer(mail->survey.request, mail->survey.worker, 0);
        break;
    }
}

struct mailbox *worker_mailboxes_new(unsigned workers)
{
    struct mailbox_options options = {.capacity = MAIL_CAPACITY, .message_bytes = sizeof(struct mail), .dispose = mail_dispose};
    struct mailbox *mailboxes = calloc(workers, sizeof(*mailboxes));

    for (unsigned i = 0; mailboxes && i < workers; i++) {
        if (mailbox_init(&mailboxes[i], &options) < 0) {
            worker_mailboxes_free(mailboxes, workers);
            return NULL;
        }
    }
    return mailboxes;
}

void worker_tell_of_place(void *mailboxes, unsigned worker)
{
    mailbox_order((struct mailbox *)mailboxes + worker, ORDER_ADMIT);
}

void worker_order_evictions(void *mailboxes, unsigned worker)
{
    mailbox_order((struct mailbox *)mailboxes + worker, ORDER_EVICT);
}

void worker_mailboxes_free(struct mailbox *mailboxes, unsigned workers)
{
    for (unsigned i = 0; mailboxes && i < workers; i++)
        mailbox_deinit(&mailboxes[i]);
    free(mailboxes);
}
