/* test_loadgen_window: losses, duplicates and order of datagrams, against a model that remembers everything; the wrap of the numbers. */
#include "../../bench/loadgen/udp_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/hash.h"

enum { CAPACITY = 16, STEPS = 4000, ROUNDS = 50 };

static enum udp_verdict answer_to(struct udp_window *window, uint32_t number)
{
    const struct udp_slot *slot;
    return udp_window_receive(window, number, &slot);
}

static void setup_sent(struct udp_window *window, uint32_t count)
{
    assert_int_equal(udp_window_init(window, CAPACITY), 0);
    for (uint32_t i = 0; i < count; i++)
        udp_window_send(window, 100 + i, 100 + i);
}

static void first_answers_come_in_order_or_not(void **state)
{
    (void)state;
    struct udp_window window;
    setup_sent(&window, 4);
    assert_int_equal(answer_to(&window, 0), UDP_IN_ORDER);
    assert_int_equal(answer_to(&window, 2), UDP_IN_ORDER); /* that 1 is missing is no disorder yet */
    assert_int_equal(answer_to(&window, 1), UDP_REORDERED);
    assert_int_equal(answer_to(&window, 3), UDP_IN_ORDER);
    assert_int_equal(window.in_flight, 0);
    udp_window_deinit(&window);
}

static void second_answer_is_a_duplicate(void **state)
{
    (void)state;
    struct udp_window window;
    setup_sent(&window, 2);
    assert_int_equal(answer_to(&window, 1), UDP_IN_ORDER);
    assert_int_equal(answer_to(&window, 1), UDP_DUPLICATE);
    assert_int_equal(window.in_flight, 1);
    udp_window_deinit(&window);
}

static void answer_after_the_loss_is_late_once(void **state)
{
    (void)state;
    struct udp_window window;
    setup_sent(&window, 3);
    assert_int_equal(udp_window_expire(&window, 101), 2);
    assert_int_equal(window.in_flight, 1);
    assert_int_equal(answer_to(&window, 0), UDP_LATE);
    assert_int_equal(answer_to(&window, 0), UDP_DUPLICATE);
    assert_int_equal(udp_window_expire(&window, 101), 0);
    udp_window_deinit(&window);
}

static void what_was_not_sent_is_unknown(void **state)
{
    (void)state;
    struct udp_window window;
    setup_sent(&window, 3);
    assert_int_equal(answer_to(&window, 3), UDP_UNKNOWN);
    assert_int_equal(answer_to(&window, UINT32_MAX), UDP_UNKNOWN); /* before the first one */
    assert_int_equal(answer_to(&window, 1u << 31), UDP_UNKNOWN);
    udp_window_deinit(&window);
}

static void room_ends_at_the_oldest_in_flight(void **state)
{
    (void)state;
    struct udp_window window;
    setup_sent(&window, CAPACITY);
    assert_int_equal(udp_window_room(&window), 0);
    assert_int_equal(answer_to(&window, 1), UDP_IN_ORDER);
    assert_int_equal(udp_window_room(&window), 0);
    assert_int_equal(answer_to(&window, 0), UDP_REORDERED);
    assert_int_equal(udp_window_room(&window), 2);
    udp_window_deinit(&window);
}

static void lag_is_what_it_was_sent_too_late(void **state)
{
    (void)state;
    struct udp_window window;
    const struct udp_slot *slot;
    setup_sent(&window, 0);
    udp_window_send(&window, 1000, 400);
    udp_window_send(&window, 1000, UINT64_MAX);
    udp_window_receive(&window, 0, &slot);
    assert_int_equal(slot->sent_ns - slot->lag_ns, 400);
    udp_window_receive(&window, 1, &slot);
    assert_int_equal(slot->lag_ns, 0);
    udp_window_deinit(&window);
}

/* Everything that was ever sent; the index of a datagram is its number minus `first`. */
struct model {
    uint32_t first, count;
    uint32_t newest; /* index plus one of the newest answered datagram, 0: none */
    uint64_t sent_ns[STEPS];
    enum udp_slot_state states[STEPS];
};

static uint32_t count_in_flight(const struct model *model, uint32_t *oldest)
{
    uint32_t count = 0;
    *oldest = model->count;
    for (uint32_t i = model->count; i-- > 0;) {
        if (model->states[i] == UDP_SLOT_IN_FLIGHT) {
            count++;
            *oldest = i;
        }
    }
    return count;
}

static enum udp_verdict expected_verdict(struct model *model, int64_t index)
{
    if (index < 0 || index >= model->count)
        return UDP_UNKNOWN;
    if (index + CAPACITY < model->count)
        return UDP_LATE; /* forgotten */
    enum udp_slot_state state = model->states[index];
    model->states[index] = UDP_SLOT_ANSWERED;
    if (state == UDP_SLOT_ANSWERED)
        return UDP_DUPLICATE;
    bool overtaken = index < model->newest;
    if (!overtaken)
        model->newest = (uint32_t)index + 1;
    return state == UDP_SLOT_LOST ? UDP_LATE : overtaken ? UDP_REORDERED : UDP_IN_ORDER;
}

static uint32_t expire_model(struct model *model, uint64_t until_ns)
{
    uint32_t lost = 0;
    for (uint32_t i = 0; i < model->count; i++) {
        if (model->states[i] == UDP_SLOT_IN_FLIGHT && model->sent_ns[i] <= until_ns) {
            model->states[i] = UDP_SLOT_LOST;
            lost++;
        }
    }
    return lost;
}

static void step_both(struct udp_window *window, struct model *model, uint64_t *random, uint64_t now_ns)
{
    uint32_t oldest, choice = random_below(random, 100);
    count_in_flight(model, &oldest);
    if (choice < 50 && model->count - oldest < CAPACITY) {
        udp_window_send(window, now_ns, now_ns);
        model->sent_ns[model->count] = now_ns;
        model->states[model->count++] = UDP_SLOT_IN_FLIGHT;
    } else if (choice < 97) {
        int64_t index = (int64_t)model->count + 3 - random_below(random, choice < 95 ? 10 : 40);
        assert_int_equal(answer_to(window, model->first + (uint32_t)index), expected_verdict(model, index));
    } else {
        uint64_t until_ns = now_ns - random_below(random, 30);
        assert_int_equal(udp_window_expire(window, until_ns), expire_model(model, until_ns));
    }
    assert_int_equal(window->in_flight, count_in_flight(model, &oldest));
    assert_int_equal(udp_window_room(window), CAPACITY - (model->count - oldest));
    assert_int_equal(window->sent, model->count);
}

/* In half of the rounds the numbers wrap. */
static void random_operations_agree_with_the_model(void **state)
{
    (void)state;
    struct model *model = malloc(sizeof(*model));
    assert_non_null(model);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        uint64_t random = round;
        struct udp_window window;
        setup_sent(&window, 0);
        *model = (struct model){.first = round % 2 == 0 ? 0 : UINT32_MAX - random_below(&random, 500)};
        window.next = window.oldest = model->first;
        for (uint64_t step = 0; step < STEPS; step++)
            step_both(&window, model, &random, 1000 + step);
        assert_true(model->count > STEPS / 10);
        udp_window_deinit(&window);
    }
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_answers_come_in_order_or_not), cmocka_unit_test(second_answer_is_a_duplicate),
        cmocka_unit_test(answer_after_the_loss_is_late_once), cmocka_unit_test(what_was_not_sent_is_unknown),
        cmocka_unit_test(room_ends_at_the_oldest_in_flight),  cmocka_unit_test(lag_is_what_it_was_sent_too_late),
        cmocka_unit_test(random_operations_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
