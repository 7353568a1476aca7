/* test/unit/test_handles.c: the key of a socket that is gone is recognised, however often its slot is used again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/handles.h"
#include "io/io.h"

enum { MOST = 150 }; /* the table doubles from 64, so its last growth is limited to this maximum */

static void test_names_its_socket(void **state)
{
    struct io_sock sock = {0}, other = {0};
    struct handles handles;
    uint64_t key;

    (void)state;
    handles_init(&handles, MOST);
    assert_int_equal(handles_add(&handles, &sock), 0);
    assert_int_equal(handles_add(&handles, &other), 0);
    assert_int_not_equal(sock.slot, other.slot);
    key = handles_key(&handles, sock.slot, 0xff);
    assert_int_equal(key >> 56, 0xff);
    assert_ptr_equal(handles_find(&handles, key), &sock);
    assert_ptr_equal(handles_find(&handles, handles_key(&handles, sock.slot, 0)), &sock);
    assert_ptr_equal(handles_find(&handles, handles_key(&handles, other.slot, 3)), &other);
    handles_deinit(&handles);
}

static void test_an_old_name_finds_nobody(void **state)
{
    struct io_sock first = {0}, second = {0};
    struct handles handles;
    uint64_t key;

    (void)state;
    handles_init(&handles, MOST);
    assert_int_equal(handles_add(&handles, &first), 0);
    key = handles_key(&handles, first.slot, 1);
    handles_remove(&handles, first.slot);
    assert_null(handles_find(&handles, key));
    assert_int_equal(handles_add(&handles, &second), 0);
    assert_int_equal(second.slot, first.slot); /* otherwise the test would prove nothing */
    assert_null(handles_find(&handles, key));
    assert_ptr_equal(handles_find(&handles, handles_key(&handles, second.slot, 1)), &second);
    handles_deinit(&handles);
}

static void test_the_generation_comes_around(void **state)
{
    struct io_sock sock = {0};
    struct handles handles;

    (void)state;
    handles_init(&handles, 1);
    assert_int_equal(handles_add(&handles, &sock), 0);
    handles.entries[0].generation = HANDLE_GENERATION_MASK;
    assert_ptr_equal(handles_find(&handles, handles_key(&handles, 0, 0xff)), &sock);
    handles_remove(&handles, 0);
    assert_int_equal(handles.entries[0].generation, 0);
    assert_int_equal(handles_add(&handles, &sock), 0);
    assert_int_equal(handles_key(&handles, 0, 2), (uint64_t)2 << 56);
    assert_ptr_equal(handles_find(&handles, handles_key(&handles, 0, 2)), &sock);
    handles_deinit(&handles);
}

static void test_holds_exactly_max(void **state)
{
    static struct io_sock socks[MOST + 1];
    struct handles handles;

    (void)state;
    handles_init(&handles, MOST);
    for (uint32_t i = 0; i < MOST; i++)
        assert_int_equal(handles_add(&handles, &socks[i]), 0);
    assert_int_equal(handles.used, MOST);
    assert_int_equal(handles_add(&handles, &socks[MOST]), -ENFILE);
    assert_int_equal(handles.used, MOST);
    for (uint32_t i = 0; i < MOST; i++)
        assert_ptr_equal(handles_find(&handles, handles_key(&handles, socks[i].slot, 0)), &socks[i]);
    handles_remove(&handles, socks[3].slot);
    assert_int_equal(handles_add(&handles, &socks[MOST]), 0);
    assert_int_equal(handles_add(&handles, &socks[3]), -ENFILE);
    handles_deinit(&handles);
}

static void test_a_slot_beyond_the_table_finds_nobody(void **state)
{
    struct handles handles;

    (void)state;
    handles_init(&handles, MOST);
    assert_null(handles_find(&handles, 0));
    assert_null(handles_find(&handles, UINT32_MAX));
    handles_deinit(&handles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_its_socket),
        cmocka_unit_test(test_an_old_name_finds_nobody),
        cmocka_unit_test(test_the_generation_comes_around),
        cmocka_unit_test(test_holds_exactly_max),
        cmocka_unit_test(test_a_slot_beyond_the_table_finds_nobody),
    };

    return cmocka_run_group_tests_name("handles", tests, NULL, NULL);
}
