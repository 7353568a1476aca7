/* control/change.h: the configuration in force, and changes to it while Penstock runs. The admin thread asks, control answers. Within src/control. */
#ifndef CONTROL_CHANGE_H
#define CONTROL_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/edit.h"
#include "table/mailbox.h"

struct health;

struct changes {
    struct mailbox mailbox;      /* pointers to requests (table/request.h); any thread posts, control takes */

    /* The fields below are used only by control. */
    const struct config *config; /* in force */
    struct config *edited;       /* the same, if it was changed, and owned; NULL: it is the one that Penstock started with */
    struct health *health;       /* applies changes; borrowed */
    bool is_stopping;            /* changes are refused */
    bool is_hashed;              /* `hash` is that of the configuration in force */
    uint64_t hash;
};

/* `config` is the one that the table has; it is borrowed. Returns 0 or a negative errno. Control, before another thread asks. */
int changes_init(struct changes *changes, const struct config *config, struct health *health);

/* Answers what was asked. Control, when changes->mailbox.event_fd is readable. May wait a second for the health thread. */
void changes_answer(struct changes *changes);

/* From now on, changes are refused, because Penstock stops. The configuration can still be read. Control. */
void changes_refuse(struct changes *changes);

/* Nothing is answered any more, so that no thread waits for control. Control, before it joins the threads that ask. */
void changes_close(struct changes *changes);

/* Control, when no thread asks any more, and the health thread has ended. Safe on all zero. */
void changes_deinit(struct changes *changes);

/* Asks for a change, and waits for the answer, but control must take it before `deadline_ns` (clock_now_ns()). Returns 0, or refuses like config_edit(). Also
 * -EBUSY: Penstock stops; -ETIMEDOUT: control or health was late. After an error nothing has changed, and `error` has one line that says why. Any thread
 * but control. */
int changes_ask(struct changes *changes, const struct config_edit *edit, uint64_t deadline_ns, char *error, size_t error_bytes);

/* Asks for the text of the configuration in force, which the caller frees, and for a hash of it. `text` may be NULL. Returns 0, -ETIMEDOUT, -ENOMEM, or -EBUSY:
 * Penstock ends. Any thread but control. */
int changes_text(struct changes *changes, uint64_t deadline_ns, char **text, uint64_t *hash);

#endif
