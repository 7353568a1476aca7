/* test/unit/test_tap.c: a tap in a session between real sockets, on both engines: it holds, injects and passes bytes. What it holds stays within the limit,
 * delays the FIN and is freed at the end. The worker is built by hand and has no listener: the tests start its sessions directly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "loopback.h"
#include "pools.h"
#include "table/counters.h"
#include "table/intake.h"
#include "table/lease.h"
#include "table/limit.h"
#include "table/shortage.h"
#include "worker/context.h"
#include "worker/session.h"
#include "worker/tap.h"

enum { DEADLINE_S = 10, MANY_BYTES = 4 * 1024 * 1024, LARGE_BYTES = 40000 };

struct rig {
    struct limit connections, flows;
    struct shortage shortage;
    struct pools pools;
    struct config_listener listener;
    struct worker_shared shared;
    struct worker worker;
    int front, back;     /* listening sockets: for the client, for Penstock */
    int client, backend; /* the peers' sockets */
};

/* The tap on the direction from the client to the backend. */
static struct {
    struct tap tap;
    struct direction *direction;
    unsigned received, ended, freed;
} ours;

static const struct tap_ops *next_ops;
static int (*at_start)(struct direction *direction);

static void on_free(struct tap *tap)
{
    assert_null(tap->held.first);
    ours.freed++;
}

static int hold_received(struct tap *tap, struct direction *direction)
{
    assert_true(tap->held.first && tap->held_bytes > 0);
    assert_int_equal(direction->phase, DIRECTION_TAPPED);
    ours.received++;
    return 0;
}

static int hold_ended(struct tap *tap, struct direction *direction)
{
    (void)tap;
    assert_int_equal(direction->phase, DIRECTION_ENDING);
    ours.ended++;
    return 0;
}

static const struct tap_ops holding = {.received = hold_received, .ended = hold_ended, .free = on_free};

static int wrap_ended(struct tap *tap, struct direction *direction)
{
    (void)hold_ended(tap, direction);
    assert_int_equal(tap_inject(direction, (const uint8_t *)"[", 1), 0);
    tap_pass(direction);
    return tap_inject(direction, (const uint8_t *)"]", 1);
}

static const struct tap_ops wrapping = {.received = hold_received, .ended = wrap_ended, .free = on_free};

static int fail_received(struct tap *tap, struct direction *direction)
{
    (void)hold_received(tap, direction);
    return -ENOMEM;
}

static const struct tap_ops failing = {.received = fail_received, .ended = hold_ended, .free = on_free};

static void relaying(struct session *session)
{
    ours.tap.ops = next_ops;
    ours.direction = &session->directions[CLIENT];
    tap_install(ours.direction, &ours.tap);
    if (at_start)
        assert_int_equal(at_start(ours.direction), 0);
}

/* ---- setup, teardown and helpers ---- */

