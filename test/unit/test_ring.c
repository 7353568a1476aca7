/* test/unit/test_ring.c: the bounded queue, in one thread and with many producers and consumers (also meant for
 * ThreadSanitizer). */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/ring.h"

static void test_empty_gives_nothing(void **state)
{
    (void)state;
    struct ring *ring = ring_new(2, sizeof(int));
    assert_non_null(ring);
    int out = 99;
    assert_false(ring_pop(ring, &out));
    assert_int_equal(out, 99);
    ring_free(ring);
}

static void test_holds_exactly_its_capacity(void **state)
{
    (void)state;
    for (size_t capacity = 2; capacity <= 64; capacity *= 2) {
        struct ring *ring = ring_new(capacity, sizeof(size_t));
        for (size_t i = 0; i < capacity; i++)
            assert_true(ring_push(ring, &i));
        size_t extra = 1000;
        assert_false(ring_push(ring, &extra));
        for (size_t i = 0; i < capacity; i++) {
            size_t out;
            assert_true(ring_pop(ring, &out));
            assert_int_equal(out, i);
        }
        assert_false(ring_pop(ring, &extra));
        ring_free(ring);
    }
}

static void test_stays_in_order_over_many_rounds(void **state)
{
    (void)state;
    struct ring *ring = ring_new(8, sizeof(uint32_t));
    uint32_t in = 0, out = 0;
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 1 + round % 8; i++, in++)
            assert_true(ring_push(ring, &in));
        for (uint32_t value; out < in; out++) {
            assert_true(ring_pop(ring, &value));
            assert_int_equal(value, out);
        }
    }
    ring_free(ring);
}

static void test_records_of_odd_sizes_come_back_whole(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes <= 70; bytes++) {
        unsigned char record[72], out[72];
        struct ring *ring = ring_new(4, bytes);
        for (unsigned char n = 0; n < 4; n++) {
            memset(record, 'a' + n, sizeof(record));
            assert_true(ring_push(ring, record));
        }
        for (unsigned char n = 0; n < 4; n++) {
            memset(out, 0, sizeof(out));
            assert_true(ring_pop(ring, out));
            memset(record, 'a' + n, sizeof(record));
            assert_memory_equal(out, record, bytes);
            assert_int_equal(out[bytes], 0);
        }
        ring_free(ring);
    }
}

/* The number of resident pages among the `bytes` from `start`, which begins a page. */
static size_t pages_there(void *start, size_t bytes)
{
    static unsigned char there[4096];
    size_t count = 0;

    assert_true(bytes / 4096 <= sizeof(there));
    assert_int_equal(mincore(start, bytes, there), 0);
    for (size_t i = 0; i < bytes / 4096; i++)
        count += there[i] & 1;
    return count;
}

static void test_memory_is_taken_as_it_is_used(void **state)
{
    unsigned char record[1000] = {0};
    struct ring *ring = ring_new(1024, sizeof(record));

    (void)state;
    assert_non_null(ring);
    assert_in_range(pages_there(ring, 1000 * 1024), 1, 2);
    for (int i = 0; i < 16; i++) {
        assert_true(ring_push(ring, record));
        assert_true(ring_pop(ring, record));
    }
    assert_in_range(pages_there(ring, 1000 * 1024), 2, 8);
    ring_free(ring);
}

static void test_impossible_size_is_refused(void **state)
{
    (void)state;
    assert_null(ring_new((size_t)1 << 60, 64));
    assert_null(ring_new(2, SIZE_MAX));
    ring_free(NULL);
}

/* Several producers and consumers on a small ring. Every record must come out once, whole, and those of one producer
 * in order for any one consumer. */
enum { PRODUCERS = 3, CONSUMERS = 3, PER_PRODUCER = 20000 };

struct record {
    uint32_t producer;
    uint32_t number;
    uint64_t check; /* a checksum of the two fields above: a torn record does not match */
};

struct consumer {
    struct ring *ring;
    unsigned char *seen; /* this consumer's own PRODUCERS * PER_PRODUCER counts */
    bool wrong;
};

struct producer {
    struct ring *ring;
    uint32_t id;
};

static uint64_t record_check(const struct record *r)
{
    return ((uint64_t)r->producer << 32 | r->number) * 0x9e3779b97f4a7c15u + 1;
}

static void *produce(void *argument)
{
    struct producer *self = argument;
    for (uint32_t n = 0; n < PER_PRODUCER; n++) {
        struct record record = { .producer = self->id, .number = n };
        record.check = record_check(&record);
        while (!ring_push(self->ring, &record))
            sched_yield();
    }
    return NULL;
}

/* Ends at a record of producer PRODUCERS, which the test pushes once for each consumer at the end. */
static void *consume(void *argument)
{
    struct consumer *self = argument;
    int64_t last[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++)
        last[i] = -1;
    for (;;) {
        struct record record;
        if (!ring_pop(self->ring, &record)) {
            sched_yield();
            continue;
        }
        if (record.producer == PRODUCERS)
            return NULL;
        if (record.check != record_check(&record) || record.producer > PRODUCERS || record.number >= PER_PRODUCER ||
            last[record.producer] >= record.number) {
            self->wrong = true;
            continue;
        }
        last[record.producer] = record.number;
        self->seen[record.producer * PER_PRODUCER + record.number]++;
    }
}

static void test_many_threads_lose_and_double_nothing(void **state)
{
    (void)state;
    struct ring *ring = ring_new(16, sizeof(struct record));
    struct consumer consumers[CONSUMERS];
    struct producer producers[PRODUCERS];
    pthread_t consumer_threads[CONSUMERS], producer_threads[PRODUCERS];
    for (int i = 0; i < CONSUMERS; i++) {
        consumers[i] = (struct consumer){ .ring = ring, .seen = calloc(PRODUCERS, PER_PRODUCER) };
        assert_int_equal(pthread_create(&consumer_threads[i], NULL, consume, &consumers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){ .ring = ring, .id = (uint32_t)i };
        assert_int_equal(pthread_create(&producer_threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producer_threads[i], NULL);
    for (int i = 0; i < CONSUMERS; i++) {
        struct record end = { .producer = PRODUCERS };
        while (!ring_push(ring, &end))
            sched_yield();
    }
    for (int i = 0; i < CONSUMERS; i++)
        pthread_join(consumer_threads[i], NULL);

    size_t missing_or_double = 0;
    for (size_t n = 0; n < PRODUCERS * PER_PRODUCER; n++) {
        unsigned times = 0;
        for (int i = 0; i < CONSUMERS; i++)
            times += consumers[i].seen[n];
        missing_or_double += times != 1;
    }
    assert_int_equal(missing_or_double, 0);
    for (int i = 0; i < CONSUMERS; i++) {
        assert_false(consumers[i].wrong);
        free(consumers[i].seen);
    }
    ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_gives_nothing),
        cmocka_unit_test(test_holds_exactly_its_capacity),
        cmocka_unit_test(test_stays_in_order_over_many_rounds),
        cmocka_unit_test(test_records_of_odd_sizes_come_back_whole),
        cmocka_unit_test(test_memory_is_taken_as_it_is_used),
        cmocka_unit_test(test_impossible_size_is_refused),
        cmocka_unit_test(test_many_threads_lose_and_double_nothing),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
