/* health/cap.c: limits the number of probes in flight, and keeps a part of it for backends that are up. Health thread; owns nothing. */
#include "health/cap.h"

#include <assert.h>

#define NS_PER_MS UINT64_C(1000000)

enum { RESERVED_SHARE = 4, FIRST_NEWS_MS = 1000, NEWS_MS = 60000 };

void cap_init(struct cap *cap, uint32_t max)
{
    assert(max > 0);
    *cap = (struct cap){.max = max, .news_at_ns = UINT64_MAX};
    cap->reserved = max / RESERVED_SHARE;
    if (cap->reserved == 0 && max > 1)
        cap->reserved = 1;
    list_init(&cap->preferred);
    list_init(&cap->others);
}

void cap_wait(struct cap *cap, struct cap_turn *turn, uint64_t due_ns)
{
    turn->due_ns = due_ns;
    list_append(turn->preferred ? &cap->preferred : &cap->others, &turn->in_line);
}

void cap_leave(struct cap_turn *turn)
{
    list_remove(&turn->in_line);
}

static struct cap_turn *first_of(const struct list *line)
{
    return list_empty(line) ? NULL : container_of(line->next, struct cap_turn, in_line);
}

static void note_late(struct cap *cap, const struct cap_turn *turn, uint64_t now_ns)
{
    uint64_t late_ns = now_ns > turn->due_ns ? now_ns - turn->due_ns : 0;

    if (late_ns <= turn->interval_ms * NS_PER_MS)
        return;
    cap->late_count++;
    if (late_ns > cap->late_ns)
        cap->late_ns = late_ns;
    if (cap->news_at_ns == UINT64_MAX)
        cap->news_at_ns = now_ns + FIRST_NEWS_MS * NS_PER_MS;
}

struct cap_turn *cap_next(struct cap *cap, uint64_t now_ns)
{
    struct cap_turn *preferred = first_of(&cap->preferred), *other = first_of(&cap->others), *next = preferred;

    if (cap->in_flight == cap->max)
        return NULL;
    if (other && cap->others_in_flight < cap->max - cap->reserved && (!preferred || other->due_ns < preferred->due_ns))
        next = other;
    if (!next)
        return NULL;
    list_remove(&next->in_line);
    cap->in_flight++;
    cap->others_in_flight += !next->preferred;
    note_late(cap, next, now_ns);
    return next;
}

void cap_end(struct cap *cap, const struct cap_turn *turn)
{
    assert(cap->in_flight > 0 && cap->others_in_flight >= !turn->preferred);
    cap->in_flight--;
    cap->others_in_flight -= !turn->preferred;
}

enum cap_news cap_news(struct cap *cap, uint64_t now_ns, uint32_t *count, uint64_t *late_ns)
{
    if (now_ns < cap->news_at_ns)
        return CAP_NO_NEWS;
    *count = cap->late_count;
    *late_ns = cap->late_ns;
    cap->news_at_ns = cap->late_count > 0 ? now_ns + NEWS_MS * NS_PER_MS : UINT64_MAX;
    cap->late_count = 0;
    cap->late_ns = 0;
    return *count > 0 ? CAP_LATE : CAP_ON_TIME;
}