static int setup_engine(void **state, enum io_kind kind)
{
    struct rig *rig = aligned_alloc(64, (sizeof(*rig) + 63) / 64 * 64);
    static struct io_choice choice;
    struct io_options options = {.sockets_max = 100};
    struct addr back;
    struct io *io;
    int error;

    *state = NULL;
    assert_non_null(rig);
    memset(rig, 0, sizeof(*rig));
    if (io_choose((int)kind, &choice) < 0) { /* the tests then skip */
        free(rig);
        return 0;
    }
    rig->front = rig->client = rig->backend = -1;
    rig->back = listen_any(&back);
    pools_init(&rig->pools, CONFIG_BALANCE_ROUND_ROBIN, 1);
    rig->pools.backends[0].addr = back;
    rig->pools.pool.settings.connect_timeout_ms = DEADLINE_S * 1000;
    rig->pools.pool.settings.idle_timeout_ms = rig->pools.pool.settings.half_close_timeout_ms = DEADLINE_S * 1000;
    rig->pools.pool.settings.splice = CONFIG_SPLICE_ALWAYS;
    rig->listener = (struct config_listener){.name = "test"};
    rig->pools.config.listeners = &rig->listener;
    rig->pools.config.listener_count = 1;
    pools_open(&rig->pools);
    limit_init(&rig->connections, 10);
    limit_init_flows(&rig->flows, 0);
    rig->shared = (struct worker_shared){
        .table = rig->pools.table,
        .epoch = rig->pools.epoch,
        .counters = counters_new(1),
        .intakes = intake_new(1),
        .mailboxes = worker_mailboxes_new(1),
        .connections = &rig->connections,
        .flows = &rig->flows,
        .shortage = &rig->shortage,
        .workers = 1,
        .sessions_max = 10,
        .pipes_max = 10,
        .outgoing_port_min = UINT16_MAX,
        .relaying = relaying,
    };
    rig->worker = (struct worker){.shared = &rig->shared, .cpu = -1, .counters = rig->shared.counters};
    io = io_new(&choice, &options, &error);
    assert_non_null(io);
    assert_int_equal(worker_prepare(&rig->worker, io), 0);
    *state = rig;
    return 0;
}

static int setup_uring(void **state)
{
    return setup_engine(state, IO_URING);
}

static int setup_epoll(void **state)
{
    return setup_engine(state, IO_EPOLL);
}

static void turn(struct rig *rig)
{
    assert_int_equal(worker_turn(&rig->worker, 5), 0);
}

#define UNTIL(rig, condition)                                                     \
    for (uint64_t deadline = clock_now_ns() + DEADLINE_S * (uint64_t)1000000000; !(condition);) { \
        turn(rig);                                                                \
        assert_true(clock_now_ns() < deadline);                                   \
    }

static int teardown(void **state)
{
    struct rig *rig = *state;

    if (!rig)
        return 0;
    worker_end_all(&rig->worker);
    UNTIL(rig, rig->worker.sessions_slab.used == 0);
    assert_int_equal(ours.freed, 1);
    epoch_offline(rig->pools.epoch, 0);
    worker_dismantle(&rig->worker); /* asserts that every buffer was given back */
    pools_close(&rig->pools);
    counters_free(rig->shared.counters);
    intake_free(rig->shared.intakes);
    worker_mailboxes_free(rig->shared.mailboxes, 1);
    (void)close(rig->back);
    (void)close(rig->front);
    (void)close(rig->client);
    (void)close(rig->backend);
    free(rig);
    return 0;
}

/* Connects a client and waits until its session is relaying to the backend, with a tap that has these functions. */
static struct rig *begin(void **state, const struct tap_ops *ops, int (*start)(struct direction *direction))
{
    struct rig *rig = *state;
    struct addr front, client = {.length = sizeof(client.in6)};
    struct lease lease = {0};
    int fd;

    if (!rig)
        skip();
    next_ops = ops;
    at_start = start;
    memset(&ours, 0, sizeof(ours));
    rig->front = listen_any(&front);
    rig->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(rig->client, &front.sa, front.length), 0);
    fd = accept4(rig->front, &client.sa, &client.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd >= 0);
    turn(rig); /* the first turn loads a snapshot */
    assert_int_equal(lease_take(&lease, table_listener(rig->pools.table, 0), &rig->connections, rig->worker.io->now_ns), LEASE_TAKEN);
    (void)counters_active_add(rig->worker.counters, 1);
    session_new(&rig->worker, &(struct session_arrival){.fd = fd, .lease = lease, .client = &client});
    UNTIL(rig, ours.direction);
    rig->backend = accept4(rig->back, NULL, NULL, SOCK_CLOEXEC);
    assert_true(rig->backend >= 0);
    return rig;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

