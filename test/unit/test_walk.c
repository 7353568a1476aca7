/* test/unit/test_walk.c: walks visit each object once while objects come and go. On a clock of the test; the objects stand for sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/hash.h"
#include "worker/context.h"
#include "worker/walk.h"

enum { OBJECTS = 1000, WALKS = 3, SLICE_MS = 10 };

struct object {
    struct list link;
    unsigned visits[WALKS];
    bool listed;
};

struct tour {
    struct walk walk;
    int index;
    unsigned visited;  /* number of visits in the present slice */
    unsigned greatest; /* of those numbers */
    unsigned done;
};

static struct io io;
static struct worker worker = {.io = &io};
static struct list head;
static struct object objects[OBJECTS];
static struct tour tours[WALKS];

static uint32_t visit_object(struct walk *walk, struct list *link)
{
    struct tour *tour = container_of(walk, struct tour, walk);

    container_of(link, struct object, link)->visits[tour->index]++;
    tour->visited++;
    return 1;
}

static void note_done(struct walk *walk)
{
    container_of(walk, struct tour, walk)->done++;
}

static const struct walk_kind thrifty = {.slice_ms = SLICE_MS, .visited_max = 7, .cost_max = 100, .visit = visit_object, .done = note_done};
static const struct walk_kind costly = {.slice_ms = SLICE_MS, .visited_max = 100, .cost_max = 7, .visit = visit_object, .done = note_done};

static void add_object(int i)
{
    list_append(&head, &objects[i].link);
    objects[i].listed = true;
}

static void remove_object(int i)
{
    walk_forget(&worker, &objects[i].link);
    list_remove(&objects[i].link);
    objects[i].listed = false;
}

static void set_up(int count, const struct walk_kind *kind)
{
    io.now_ns = 0;
    timer_wheel_init(&worker.timers, 0);
    list_init(&worker.walks);
    list_init(&head);
    memset(objects, 0, sizeof(objects));
    for (int i = 0; i < count; i++)
        add_object(i);
    for (int i = 0; i < WALKS; i++) {
        tours[i] = (struct tour){.index = i};
        walk_init(&tours[i].walk, &worker, kind);
    }
}

static void pass_ms(unsigned ms)
{
    for (; ms > 0; ms--) {
        io.now_ns += 1000000;
        timer_wheel_advance(&worker.timers, io.now_ns / 1000000);
        for (int i = 0; i < WALKS; i++) {
            tours[i].greatest = tours[i].visited > tours[i].greatest ? tours[i].visited : tours[i].greatest;
            tours[i].visited = 0;
        }
    }
}

static void assert_visits(int from, int to, unsigned visits)
{
    for (int i = from; i < to; i++)
        assert_int_equal(objects[i].visits[0], visits);
}

static void a_slice_ends_at_its_number_or_its_cost(void **state)
{
    (void)state;
    const struct walk_kind *kinds[] = {&thrifty, &costly};

    for (int i = 0; i < 2; i++) {
        set_up(70, kinds[i]);
        walk_begin(&tours[0].walk, &head, 70);
        pass_ms(1);
        assert_visits(0, 7, 1);
        assert_visits(7, 70, 0);
        pass_ms(9 * SLICE_MS - 1);
        assert_visits(0, 63, 1);
        assert_int_equal(tours[0].done, 0);
        pass_ms(SLICE_MS);
        assert_visits(0, 70, 1);
        assert_int_equal(tours[0].done, 1);
        assert_int_equal(tours[0].greatest, 7);
        pass_ms(10 * SLICE_MS);
        assert_visits(0, 70, 1);
        assert_true(list_empty(&worker.walks));
    }
}

static void an_empty_list_is_done_too(void **state)
{
    (void)state;
    set_up(0, &thrifty);
    walk_begin(&tours[0].walk, &head, 0);
    pass_ms(2);
    assert_int_equal(tours[0].done, 1);
}

static void what_comes_later_does_not_prolong_a_walk(void **state)
{
    (void)state;
    set_up(14, &thrifty);
    walk_begin(&tours[0].walk, &head, 14);
    pass_ms(1);
    for (int i = 14; i < 100; i++)
        add_object(i);
    pass_ms(2 * SLICE_MS);
    assert_int_equal(tours[0].done, 1);
    assert_visits(0, 14, 1);
    assert_visits(14, 100, 0);
}

static void a_walk_that_is_begun_again_visits_all_once_more(void **state)
{
    (void)state;
    set_up(30, &thrifty);
    walk_begin(&tours[0].walk, &head, 30);
    pass_ms(2 * SLICE_MS);
    walk_begin(&tours[0].walk, &head, 30);
    walk_begin(&tours[0].walk, &head, 30);
    assert_visits(0, 14, 1);
    pass_ms(30 * SLICE_MS);
    assert_visits(0, 30, 2);
    assert_int_equal(tours[0].done, 1);
    assert_int_equal(tours[0].greatest, 7);
}

static void a_stopped_walk_visits_nothing_more(void **state)
{
    (void)state;
    set_up(30, &thrifty);
    walk_begin(&tours[0].walk, &head, 30);
    pass_ms(1);
    walk_stop(&tours[0].walk);
    remove_object(7); /* the object that would have been next */
    pass_ms(10 * SLICE_MS);
    assert_visits(0, 7, 1);
    assert_visits(7, 30, 0);
    assert_int_equal(tours[0].done, 0);
}

/* Each walk must visit each object that was there all the time exactly once, and no object twice. */
static void walks_meet_objects_that_come_and_go(void **state)
{
    (void)state;
    uint64_t random = 5;

    for (int round = 0; round < 100; round++) {
        int first = (int)random_below(&random, OBJECTS / 2), next = first;
        bool stays[OBJECTS];

        set_up(first, &thrifty);
        for (int i = 0; i < WALKS; i++)
            walk_begin(&tours[i].walk, &head, (uint32_t)first);
        for (int i = 0; i < OBJECTS; i++)
            stays[i] = objects[i].listed;
        while (tours[0].done + tours[1].done + tours[2].done < WALKS) {
            int gone = (int)random_below(&random, OBJECTS);

            if (objects[gone].listed) {
                remove_object(gone);
                stays[gone] = false;
            }
            if (next < OBJECTS && random_below(&random, 2) == 0)
                add_object(next++);
            if (random_below(&random, 4) == 0 && tours[0].walk.next != &head) { /* also the one that is next */
                gone = (int)(container_of(tours[0].walk.next, struct object, link) - objects);
                remove_object(gone);
                stays[gone] = false;
            }
            pass_ms(random_below(&random, 5));
        }
        for (int i = 0; i < OBJECTS; i++) {
            for (int walk = 0; walk < WALKS; walk++) {
                assert_true(objects[i].visits[walk] <= 1);
                assert_true(objects[i].visits[walk] == 1 || !stays[i]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slice_ends_at_its_number_or_its_cost),
        cmocka_unit_test(an_empty_list_is_done_too),
        cmocka_unit_test(what_comes_later_does_not_prolong_a_walk),
        cmocka_unit_test(a_walk_that_is_begun_again_visits_all_once_more),
        cmocka_unit_test(a_stopped_walk_visits_nothing_more),
        cmocka_unit_test(walks_meet_objects_that_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
