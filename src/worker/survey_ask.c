/* worker/survey_ask.c: asks the workers about their sessions and flows. The asking thread; owns nothing. */
#include <errno.h>

#include "table/mailbox.h"
#include "worker/mail.h"
#include "worker/survey.h"
#include "worker/worker.h"

/* A worker may end between the two looks at its mailbox. */
static void ask_worker(struct survey_request *request, struct mailbox *mailbox, unsigned worker)
{
    struct mail mail = {.kind = MAIL_SURVEY, .survey = {.request = request, .worker = worker}};

    if (mailbox_is_closed(mailbox))
        return;
    survey_request_ask(request, worker);
    if (!mailbox_post(mailbox, &mail))
        survey_request_answer(request, worker, mailbox_is_closed(mailbox) ? 0 : -EBUSY);
}

void survey_ask(struct survey_request *request, struct mailbox *mailboxes)
{
    for (unsigned i = 0; i < request->workers; i++) {
        if (!request->query.number || request->query.worker == i)
            ask_worker(request, &mailboxes[i], i);
    }
}

int worker_survey(const struct worker_shared *shared, const struct survey_query *query, enum survey_action action, uint64_t deadline_ns,
                  struct survey *survey)
{
    struct survey_request *request = survey_request_new(query, action, shared->workers);
    int result;

    *survey = (struct survey){0};
    if (!request)
        return -ENOMEM;
    survey_ask(request, shared->mailboxes);
    (void)survey_request_wait(request, deadline_ns); /* the survey says how many workers were late */
    result = survey_request_collect(request, survey);
    survey_request_drop(request);
    return result;
}
