/* test/unit/test_health_agents.c: the health thread calls agents; what they said, and calls in flight, when the configuration changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "health_fixture.h"

enum { BACKENDS = 30, CHANGES = 200 };

/* Answers calls with this line until `count` backends are usable. */
static void answer_until_usable(int agent, const char *line, uint32_t count)
{
    uint64_t deadline_ns = clock_now_ns() + DEADLINE_MS * UINT64_C(1000000);

    while (usable(NULL) != count) {
        struct pollfd poller = {.fd = agent, .events = POLLIN};
        assert_true(clock_now_ns() < deadline_ns);
        if (poll(&poller, 1, 10) > 0) {
            int fd = accept4(agent, NULL, NULL, SOCK_CLOEXEC);
            assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
            close(fd);
        }
    }
}

static void prepare_agents(struct addr *addrs, size_t count, int agent_port)
{
    prepare(CONFIG_CHECK_NONE, addrs, count);
    pool.settings.agent_port = (uint16_t)agent_port;
    pool.settings.agent_interval_ms = 10;
}

static void an_agent_that_leaves_the_configuration_takes_its_words_along(void **state)
{
    (void)state;
    struct addr addrs[2] = {closed_port(), closed_port()}, agent_addr = {0};
    int agent = listen_on(&agent_addr);
    prepare_agents(addrs, 2, 0);
    backends[1].settings.agent_port = addr_port(&agent_addr);
    start();
    answer_until_usable(agent, "drain\n", 1);
    answer_until_usable(agent, "ready\n", 2);
    answer_until_usable(agent, "0% down\n", 1);
    pool.settings.rise = 7; /* the agent is called by new settings, and what it has said stays */
    assert_int_equal(health_apply(health, &config, NULL), 0);
    assert_int_equal(usable(NULL), 1);
    backends[1].settings.agent_port = 0;
    assert_int_equal(health_apply(health, &config, NULL), 0);
    assert_true(await_usable(2));
    free(stop());
    close(agent);
}

/* Meant for the sanitizers. No agent answers, so that calls stay in flight. */
static void changes_meet_calls_under_way(void **state)
{
    (void)state;
    static struct addr addrs[BACKENDS];
    struct addr agent_addr = {0};
    uint64_t random = 5;
    int agent = listen_on(&agent_addr);
    for (int i = 0; i < BACKENDS; i++)
        addrs[i] = closed_port();
    prepare_agents(addrs, BACKENDS, addr_port(&agent_addr));
    start();
    for (int i = 0; i < CHANGES; i++) {
        uint32_t begin = random_below(&random, BACKENDS);
        pool.backends = &backends[begin];
        pool.backend_count = 1 + random_below(&random, BACKENDS - begin);
        pool.settings.agent_port = random_below(&random, 4) > 0 ? addr_port(&agent_addr) : 0;
        pool.settings.check_timeout_ms = 5 + random_below(&random, 2);
        assert_int_equal(health_apply(health, &config, NULL), 0);
        if (i % 10 == 0)
            poll(NULL, 0, 1); /* gives some calls time to end */
    }
    free(stop());
    close(agent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_agent_that_leaves_the_configuration_takes_its_words_along),
        cmocka_unit_test(changes_meet_calls_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
