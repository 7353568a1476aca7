/* worker/walk.c: visits all sessions or flows in slices. Worker thread; owns nothing. */
#include "worker/walk.h"

#include "worker/context.h"

static void begin_pass(struct walk *walk, uint32_t count)
{
    walk->again = false;
    walk->next = walk->head->next;
    walk->left = count;
}

static bool pass_is_over(const struct walk *walk)
{
    return walk->left == 0 || walk->next == walk->head;
}

static void visit_slice(struct walk *walk)
{
    const struct walk_kind *kind = walk->kind;
    uint32_t cost = 0;

    for (uint32_t visited = 0; visited < kind->visited_max && cost < kind->cost_max && !pass_is_over(walk); visited++) {
        struct list *link = walk->next;

        walk->next = link->next;
        walk->left--;
        cost += kind->visit(walk, link);
    }
}

static void on_timer(struct timer *timer)
{
    struct walk *walk = container_of(timer, struct walk, timer);

    visit_slice(walk);
    if (pass_is_over(walk) && walk->again)
        begin_pass(walk, walk->count);
    if (!pass_is_over(walk)) {
        timer_arm(&walk->worker->timers, timer, worker_now_ms(walk->worker) + walk->kind->slice_ms);
        return;
    }
    list_remove(&walk->link);
    if (walk->kind->done)
        walk->kind->done(walk);
}

void walk_init(struct walk *walk, struct worker *worker, const struct walk_kind *kind)
{
    *walk = (struct walk){.kind = kind, .worker = worker};
    list_init(&walk->link);
    timer_init(&walk->timer, on_timer);
}

void walk_begin(struct walk *walk, struct list *head, uint32_t count)
{
    walk->head = head;
    walk->count = count;
    walk->again = true;
    if (!list_empty(&walk->link))
        return;
    begin_pass(walk, count);
    list_append(&walk->worker->walks, &walk->link);
    timer_arm(&walk->worker->timers, &walk->timer, worker_now_ms(walk->worker));
}

void walk_stop(struct walk *walk)
{
    timer_cancel(&walk->worker->timers, &walk->timer);
    list_remove(&walk->link);
}

void walk_forget(struct worker *worker, struct list *link)
{
    for (struct list *at = worker->walks.next; at != &worker->walks; at = at->next) {
        struct walk *walk = container_of(at, struct walk, link);

        if (walk->next == link)
            walk->next = link->next;
    }
}
