/* worker/admission.c: the spreading of clients over workers. The accepting worker's thread; owns nothing. */
#include "table/counters.h"
#include "table/intake.h"
#include "table/mailbox.h"
#include "worker/admission.h"
#include "worker/context.h"
#include "worker/mail.h"
#include "worker/session.h"

/* A hand-over costs a wake-up of another thread, so that with many sessions a small lead is left alone: one in 16. With fewer than 16 the spread is exact. */
enum { LEAD_SHARE = 16 };

/* The worker with the fewest sessions if it has clearly fewer than this one. */
static unsigned choose_worker(const struct worker *worker)
{
    const struct worker_shared *shared = worker->shared;
    uint32_t own = counters_active(worker->counters);
    uint32_t least = own - own / LEAD_SHARE;
    unsigned chosen = worker->index;

    for (unsigned i = 0; i < shared->workers; i++) {
        uint32_t active = counters_active(&shared->counters[i]);

        if (active < least && !intake_closed(&shared->intakes[i])) {
            least = active;
            chosen = i;
        }
    }
    return chosen;
}

/* False: the other worker ends, or its mailbox is full. */
static bool hand_over(struct worker *worker, unsigned to, const struct mail *mail)
{
    struct counters *target = &worker->shared->counters[to];
    struct intake *intake = &worker->shared->intakes[to];
    struct mailbox *mailbox = &worker->shared->mailboxes[to];

    if (!intake_enter(intake))
        return false;
    counters_active_add(target, 1);
    if (mailbox_post(mailbox, mail)) {
        counters_add(&worker->counters->handed_over, 1);
        return true;
    }
    counters_active_add(target, -1);
    if (intake_leave(intake)) /* the other worker may wait for just this before it ends */
        mailbox_order(mailbox, ORDER_DRAIN);
    return false;
}

void admission_place(struct worker *worker, const struct lease *lease, int fd, const struct addr *client)
{
    unsigned chosen = worker->shared->workers > 1 && !worker->draining ? choose_worker(worker) : worker->index;

    counters_add(&worker->counters->accepted, 1);
    if (chosen != worker->index) {
        struct mail mail = {.fd = fd, .lease = *lease, .client = *client};

        if (hand_over(worker, chosen, &mail))
            return;
    }
    counters_active_add(worker->counters, 1);
    session_new(worker, &(struct session_arrival){.fd = fd, .lease = *lease, .client = client});
}