/* Waits for the peer's next bytes, which must be `text`. */
static void hear(struct rig *rig, int fd, const char *text)
{
    char got[64] = "";

    UNTIL(rig, recv(fd, got, strlen(text), MSG_PEEK | MSG_DONTWAIT) == (ssize_t)strlen(text));
    assert_int_equal(recv(fd, got, strlen(text), 0), (int)strlen(text));
    assert_string_equal(got, text);
}

static void hear_the_end(struct rig *rig, int fd)
{
    char byte;

    UNTIL(rig, recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

/* Runs a few turns, in which neither bytes nor end of file may arrive at `fd`. */
static void hear_nothing(struct rig *rig, int fd)
{
    char byte;

    for (int i = 0; i < 5; i++)
        turn(rig);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

/* ---- test cases ---- */

static void test_holds_until_it_passes(void **state)
{
    struct rig *rig = begin(state, &holding, NULL);

    say(rig->client, "one");
    UNTIL(rig, ours.tap.held_bytes == 3);
    hear_nothing(rig, rig->backend);
    say(rig->client, "two");
    UNTIL(rig, ours.tap.held_bytes == 6);
    tap_pass(ours.direction);
    assert_int_equal(ours.tap.held_bytes, 0);
    tap_push(ours.direction);
    hear(rig, rig->backend, "onetwo");
    say(rig->backend, "back"); /* the other direction has no tap */
    hear(rig, rig->client, "back");
    say(rig->client, "three");
    UNTIL(rig, ours.tap.held_bytes == 5);
    hear_nothing(rig, rig->backend);
}

static int inject_at_start(struct direction *direction)
{
    return tap_inject(direction, (const uint8_t *)"PROXY ", 6);
}

static void test_injects_before_and_after(void **state)
{
    struct rig *rig = begin(state, &wrapping, inject_at_start);

    hear(rig, rig->backend, "PROXY ");
    say(rig->client, "body");
    UNTIL(rig, ours.received > 0);
    hear_nothing(rig, rig->backend);
    assert_int_equal(shutdown(rig->client, SHUT_WR), 0);
    hear(rig, rig->backend, "[body]");
    hear_the_end(rig, rig->backend);
    assert_int_equal(ours.ended, 1);
    assert_int_equal(ours.freed, 1);
    say(rig->backend, "answer");
    hear(rig, rig->client, "answer");
}

static void test_fin_waits_for_what_is_held(void **state)
{
    struct rig *rig = begin(state, &holding, NULL);

    say(rig->client, "last");
    assert_int_equal(shutdown(rig->client, SHUT_WR), 0);
    UNTIL(rig, ours.ended == 1);
    hear_nothing(rig, rig->backend);
    assert_int_equal(ours.freed, 0);
    tap_pass(ours.direction);
    tap_push(ours.direction);
    hear(rig, rig->backend, "last");
    hear_the_end(rig, rig->backend);
}

static uint8_t pattern(uint64_t place)
{
    return (uint8_t)(place * 7 + place / 253);
}

/* Sends as much as the socket accepts, up to MANY_BYTES in total. */
static void feed(int fd, uint64_t *sent)
{
    uint8_t bytes[16384];
    ssize_t done;

    do {
        size_t count = MANY_BYTES - *sent < sizeof(bytes) ? (size_t)(MANY_BYTES - *sent) : sizeof(bytes);

        for (size_t i = 0; i < count; i++)
            bytes[i] = pattern(*sent + i);
        done = count ? send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        *sent += done > 0 ? (uint64_t)done : 0;
    } while (done > 0);
}

static void drink(int fd, uint64_t *got)
{
    uint8_t bytes[16384];
    ssize_t done;

    while ((done = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
        for (ssize_t i = 0; i < done; i++)
            assert_int_equal(bytes[i], pattern(*got + (uint64_t)i));
        *got += (uint64_t)done;
    }
}

static void test_holds_no_more_than_the_credit(void **state)
{
    struct rig *rig = begin(state, &holding, NULL);
    uint64_t sent = 0, got = 0;

    for (int i = 0; i < 30 || !tap_full(&ours.tap); i++) {
        feed(rig->client, &sent);
        turn(rig);
        assert_true(ours.tap.held_bytes <= RELAY_CREDIT_BYTES + BUFFER_BYTES);
        assert_true(i < 1000);
    }
    assert_true(sent > ours.tap.held_bytes);
    assert_false(ours.direction->receiving);
    hear_nothing(rig, rig->backend);

    tap_pass(ours.direction); /* the tap can hold bytes again */
    tap_push(ours.direction);
    UNTIL(rig, tap_full(&ours.tap));
    assert_int_equal(ours.direction->phase, DIRECTION_TAPPED); /* despite CONFIG_SPLICE_ALWAYS */
    tap_remove(ours.direction);
    assert_int_equal(ours.freed, 1);
    tap_push(ours.direction);
    while (got < MANY_BYTES) {
        feed(rig->client, &sent);
        turn(rig);
        drink(rig->backend, &got);
    }
    UNTIL(rig, ours.direction->phase == DIRECTION_SPLICE);
}

static int inject_much(struct direction *direction)
{
    static uint8_t data[LARGE_BYTES];

    for (size_t i = 0; i < LARGE_BYTES; i++)
        data[i] = pattern(i);
    return tap_inject(direction, data, LARGE_BYTES);
}

static void test_injects_more_than_a_buffer(void **state)
{
    struct rig *rig = begin(state, &wrapping, inject_much);
    uint64_t got = 0;

    UNTIL(rig, (drink(rig->backend, &got), got == LARGE_BYTES));
    say(rig->client, "and so on");
    assert_int_equal(shutdown(rig->client, SHUT_WR), 0);
    hear(rig, rig->backend, "[and so on]");
    hear_the_end(rig, rig->backend);
}

static void reset(int *fd)
{
    struct linger linger = {.l_onoff = 1};

    assert_int_equal(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    assert_int_equal(close(*fd), 0);
    *fd = -1;
}

static void test_is_freed_when_the_destination_is_gone(void **state)
{
    struct rig *rig = begin(state, &holding, NULL);

    say(rig->client, "lost");
    UNTIL(rig, ours.tap.held_bytes == 4);
    reset(&rig->backend);
    UNTIL(rig, ours.freed == 1);
    UNTIL(rig, rig->worker.sessions_slab.used == 0);
}

static void test_may_still_pass_when_the_source_is_gone(void **state)
{
    struct rig *rig = begin(state, &holding, NULL);

    say(rig->client, "rest");
    UNTIL(rig, ours.tap.held_bytes == 4);
    reset(&rig->client);
    UNTIL(rig, ours.ended == 1);
    assert_int_not_equal(direction_source(ours.direction)->error, 0);
    tap_pass(ours.direction);
    tap_push(ours.direction);
    hear(rig, rig->backend, "rest");
    UNTIL(rig, rig->worker.sessions_slab.used == 0);
}

static void test_a_failure_ends_the_session(void **state)
{
    struct rig *rig = begin(state, &failing, NULL);
    char byte;

    say(rig->client, "x");
    UNTIL(rig, rig->worker.sessions_slab.used == 0);
    assert_int_equal(ours.freed, 1);
    assert_int_equal(recv(rig->client, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup_uring, teardown), cmocka_unit_test_setup_teardown(test, setup_epoll, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_holds_until_it_passes),
        EACH(test_injects_before_and_after),
        EACH(test_fin_waits_for_what_is_held),
        EACH(test_holds_no_more_than_the_credit),
        EACH(test_injects_more_than_a_buffer),
        EACH(test_is_freed_when_the_destination_is_gone),
        EACH(test_may_still_pass_when_the_source_is_gone),
        EACH(test_a_failure_ends_the_session),
    };

    return cmocka_run_group_tests_name("tap", tests, NULL, NULL);
}
