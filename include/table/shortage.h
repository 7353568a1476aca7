/* table/shortage.h: when somebody last lacked descriptors or memory, shared by all workers. Any worker; lock-free. */
#ifndef TABLE_SHORTAGE_H
#define TABLE_SHORTAGE_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: never. */
struct shortage {
    _Alignas(64) _Atomic uint64_t noted_ns;
};

/* `now_ns`, here and below, is the caller's monotonic clock. */
void shortage_note(struct shortage *shortage, uint64_t now_ns);

/* Whether it was noted less than `span_ns` ago. */
bool shortage_since(const struct shortage *shortage, uint64_t now_ns, uint64_t span_ns);

#endif
