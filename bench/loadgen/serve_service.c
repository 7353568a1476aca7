/* serve_service.c: service times, and the limit on requests that are served at once. A serve thread; owns the queue of waiting requests. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "serve.h"
#include "units.h"

const char *serve_service_parse(void *settings, const char *text)
{
    struct serve_settings *serve = settings;
    static const char expected[] = "none, fixed:DURATION or lognormal:MEDIAN,SIGMA (lognormal:5ms,0.8)";
    char median[32];
    if (strcmp(text, "none") == 0) {
        serve->service = SERVICE_NONE;
        return NULL;
    }
    if (strncmp(text, "fixed:", 6) == 0) {
        serve->service = SERVICE_FIXED;
        return units_parse_duration(text + 6, &serve->service_ns) ? expected : NULL;
    }
    if (strncmp(text, "lognormal:", 10) != 0)
        return expected;
    serve->service = SERVICE_LOGNORMAL;
    const char *comma = strchr(text, ',');
    if (!comma || comma - (text + 10) >= (int)sizeof(median))
        return expected;
    snprintf(median, sizeof(median), "%.*s", (int)(comma - (text + 10)), text + 10);
    char *end;
    serve->service_sigma = strtod(comma + 1, &end);
    if (end == comma + 1 || *end != '\0' || !(serve->service_sigma >= 0 && serve->service_sigma <= 10))
        return expected;
    return units_parse_duration(median, &serve->service_ns) ? expected : NULL;
}

/* Returns a random number in (0, 1]. It is never zero, because its logarithm is taken. */
static double random_unit(uint64_t *random)
{
    return (double)((random_next(random) >> 11) + 1) * 0x1p-53;
}

static uint64_t service_time_ns(struct serve_thread *thread)
{
    const struct serve_settings *settings = thread->settings;
    if (settings->service != SERVICE_LOGNORMAL)
        return settings->service_ns;
    /* Box and Muller, 1958: two uniform random numbers give a normally distributed one. */
    double radius = sqrt(-2 * log(random_unit(&thread->random)));
    double normal = radius * cos(2 * M_PI * random_unit(&thread->random));
    double time_ns = (double)settings->service_ns * exp(settings->service_sigma * normal);
    return time_ns < 3600e9 ? (uint64_t)time_ns : 3600 * NS_PER_S;
}

static void take_turn(struct serve_thread *thread, struct serve_conn *conn)
{
    conn->in_service = true;
    thread->in_service++;
    timers_set(&thread->timers, &conn->timer, thread->now_ns + service_time_ns(thread));
}

static void give_turn_away(struct serve_thread *thread, struct serve_conn *conn)
{
    conn->in_service = false;
    thread->in_service--;
    struct list *next = list_pop(&thread->waiting);
    if (next)
        take_turn(thread, LIST_OWNER(next, struct serve_conn, waiting));
}

enum serve_step serve_service_begin(struct serve_thread *thread, struct serve_conn *conn)
{
    if (thread->settings->service == SERVICE_NONE)
        return serve_rpc_answer(thread, conn);
    if (thread->concurrency > 0 && thread->in_service >= thread->concurrency)
        list_append(&thread->waiting, &conn->waiting);
    else
        take_turn(thread, conn);
    return SERVE_GO_ON;
}

enum serve_step serve_service_end(struct serve_thread *thread, struct serve_conn *conn)
{
    give_turn_away(thread, conn);
    return serve_rpc_answer(thread, conn);
}

void serve_service_abandon(struct serve_thread *thread, struct serve_conn *conn)
{
    list_remove(&conn->waiting);
    if (conn->in_service)
        give_turn_away(thread, conn);
}
