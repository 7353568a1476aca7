/* test_session_timer: which time limit of a session the timer is armed for, and when, in each situation. Nothing is connected: the tests set the fields of
 * a session and the clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pools.h"
#include "worker/context.h"
#include "worker/session.h"

/* The backend was connected at 40 s, the last byte moved at 90 s, and it is 100 s. */
#define HEARD_MS ((UINT64_C(95000000000) >> BACKEND_TICK_BITS << BACKEND_TICK_BITS) / 1000000) /* the present tick at 95 s */

enum { CONNECTED_MS = 40000, LAST_BYTE_MS = 90000, NOW_MS = 100000 };

static struct io io;
static struct worker worker = {.io = &io};

static void set_clock(uint64_t now_ms)
{
    io.now_ns = now_ms * 1000000;
}

/* Opens a pool with these settings and a backend that was heard at that time (0: never), and arms the timer of a session that has these fields. The caller
 * calls pools_close(). */
static void arm_session(struct session *session, struct pools *pools, const struct pool_settings *settings, uint64_t heard_ms)
{
    pools_init(pools, CONFIG_BALANCE_ROUND_ROBIN, 1);
    pools->pool.settings.idle_timeout_ms = 60000;
    pools->pool.settings.half_close_timeout_ms = settings->half_close_timeout_ms ? settings->half_close_timeout_ms : 30000;
    pools->pool.settings.first_byte_timeout_ms = settings->first_byte_timeout_ms;
    pools->pool.settings.lifetime_ms = settings->lifetime_ms;
    pools->pool.settings.lifetime_jitter_percent = settings->lifetime_jitter_percent;
    pools->pool.settings.lifetime_quiet_ms = settings->lifetime_quiet_ms;
    pools_open(pools);
    session->worker = &worker;
    session->state = SESSION_RELAYING;
    session->lease.pool = table_pool(pools->table, 0);
    session->lease.backend = pools_backend(pools, 0);
    if (heard_ms > 0)
        backend_note_bytes(session->lease.backend, heard_ms * UINT64_C(1000000));
    session->connected_ns = CONNECTED_MS * UINT64_C(1000000);
    session->active_ns = LAST_BYTE_MS * UINT64_C(1000000);
    for (int source = CLIENT; source <= BACKEND; source++) {
        session->directions[source].source = (uint8_t)source;
        session->directions[source].receiving = true;
    }
    set_clock(NOW_MS);
    timer_wheel_init(&worker.timers, NOW_MS);
    timer_init(&session->timer, session_timer_fired);
    session_arm(session);
}

struct situation {
    const char *what;
    struct pool_settings settings;
    struct session session;
    uint64_t due_ms;
    uint64_t heard_ms; /* when bytes last came from the backend on any session; 0: never */
};

#define ASKED .directions[CLIENT].bytes = 1
#define ANSWERED .directions[BACKEND].bytes = 1
#define CLIENT_ENDED .directions[CLIENT].phase = DIRECTION_ENDED
#define BACKEND_ENDED .directions[BACKEND].phase = DIRECTION_ENDED

