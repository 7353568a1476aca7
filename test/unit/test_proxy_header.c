/* test_proxy_header: base/proxy_header: the bytes are those of the protocol's text, and addresses that do not fit together make a header without any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/proxy_header.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define UNUSED 0xee

static struct addr addr_of(const char *text)
{
    struct addr addr = {0};

    if (*text != '\0')
        assert_null(addr_parse(&addr, text));
    return addr;
}

/* Writes a header between two guards, which must stay. */
static void expect_header(enum proxy_transport transport, const char *from, const char *to, const char *rest, size_t rest_bytes)
{
    struct addr source = addr_of(from), destination = addr_of(to);
    uint8_t room[PROXY_HEADER_BYTES_MAX + 2], *out = room + 1;

    memset(room, UNUSED, sizeof(room));
    assert_int_equal(proxy_header_write(out, transport, &source, &destination), 12 + rest_bytes);
    assert_memory_equal(out, SIGNATURE, 12);
    assert_memory_equal(out + 12, rest, rest_bytes);
    assert_int_equal(room[0], UNUSED);
    for (size_t i = 1 + 12 + rest_bytes; i < sizeof(room); i++)
        assert_int_equal(room[i], UNUSED);
}

#define EXPECT(transport, from, to, rest) expect_header(transport, from, to, rest, sizeof(rest) - 1)

static void ipv4_has_twelve_bytes_of_addresses(void **state)
{
    (void)state;
    EXPECT(PROXY_STREAM, "192.0.2.1:4660", "198.51.100.2:443", "\x21\x11\x00\x0c" "\xc0\x00\x02\x01" "\xc6\x33\x64\x02" "\x12\x34" "\x01\xbb");
    EXPECT(PROXY_DGRAM, "255.255.255.254:65535", "10.0.0.1:1", "\x21\x12\x00\x0c" "\xff\xff\xff\xfe" "\x0a\x00\x00\x01" "\xff\xff" "\x00\x01");
}

static void ipv6_has_thirty_six_bytes_of_addresses(void **state)
{
    (void)state;
    EXPECT(PROXY_STREAM, "[2001:db8::1:2]:4660", "[2001:db8:ff::3]:443",
           "\x21\x21\x00\x24" "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x02"
           "\x20\x01\x0d\xb8\x00\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03" "\x12\x34" "\x01\xbb");
    EXPECT(PROXY_DGRAM, "[::1]:1", "[::2]:2",
           "\x21\x22\x00\x24" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01" "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02" "\x00\x01" "\x00\x02");
}

static void interface_of_link_local_is_left_out(void **state)
{
    (void)state;
    EXPECT(PROXY_DGRAM, "[fe80::1%lo]:1", "[fe80::2%lo]:2",
           "\x21\x22\x00\x24" "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01" "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x02" "\x00\x01" "\x00\x02");
}

static void other_pairs_are_local_without_addresses(void **state)
{
    static const char *const texts[] = {"1.2.3.4:5", "[2001:db8::1]:5", "unix:/run/x.sock", "unix:@x", ""};
    enum { COUNT = sizeof(texts) / sizeof(texts[0]) };

    (void)state;
    for (int from = 0; from < COUNT; from++) {
        for (int to = 0; to < COUNT; to++) {
            if (from == to && from < 2)
                continue; /* the two families that have addresses */
            EXPECT(PROXY_STREAM, texts[from], texts[to], "\x20\x00\x00\x00");
            EXPECT(PROXY_DGRAM, texts[from], texts[to], "\x20\x00\x00\x00");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_has_twelve_bytes_of_addresses),
        cmocka_unit_test(ipv6_has_thirty_six_bytes_of_addresses),
        cmocka_unit_test(interface_of_link_local_is_left_out),
        cmocka_unit_test(other_pairs_are_local_without_addresses),
    };
    return cmocka_run_group_tests_name("proxy_header", tests, NULL, NULL);
}
