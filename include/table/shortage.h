/* table/shortage.h: when a session of any worker last lacked descriptors or memory. Any worker; lock-free. */
#ifndef TABLE_SHORTAGE_H
#define TABLE_SHORTAGE_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: no shortage so far. */
struct shortage {
    _Alignas(64) _Atomic uint64_t noted_ns;
};

/* Notes that a session lacks descriptors or memory. `now_ns`, here and below, is the time that the caller has read by clock_now_ns(). */
void shortage_note(struct shortage *shortage, uint64_t now_ns);

/* Whether a shortage was noted less than `span_ns` ago. */
bool shortage_since(const struct shortage *shortage, uint64_t now_ns, uint64_t span_ns);

#endif
