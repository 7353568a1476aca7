/* worker/traffic.c: what kind of traffic a worker moves. The worker's thread; owns nothing. */
#include "worker/traffic.h"

#include "io/io.h"

enum { CHATTY_PER_S = 2000 };
#define WINDOW_NS ((uint64_t)4000000)
#define PAUSE_NS ((uint64_t)20000000)
#define CHATTY_NS ((uint64_t)200000000)

static void end_window(struct traffic *traffic)
{
    if (traffic->small_messages * (uint64_t)1000000000 / traffic->window_ns >= CHATTY_PER_S)
        traffic->chatty_until_ns = traffic->ended_ns + CHATTY_NS;
    traffic->chatty = traffic->ended_ns < traffic->chatty_until_ns;
    traffic->streams = traffic->stream_turns > 0 && traffic->stream_turns * 2 >= traffic->events && traffic->window_ns < PAUSE_NS;
    traffic->small_messages = 0;
    traffic->stream_turns = 0;
    traffic->window_ns = 0;
    traffic->events = 0;
}

void traffic_learn(struct traffic *traffic, const struct io *io)
{
    traffic->window_ns += traffic->ended_ns ? io->now_ns - traffic->ended_ns : 0;
    traffic->ended_ns = io->now_ns;
    traffic->events += io->events;
    if (traffic->window_ns >= WINDOW_NS)
        end_window(traffic);
}

void traffic_received(struct traffic *traffic, bool small, bool *last_small)
{
    traffic->small_messages += small && *last_small;
    *last_small = small;
}
