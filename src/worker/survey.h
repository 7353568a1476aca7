/* worker/survey.h: answers queries about the sessions or flows of a worker, and closes those that an administrator wants closed. The worker's thread, except
 * for survey_ask(). Other threads call worker_survey() (worker/worker.h), which does all of it.
 *
 * A worker visits its sessions, or its flows, in slices (worker/walk.h). */
#ifndef WORKER_SURVEY_H
#define WORKER_SURVEY_H

#include "table/survey_request.h"
#include "worker/walk.h"

struct mailbox;
struct worker;

/* Requests that a worker works on at the same time; more are refused with -EBUSY. */
enum { SURVEYS_MAX = 4 };

struct survey_run {
    struct walk walk;
    struct survey_request *request; /* to be answered; NULL: this run is free */
};

/* Puts the request to all workers that have to answer it. `mailboxes` are those of all workers. A worker that has ended is not asked. Any thread; once. */
void survey_ask(struct survey_request *request, struct mailbox *mailboxes);

/* Begins to answer. The worker has to answer it from now on. */
void survey_begin(struct worker *worker, struct survey_request *request);

/* Answers at once whatever has not been answered yet, because the worker ends. */
void survey_end_all(struct worker *worker);

#endif
