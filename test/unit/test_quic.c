/* test_quic: select/quic: finds the bytes of a connection id, in both kinds of header, and nothing outside the id or the datagram. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "select/quic.h"

#define V1 "\x00\x00\x00\x01"
#define V2 "\x6b\x33\x43\xcf"
#define ID8 "abcdefgh"
#define ID20 "abcdefghijklmnopqrst"

/* Copies the datagram to memory of exactly its size, so that AddressSanitizer sees a read beyond its end. `wanted` is NULL if no id must be found. */
static void expect_bytes(const char *data, size_t bytes, uint32_t offset, uint32_t length, const char *wanted)
{
    uint8_t *datagram = malloc(bytes > 0 ? bytes : 1);
    const uint8_t *found;

    assert_non_null(datagram);
    memcpy(datagram, data, bytes);
    found = quic_connection_id(datagram, bytes, offset, length);
    if (!wanted) {
        assert_null(found);
    } else {
        assert_non_null(found);
        assert_true(found >= datagram && found + length <= datagram + bytes);
        assert_memory_equal(found, wanted, length);
    }
    free(datagram);
}

#define EXPECT(datagram, offset, length, wanted) expect_bytes(datagram, sizeof(datagram) - 1, offset, length, wanted)

static void long_header_states_the_length_of_its_id(void **state)
{
    (void)state;
    EXPECT("\xc0" V1 "\x08" ID8 "\x00rest", 0, 8, ID8);
    EXPECT("\xc0" V1 "\x08" ID8 "\x00rest", 2, 3, "cde");
    EXPECT("\xc0" V1 "\x08" ID8, 7, 1, "h");
    EXPECT("\xc0" V1 "\x08" ID8 "\x00rest", 0, 9, NULL);
    EXPECT("\xc0" V1 "\x08" ID8 "\x00rest", 8, 1, NULL);
    EXPECT("\xc0" V1 "\x00\x00rest", 0, 1, NULL);
    for (uint32_t type = 0xc0; type <= 0xff; type++) { /* Initial, 0-RTT, Handshake, Retry, with any protected bits */
        char datagram[] = "\xc0" V1 "\x08" ID8 "\x00rest";

        datagram[0] = (char)type;
        EXPECT(datagram, 1, 7, "bcdefgh");
    }
}

static void id_of_version_1_has_at_most_20_bytes(void **state)
{
    (void)state;
    EXPECT("\xc0" V1 "\x14" ID20 "\x00rest", 19, 1, "t");
    EXPECT("\xc0" V1 "\x15" ID20 "u\x00rest", 0, 1, NULL);
}

static void id_of_another_version_has_at_most_255_bytes(void **state)
{
    char datagram[6 + 255 + 1] = "\x80" "\xff\x00\x00\x1d" "\xff", wanted[255];

    (void)state;
    for (int i = 0; i < 255; i++)
        datagram[6 + i] = wanted[i] = (char)(i + 1);
    expect_bytes(datagram, sizeof(datagram), 0, 255, wanted);
    expect_bytes(datagram, sizeof(datagram) - 1, 0, 255, wanted);
    expect_bytes(datagram, sizeof(datagram) - 2, 0, 1, NULL);
    expect_bytes(datagram, sizeof(datagram), 1, 255, NULL);
    EXPECT("\xc0" V2 "\x08" ID8 "\x00rest", 4, 4, "efgh");
}

static void version_negotiation_comes_from_no_client(void **state)
{
    (void)state;
    EXPECT("\xc0\x00\x00\x00\x00\x08" ID8 "\x00" V1, 0, 8, NULL);
    EXPECT("\x80\x00\x00\x00\x00\x08" ID8 "\x00" V1, 0, 8, NULL);
}

static void short_header_has_its_id_after_the_first_byte(void **state)
{
    (void)state;
    EXPECT("\x40" ID8 "rest", 0, 8, ID8);
    EXPECT("\x7f" ID8 "rest", 3, 2, "de");
    EXPECT("\x40" ID8, 0, 8, ID8);
    EXPECT("\x40" ID8, 0, 9, NULL);
    EXPECT("\x40" ID8, 8, 1, NULL);
}

static void clear_fixed_bit_is_not_quic(void **state)
{
    (void)state;
    EXPECT("\x00" ID8 "rest", 0, 8, NULL);
    EXPECT("\x3f" ID8 "rest", 0, 8, NULL);
    EXPECT("\x80" V1 "\x08" ID8 "\x00rest", 0, 8, NULL);
    EXPECT("\xbf" V1 "\x08" ID8 "\x00rest", 0, 8, NULL);
}

static void short_datagrams_have_no_id(void **state)
{
    static const char whole[] = "\xc0" V1 "\x08" ID8;

    (void)state;
    EXPECT("", 0, 1, NULL);
    EXPECT("\x40", 0, 1, NULL);
    for (size_t bytes = 0; bytes < sizeof(whole) - 1; bytes++)
        expect_bytes(whole, bytes, 0, 1, NULL);
    expect_bytes(whole, sizeof(whole) - 1, 0, 1, "a");
}

static void huge_offsets_do_not_wrap_around(void **state)
{
    (void)state;
    EXPECT("\x40" ID8, UINT32_MAX, 1, NULL);
    EXPECT("\x40" ID8, UINT32_MAX, 2, NULL);
    EXPECT("\x40" ID8, 1, UINT32_MAX, NULL);
    EXPECT("\xc0" V1 "\x08" ID8, UINT32_MAX - 4, 8, NULL);
    EXPECT("\xc0" V1 "\x08" ID8, UINT32_MAX, UINT32_MAX, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_header_states_the_length_of_its_id),
        cmocka_unit_test(id_of_version_1_has_at_most_20_bytes),
        cmocka_unit_test(id_of_another_version_has_at_most_255_bytes),
        cmocka_unit_test(version_negotiation_comes_from_no_client),
        cmocka_unit_test(short_header_has_its_id_after_the_first_byte),
        cmocka_unit_test(clear_fixed_bit_is_not_quic),
        cmocka_unit_test(short_datagrams_have_no_id),
        cmocka_unit_test(huge_offsets_do_not_wrap_around),
    };
    return cmocka_run_group_tests_name("quic", tests, NULL, NULL);
}
