/* health/probe_stream.h: a probe over a TCP or UNIX stream: connects, may send something, and collects the beginning of the answer. What decides is up to the
 * kind of probe. Health thread only.
 *
 *      connecting --established--> listening --decided, silence_ms or time limit--> ended
 *
 * A kind may say that silence passes. Such a probe waits a moment for something that contradicts. So that these waits delay no other probes, they
 * hold at most half of the places that all probes have (STREAM_WAITS_MAX if that is unknown): one more ends the oldest at once.
 *
 * The connection is closed normally (FIN), after reading what has arrived, and not reset: servers log each "connection reset by peer", or pass a socket that is
 * already dead to a worker. Only a socket that is connected to itself is reset (health/probe_socket.h). The cost is a TIME-WAIT of 60 s on our side for each
 * probe: about 30 for each backend at the default interval, and 600 at the fastest, out of 28000 ports for each backend address. The kernel limits the total
 * (tcp_max_tw_buckets). */
#ifndef HEALTH_PROBE_STREAM_H
#define HEALTH_PROBE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "health/health.h"
#include "health/probe.h"

enum { STREAM_WAITS_MAX = 128 };

/* What has come over an established connection. */
struct stream_answer {
    uint8_t *data;   /* owned by the probe; a zero byte follows the answer; NULL: nothing has been read */
    size_t bytes;
    bool is_closed;  /* nothing more will come */
    int error;       /* positive errno with which the connection ended; 0: not ended, or with FIN */
    bool is_late;    /* the time is over */
};

struct stream_kind {
    const struct probe_ops *ops;
    size_t bytes_max;  /* number of bytes of the answer that are kept; with that many, judge() must decide */
    /* Returns what to send, in the notation of base/payload.h; NULL: nothing. */
    const char *(*request)(const struct pool_settings *settings);
    /* Returns after how much silence the probe passes; 0: it does not. */
    uint32_t (*silence_ms)(const struct pool_settings *settings);
    /* Judges the answer, after each part of it. Returns PROBE_PENDING if it is not decided, which is not allowed if it is closed or late. */
    enum probe_outcome (*judge)(const struct stream_answer *answer, const struct probe_request *request, struct probe_result *result);
};

/* The functions of struct probe_ops, except open(). The prober remembers its kind, a constant. */
struct prober *probe_stream_open(const struct stream_kind *kind, probe_done_fn *done, int *error);
void probe_stream_close(struct prober *prober);
enum probe_outcome probe_stream_start(struct prober *prober, const struct probe_request *request, struct probe **probe, struct probe_result *result);
void probe_stream_abandon(struct prober *prober, struct probe *probe);
void probe_stream_expire(struct prober *prober, struct probe *probe, struct probe_result *result);
void probe_stream_process(struct prober *prober);

#endif
