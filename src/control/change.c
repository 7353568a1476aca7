/* control/change.c: changes the configuration in force, and tells what it is. Other threads ask by a request in a mailbox of its own, so that the mailbox of
 * notices always has room for those of the workers. Control's thread answers, and owns the configurations. */
#include "control/change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/links.h"
#include "base/clock.h"
#include "base/hash.h"
#include "config/text.h"
#include "health/health.h"
#include "table/request.h"

#define APPLY_NS UINT64_C(3000000000) /* longer than control ever takes for a change that it has begun */

enum { REQUESTS_MAX = 16 };

/* Freed by the last one of both threads: the asker may have stopped waiting when control takes it. */
struct change_request {
    struct request request;   /* first member */
    struct config_edit *edit; /* NULL: only the text and the hash are wanted */
    bool wants_text;
    uint64_t deadline_ns;     /* control does not take it later */

    /* The answer. */
    int result;
    char error[ADMIN_ERROR_BYTES];
    char *text;
    uint64_t hash;
};

/* ---- control's thread ---- */

static void read_config(struct changes *changes, struct change_request *asked)
{
    char *text = NULL;

    if (asked->wants_text || !changes->is_hashed) {
        text = config_text(changes->config);
        if (!text) {
            asked->result = -ENOMEM;
            return;
        }
        changes->hash = hash_bytes(text, strlen(text), 0, 0);
        changes->is_hashed = true;
    }
    if (asked->wants_text)
        asked->text = text;
    else
        free(text);
    asked->hash = changes->hash;
    asked->result = 0;
}

static void change_config(struct changes *changes, struct change_request *asked)
{
    struct config *changed = config_edit(changes->config, asked->edit, &asked->result, asked->error, sizeof(asked->error));

    if (!changed)
        return;
    asked->result = health_apply(changes->health, changed, NULL);
    if (asked->result < 0) {
        config_free(changed);
        (void)snprintf(asked->error, sizeof(asked->error), "the change was not applied: %s",
                       asked->result == -ETIMEDOUT ? "the health thread did not take it within a second" : strerror(-asked->result));
        return;
    }
    config_free(changes->edited);
    changes->config = changes->edited = changed;
    changes->is_hashed = false;
}

static void follow_request(struct request *request, void *receiver)
{
    struct change_request *asked = (struct change_request *)request;
    struct changes *changes = receiver;

    if (clock_now_ns() >= asked->deadline_ns) {
        asked->result = -ETIMEDOUT;
        (void)snprintf(asked->error, sizeof(asked->error), "the main thread was late; nothing has changed");
    } else if (!asked->edit) {
        read_config(changes, asked);
    } else if (changes->is_stopping) {
        (void)snprintf(asked->error, sizeof(asked->error), "Penstock is stopping and takes no more changes");
    } else {
        change_config(changes, asked);
    }
}

int changes_init(struct changes *changes, const struct config *config, struct health *health)
{
    const struct mailbox_options options = {.capacity = REQUESTS_MAX, .message_bytes = sizeof(struct request *), .dispose = request_refuse};

    *changes = (struct changes){.config = config, .health = health};
    return mailbox_init(&changes->mailbox, &options);
}

void changes_answer(struct changes *changes)
{
    struct request *request;

    mailbox_clear(&changes->mailbox);
    while (mailbox_take(&changes->mailbox, &request))
        request_follow(request, changes);
}

void changes_refuse(struct changes *changes)
{
    changes->is_stopping = true;
}

void changes_close(struct changes *changes)
{
    struct request *request;

    if (!changes->mailbox.open)
        return;
    mailbox_close(&changes->mailbox);
    while (mailbox_take(&changes->mailbox, &request))
        request_refuse(&request);
}

void changes_deinit(struct changes *changes)
{
    mailbox_deinit(&changes->mailbox);
    config_free(changes->edited);
    *changes = (struct changes){.config = NULL};
}

/* ---- the thread that asks ---- */

static void dispose_request(struct request *request)
{
    struct change_request *asked = (struct change_request *)request;

    free(asked->edit);
    free(asked->text);
    free(asked);
}

/* Returns a request that is refused unless control answers otherwise, or NULL if out of memory. */
static struct change_request *new_request(const struct config_edit *edit, uint64_t deadline_ns)
{
    struct change_request *asked = calloc(1, sizeof(*asked));

    if (!asked)
        return NULL;
    request_init(&asked->request, follow_request, dispose_request);
    asked->deadline_ns = deadline_ns;
    asked->result = -EBUSY;
    (void)snprintf(asked->error, sizeof(asked->error), "Penstock is ending");
    asked->edit = edit ? config_edit_copy(edit) : NULL;
    if (!edit || asked->edit)
        return asked;
    request_drop(&asked->request);
    return NULL;
}

/* Posts the request and waits. Control takes it before its deadline or not at all. Returns 0 if there is an answer. */
static int await_answer(struct changes *changes, struct change_request *asked)
{
    int error;

    if (mailbox_is_closed(&changes->mailbox))
        return 0; /* with the refusal that the request has from the beginning */
    error = request_post(&asked->request, &changes->mailbox, asked->deadline_ns);
    return error < 0 ? error : request_await(&asked->request, asked->deadline_ns + APPLY_NS);
}

int changes_ask(struct changes *changes, const struct config_edit *edit, uint64_t deadline_ns, char *error, size_t error_bytes)
{
    struct change_request *asked = new_request(edit, deadline_ns);
    int result;

    if (!asked) {
        (void)snprintf(error, error_bytes, "out of memory");
        return -ENOMEM;
    }
    result = await_answer(changes, asked);
    if (result == 0) {
        result = asked->result;
        (void)snprintf(error, error_bytes, "%s", result < 0 ? asked->error : "");
    } else {
        (void)snprintf(error, error_bytes, "the main thread did not answer in time");
    }
    request_drop(&asked->request);
    return result;
}

int changes_text(struct changes *changes, uint64_t deadline_ns, char **text, uint64_t *hash)
{
    struct change_request *asked = new_request(NULL, deadline_ns);
    int result;

    if (!asked)
        return -ENOMEM;
    asked->wants_text = text != NULL;
    result = await_answer(changes, asked);
    if (result == 0)
        result = asked->result;
    if (result == 0) {
        *hash = asked->hash;
        if (text) {
            *text = asked->text; /* the caller's now */
            asked->text = NULL;
        }
    }
    request_drop(&asked->request);
    return result;
}
