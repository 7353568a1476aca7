/* cli/top_view.h: draws `penstock top` on a terminal of any size. Main thread. */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

#include <stddef.h>

#include "cli/top_model.h"

#define TOP_EVENTS_MAX 100

struct top_view {
    size_t selected;           /* index of a row of the model that is a backend, or of any row if there is none */
    size_t first;              /* index of the row at the top */
    enum top_order order;
    const char *socket;        /* the admin socket, for the message that nothing answers */
    bool unreachable;          /* what is shown is old */
    char message[800];         /* the result of the last order, or a question; "": none */
    char *events[TOP_EVENTS_MAX]; /* owned; the newest first */
    size_t event_count;
};

/* Prepares the terminal. Returns 0, or -1 if there is none that can be drawn on. */
int top_view_open(void);
/* Restores the terminal. */
void top_view_close(void);

void top_view_draw(struct top_view *view, const struct top_model *model);

/* Moves the selection by `step` backends and scrolls so that it is visible. With 0, only makes sure that it is on a backend. */
void top_view_move(struct top_view *view, const struct top_model *model, int step);

/* Takes the text over, as the newest event. NULL is ignored. */
void top_view_add_event(struct top_view *view, char *text);
void top_view_forget_events(struct top_view *view);

#endif