static const struct situation situations[] = {
    {"idle", {0}, {ASKED, ANSWERED}, LAST_BYTE_MS + 60000},
    {"idle, and no byte has ever moved", {0}, {0}, LAST_BYTE_MS + 60000},
    {"ends that are not read are checked", {0}, {ASKED, ANSWERED, .looked_after = true}, NOW_MS + 500},

    {"the client has not asked", {.first_byte_timeout_ms = 20000}, {0}, NOW_MS + 20000},
    {"the client has asked", {.first_byte_timeout_ms = 20000}, {ASKED}, LAST_BYTE_MS + 20000},
    {"the client has asked, and the backend was heard before", {.first_byte_timeout_ms = 20000}, {ASKED}, LAST_BYTE_MS + 20000, LAST_BYTE_MS - 5000},
    {"the client has asked, and the backend is busy", {.first_byte_timeout_ms = 8000}, {ASKED}, HEARD_MS + 8000, HEARD_MS + 50},
    {"the client has asked, and the backend has been busy for long", {.first_byte_timeout_ms = 2500}, {ASKED}, LAST_BYTE_MS + 10000, LAST_BYTE_MS + 9800},
    {"the client has asked, and sends no more", {.first_byte_timeout_ms = 20000}, {ASKED, CLIENT_ENDED}, LAST_BYTE_MS + 20000},
    {"the backend has answered", {.first_byte_timeout_ms = 20000}, {ASKED, ANSWERED}, LAST_BYTE_MS + 60000},
    {"the backend has sent its first byte unasked", {.first_byte_timeout_ms = 20000}, {ANSWERED}, LAST_BYTE_MS + 60000},
    {"the backend has ended without a byte", {.first_byte_timeout_ms = 20000}, {ASKED, BACKEND_ENDED}, LAST_BYTE_MS + 30000},
    {"the backend has stopped reading and may answer", {.first_byte_timeout_ms = 20000}, {ASKED, .directions[CLIENT].phase = DIRECTION_DROP},
     LAST_BYTE_MS + 20000},
    {"the first byte is awaited for longer than idle_timeout", {.first_byte_timeout_ms = 90000}, {ASKED}, LAST_BYTE_MS + 60000},

    {"the client has ended and has its answer's beginning", {0}, {ASKED, ANSWERED, CLIENT_ENDED}, LAST_BYTE_MS + 30000},
    {"the client has ended and waits for the first byte", {0}, {ASKED, CLIENT_ENDED}, NOW_MS + 30000},
    {"the client has ended without a byte", {0}, {CLIENT_ENDED}, NOW_MS + 30000},
    {"the backend has ended", {0}, {ASKED, ANSWERED, BACKEND_ENDED}, LAST_BYTE_MS + 30000},
    {"the client has stopped reading", {0}, {ASKED, .directions[BACKEND].phase = DIRECTION_DROP}, LAST_BYTE_MS + 30000},
    {"idle_timeout is shorter", {.half_close_timeout_ms = 90000}, {ASKED, ANSWERED, CLIENT_ENDED}, LAST_BYTE_MS + 60000},

    {"lifetime", {.lifetime_ms = 90000}, {0}, CONNECTED_MS + 90000},
    {"the longest lifetime", {.lifetime_ms = 2592000000, .lifetime_jitter_percent = 50}, {0}, LAST_BYTE_MS + 60000},
    {"lifetime without a quiet gap is over", {.lifetime_ms = 30000}, {ASKED, ANSWERED}, CONNECTED_MS + 30000},
    {"the gap is over before the lifetime", {.lifetime_ms = 90000, .lifetime_quiet_ms = 20000}, {ASKED, ANSWERED}, CONNECTED_MS + 90000},
    {"the lifetime is over before the gap", {.lifetime_ms = 30000, .lifetime_quiet_ms = 20000}, {ASKED, ANSWERED}, LAST_BYTE_MS + 20000},
    {"bytes are in transit", {.lifetime_ms = 30000, .lifetime_quiet_ms = 5000}, {ASKED, ANSWERED, .directions[BACKEND].pipe.bytes = 1}, NOW_MS + 5000},
    {"a quiet gap of a client that waits for its answer", {.lifetime_ms = 30000, .lifetime_quiet_ms = 5000}, {ASKED, CLIENT_ENDED}, NOW_MS + 5000},
};

static void each_situation_has_its_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
        struct session session = situations[i].session;
        struct pools pools;

        arm_session(&session, &pools, &situations[i].settings, situations[i].heard_ms);
        if (session.timer.due_ms != situations[i].due_ms)
            fail_msg("%s: due at %llu ms instead of %llu", situations[i].what, (unsigned long long)session.timer.due_ms,
                     (unsigned long long)situations[i].due_ms);
        pools_close(&pools);
    }
}

static void lifetimes_spread_over_the_jitter(void **state)
{
    static const struct pool_settings settings = {.lifetime_ms = 70000, .lifetime_jitter_percent = 10};
    uint64_t first = UINT64_MAX, last = 0, sum = 0;

    (void)state;
    for (uint64_t number = 1; number <= 1000; number++) {
        struct session session = {.number = number};
        struct pools pools;
        uint64_t due_ms;

        arm_session(&session, &pools, &settings, 0);
        due_ms = session.timer.due_ms - CONNECTED_MS;
        first = due_ms < first ? due_ms : first;
        last = due_ms > last ? due_ms : last;
        sum += due_ms;
        session_arm(&session);
        assert_int_equal(session.timer.due_ms - CONNECTED_MS, due_ms);
        pools_close(&pools);
    }
    assert_in_range(first, 63000, 63300);
    assert_in_range(last, 76700, 76999);
    assert_in_range(sum / 1000, 69500, 70500);
}

/* Bytes do not arm the timer. Each of these begins when the timer is armed for something else. */
static void a_limit_that_begins_later_is_met_in_time(void **state)
{
    static const struct pool_settings settings = {.first_byte_timeout_ms = 20000, .lifetime_ms = 30000, .lifetime_quiet_ms = 25000};
    struct session session = {0};
    struct pools pools;

    (void)state;
    arm_session(&session, &pools, &settings, 0);
    assert_true(session.timer.due_ms <= 110000 + 20000);

    session.directions[CLIENT].bytes = 1; /* the client asks at 110 s */
    session.active_ns = 110000 * UINT64_C(1000000);
    set_clock(session.timer.due_ms);
    timer_wheel_advance(&worker.timers, session.timer.due_ms);
    assert_int_equal(session.timer.due_ms, 110000 + 20000);

    session.directions[BACKEND].bytes = 1; /* the answer at 125 s makes lifetime_quiet the next limit, after the lifetime is over */
    session.active_ns = 125000 * UINT64_C(1000000);
    set_clock(session.timer.due_ms);
    timer_wheel_advance(&worker.timers, session.timer.due_ms);
    assert_int_equal(session.timer.due_ms, 125000 + 25000);
    timer_cancel(&worker.timers, &session.timer);
    pools_close(&pools);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_situation_has_its_limit),
        cmocka_unit_test(lifetimes_spread_over_the_jitter),
        cmocka_unit_test(a_limit_that_begins_later_is_met_in_time),
    };

    return cmocka_run_group_tests_name("session_timer", tests, NULL, NULL);
}
