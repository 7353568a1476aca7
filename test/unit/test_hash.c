/* test/unit/test_hash.c: SipHash-2-4, SplitMix64 and bounded random numbers, compared with published values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"

/* The key of the paper's appendix A: bytes 00 to 0f. */
#define KEY0 0x0706050403020100u
#define KEY1 0x0f0e0d0c0b0a0908u

static void test_siphash_of_the_papers_example(void **state)
{
    (void)state;
    unsigned char message[15];
    for (unsigned i = 0; i < sizeof(message); i++)
        message[i] = (unsigned char)i;
    assert_int_equal(hash_bytes(message, sizeof(message), KEY0, KEY1), 0xa129ca6149be45e5u);
}

static void test_siphash_of_the_authors_vectors(void **state)
{
    (void)state;
    /* From the authors' reference list: the message of each length is 00 01 02 ... */
    static const struct {
        size_t length;
        uint64_t hash;
    } vectors[] = {
        { 0, 0x726fdb47dd0e0e31u }, { 1, 0x74f839c593dc67fdu }, { 2, 0x0d6c8009d9a94f5au }, { 3, 0x85676696d7fb7e2du },
        { 7, 0xab0200f58b01d137u }, { 8, 0x93f5f5799a932462u }, { 63, 0x958a324ceb064572u },
    };
    unsigned char message[64];
    for (unsigned i = 0; i < sizeof(message); i++)
        message[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        assert_int_equal(hash_bytes(message, vectors[i].length, KEY0, KEY1), vectors[i].hash);
}

static void test_unaligned_data_hashes_alike(void **state)
{
    (void)state;
    unsigned char buffer[40];
    uint64_t first = 0;
    for (size_t shift = 0; shift < 8; shift++) {
        for (size_t i = 0; i < 23; i++)
            buffer[shift + i] = (unsigned char)(i * 7);
        uint64_t hash = hash_bytes(buffer + shift, 23, 1, 2);
        if (shift == 0)
            first = hash;
        assert_int_equal(hash, first);
    }
}

static void test_each_half_of_the_key_matters(void **state)
{
    (void)state;
    uint64_t hash = hash_bytes("abc", 3, 1, 2);
    assert_int_not_equal(hash, hash_bytes("abc", 3, 9, 2));
    assert_int_not_equal(hash, hash_bytes("abc", 3, 1, 9));
}

static void test_splitmix_sequence(void **state)
{
    (void)state;
    uint64_t generator = 1234567;
    assert_int_equal(random_next(&generator), 6457827717110365317u);
    assert_int_equal(random_next(&generator), 3203168211198807973u);
    assert_int_equal(random_next(&generator), 9817491932198370423u);
}

static void test_random_below_is_in_range_and_even(void **state)
{
    (void)state;
    uint64_t generator = 7;
    unsigned counts[7] = { 0 };
    for (int i = 0; i < 70000; i++) {
        uint32_t n = random_below(&generator, 7);
        assert_in_range(n, 0, 6);
        counts[n]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9500, 10500); /* the mean plus and minus five standard deviations */
    for (int i = 0; i < 100; i++)
        assert_int_equal(random_below(&generator, 1), 0);
}

static void test_random_below_the_largest_bound(void **state)
{
    (void)state;
    uint64_t generator = 7;
    uint32_t largest = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t n = random_below(&generator, UINT32_MAX);
        largest = n > largest ? n : largest;
    }
    assert_in_range(largest, UINT32_MAX / 100 * 98, UINT32_MAX - 1);
}

static void test_clock_goes_forward(void **state)
{
    (void)state;
    uint64_t before = clock_now_ns();
    assert_true(before > 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_now_ns();
        assert_true(now >= before);
        before = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_of_the_papers_example),
        cmocka_unit_test(test_siphash_of_the_authors_vectors),
        cmocka_unit_test(test_unaligned_data_hashes_alike),
        cmocka_unit_test(test_each_half_of_the_key_matters),
        cmocka_unit_test(test_splitmix_sequence),
        cmocka_unit_test(test_random_below_is_in_range_and_even),
        cmocka_unit_test(test_random_below_the_largest_bound),
        cmocka_unit_test(test_clock_goes_forward),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
