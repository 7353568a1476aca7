/* test_config_values: correct configurations and the values that result: defaults, limits of every key, escapes, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/keys.h"
#include "loading.h"

#define LISTENER "[listener l]\nbind=127.0.0.1:1\npool=p\n"
#define POOL "[pool p]\nbackend=b 127.0.0.1:2\n"

static bool accepted(const char *text)
{
    struct config_errors *errors = config_errors_new();
    struct config *config = config_load_text("test", text, strlen(text), errors);
    bool result = config != NULL;
    config_free(config);
    config_errors_free(errors);
    return result;
}

static bool value_accepted(const struct config_key *key, uint64_t value)
{
    static const char *const units[] = {[CONFIG_DURATION] = "ms", [CONFIG_PERCENT] = "%", [CONFIG_SIZE] = "", [CONFIG_NUMBER] = ""};
    char text[512], line[128];
    /* hash_key itself has an effect only with balance, and the keys of agents only with agents. */
    const char *extra = key->used_with && strncmp(key->used_with, "hash_key", 8) == 0 ? "balance=consistent_hash\n"
                        : strncmp(key->name, "agent_", 6) == 0 ? "check=agent\n" : "";

    snprintf(line, sizeof(line), "%s=%" PRIu64 "%s\n%s%s\n", key->name, value, units[key->type], extra, key->used_with ? key->used_with : "");
    snprintf(text, sizeof(text), "[global]\n%s" LISTENER "%s" POOL "%s", key->section == CONFIG_IN_GLOBAL ? line : "",
             key->section == CONFIG_IN_LISTENER ? line : "", key->section == CONFIG_IN_POOL ? line : "");
    return accepted(text);
}

static void every_number_is_taken_at_its_limits_and_refused_beyond(void **state)
{
    size_t tried = 0;
    (void)state;
    for (size_t i = 0; i < config_key_count; i++) {
        const struct config_key *key = &config_keys[i];
        uint64_t step = key->step > 0 ? key->step : 1;
        if (key->type != CONFIG_NUMBER && key->type != CONFIG_DURATION && key->type != CONFIG_SIZE && key->type != CONFIG_PERCENT)
            continue;
        if (!value_accepted(key, key->max) || !value_accepted(key, key->min))
            fail_msg("%s is refused at a limit", key->name);
        if (key->max < UINT64_MAX && value_accepted(key, key->max + step))
            fail_msg("%s is taken above its maximum", key->name);
        if (key->min > 0 && value_accepted(key, key->min - step))
            fail_msg("%s is taken below its minimum", key->name);
        tried++;
    }
    assert_true(tried > 20);
}

static void pools_that_serve_only_udp_are_probed_by_udp(void **state)
{
    static const struct {
        const char *text;
        enum config_check check;
    } rows[] = {
        {LISTENER POOL, CONFIG_CHECK_TCP},
        {LISTENER "protocol=udp\n" POOL, CONFIG_CHECK_UDP},
        {LISTENER "protocol=tcp+udp\n" POOL, CONFIG_CHECK_TCP},
        {LISTENER "protocol=udp\n" POOL "check=tcp\n", CONFIG_CHECK_TCP},
        {"[defaults]\ncheck=none\n" LISTENER "protocol=udp\n" POOL, CONFIG_CHECK_NONE},
        {LISTENER "protocol=udp\n" "[listener other]\nbind=127.0.0.1:3\npool=p\n" POOL, CONFIG_CHECK_TCP},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config *config = load_good(rows[i].text);

        assert_int_equal(config->pools[0].settings.check, rows[i].check);
        config_free(config);
    }
}

static void defaults_are_those_of_the_manual(void **state)
{
    struct config *config = load_good(LISTENER POOL);
    const struct config_listener *l = &config->listeners[0];
    const struct config_pool *p = &config->pools[0];
    cpu_set_t set;
    (void)state;

    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    assert_int_equal(config->workers, CPU_COUNT(&set));
    assert_int_equal(config->engine, CONFIG_ENGINE_AUTO);
    assert_int_equal(config->max_connections, 0);
    assert_int_equal(config->max_flows, 0);
    assert_true(config->seed == 0);
    assert_int_equal(config->drain_timeout_ms, 30000);
    assert_string_equal(config->log, "stderr");
    assert_int_equal(config->log_level, CONFIG_LOG_INFO);
    assert_null(config->access_log);
    assert_null(config->user);
    assert_int_equal(l->settings.backlog, 4096);
    assert_int_equal(l->settings.keepalive_ms, 60000);
    assert_int_equal(l->settings.tcp_user_timeout_ms, 0);
    assert_false(l->settings.defer_accept);
    assert_null(l->settings.interface);
    assert_int_equal(l->settings.protocol, CONFIG_PROTOCOL_TCP);
    assert_int_equal(l->settings.max_flows, 0);
    assert_int_equal(l->settings.max_flows_per_source, 0);
    assert_int_equal(l->settings.flow_rate, 0);
    assert_string_equal(l->settings.congestion_control, "auto");
    assert_int_equal(p->settings.balance, CONFIG_BALANCE_LEAST_CONN);
    assert_int_equal(p->settings.hash_prefix_v4, 32);
    assert_int_equal(p->settings.hash_prefix_v6, 128);
    assert_int_equal(p->settings.hash_table_size, 65537);
    assert_int_equal(p->settings.check, CONFIG_CHECK_TCP);
    assert_int_equal(p->settings.check_interval_ms, 2000);
    assert_int_equal(p->settings.check_fast_interval_ms, 500);
    assert_int_equal(p->settings.check_down_interval_ms, 2000);
    assert_true(p->settings.check_initial_up);
    assert_string_equal(p->settings.check_status, "200-399");
    assert_int_equal(p->settings.check_jitter_percent, 10);
    assert_int_equal(p->settings.first_byte_timeout_ms, 0);
    assert_int_equal(p->settings.idle_timeout_ms, 3600000);
    assert_int_equal(p->settings.lifetime_ms, 0);
    assert_int_equal(p->settings.lifetime_jitter_percent, 10);
    assert_int_equal(p->settings.lifetime_quiet_ms, 0);
    assert_int_equal(p->settings.retries, 2);
    assert_int_equal(p->settings.udp_idle_timeout_ms, 30000);
    assert_int_equal(p->settings.udp_requests, 0);
    assert_true(p->settings.udp_responses == UINT32_MAX);
    assert_false(p->settings.udp_per_packet);
    assert_int_equal(p->settings.proxy_protocol, CONFIG_PROXY_OFF);
    assert_int_equal(p->settings.hash_cid_offset, 0);
    assert_int_equal(p->settings.hash_cid_bytes, 8);
    assert_int_equal(p->backends[0].settings.weight, 1);
    config_free(config);
}

static void a_sections_own_value_wins_over_defaults_wherever_they_stand(void **state)
{
    struct config *config = load_good(LISTENER "backlog=5\n[listener m]\nbind=127.0.0.1:9\npool=q\n" POOL "retries=1\n"
                                 "[pool q]\nbackend=b 127.0.0.1:2\n[defaults]\nbacklog=7\nretries=3\ncheck_fast_interval=50ms\n");
    (void)state;
    assert_int_equal(config->listeners[0].settings.backlog, 5);
    assert_int_equal(config->listeners[1].settings.backlog, 7);
    assert_int_equal(config->listeners[1].pool, 1);
    assert_int_equal(config->pools[0].settings.retries, 1);
    assert_int_equal(config->pools[1].settings.retries, 3);
    assert_int_equal(config->pools[1].settings.check_fast_interval_ms, 50);
    config_free(config);
}

static void every_kind_of_value_reaches_its_field(void **state)
{
    struct config *config = load_good("[global]\ncpu_affinity=5,0-2\nseed=0xFFFFFFFFFFFFFFFF\nengine=epoll\nbusy_poll=50us\naccess_log=/a/b ; c\nuser=nobody\n"
                                 LISTENER "keepalive=off\nreceive_buffer=64k\ndefer_accept=yes\ninterface=eth0\n"
                                 "congestion_control=system\n" POOL
                                 "backend=c [::1]:2 backup weight=256 max_connections=7 check_port=9 state=maint\nbalance=consistent_hash\n"
                                 "hash_key=source_ip_port\ncheck=http\ncheck_status=204\ncheck_address=::1\ncheck_initial=down\n"
                                 "check_interval=100ms\ncheck_jitter=50%\nsplice=never\n");
    const struct config_pool *p = &config->pools[0];
    char text[ADDR_TEXT_BYTES];
    (void)state;
    assert_int_equal(config->affinity, CONFIG_AFFINITY_LIST);
    assert_int_equal(config->affinity_count, 4);
    assert_int_equal(config->affinity_cpus[0], 5);
    assert_int_equal(config->affinity_cpus[3], 2);
    assert_true(config->seed == UINT64_MAX);
    assert_int_equal(config->engine, CONFIG_ENGINE_EPOLL);
    assert_int_equal(config->busy_poll_us, 50);
    assert_string_equal(config->access_log, "/a/b");
    assert_string_equal(config->user, "nobody");
    assert_int_equal(config->listeners[0].settings.keepalive_ms, 0);
    assert_int_equal(config->listeners[0].settings.receive_buffer_bytes, 65536);
    assert_true(config->listeners[0].settings.defer_accept);
    assert_string_equal(config->listeners[0].settings.interface, "eth0");
    assert_null(config->listeners[0].settings.congestion_control);
    assert_int_equal(p->backend_count, 2);
    assert_string_equal(p->backends[1].name, "c");
    assert_string_equal(addr_format(&p->backends[1].addr, text, sizeof(text)), "[::1]:2");
    assert_int_equal(p->backends[1].settings.weight, 256);
    assert_int_equal(p->backends[1].settings.max_connections, 7);
    assert_int_equal(p->backends[1].settings.check_port, 9);
    assert_int_equal(p->backends[0].settings.state, CONFIG_BACKEND_READY);
    assert_int_equal(p->backends[1].settings.state, CONFIG_BACKEND_MAINTENANCE);
    assert_true(p->backends[1].settings.backup);
    assert_int_equal(p->settings.hash_key, CONFIG_HASH_SOURCE_IP_PORT);
    assert_string_equal(p->settings.check_status, "204");
    assert_true(p->settings.check_address_set);
    assert_false(p->settings.check_initial_up);
    assert_int_equal(p->settings.check_fast_interval_ms, 100); /* never below 100 ms, so not a quarter of the interval */
    assert_int_equal(p->settings.splice, CONFIG_SPLICE_NEVER);
    config_free(config);
}

static void a_probe_in_doubt_is_never_slower_than_the_others(void **state)
{
    (void)state;
    static const struct {
        const char *interval;
        uint32_t fast_ms;
    } cases[] = {{"10ms", 10}, {"50ms", 50}, {"100ms", 100}, {"300ms", 100}, {"400ms", 100}, {"2s", 500}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        struct config_errors *errors = config_errors_new();
        struct config *config;

        snprintf(text, sizeof(text), "[listener l]\nbind=127.0.0.1:1\npool=p\n[pool p]\nbackend=b 127.0.0.1:2\ncheck_interval=%s\n", cases[i].interval);
        config = config_load_text("test", text, strlen(text), errors);
        assert_non_null(config);
        assert_int_equal(config->pools[0].settings.check_fast_interval_ms, cases[i].fast_ms);
        config_free(config);
        config_errors_free(errors);
    }
}

static void the_default_of_check_timeout_depends_on_the_check(void **state)
{
    static const struct {
        const char *keys;
        uint32_t timeout_ms;
    } cases[] = {{"", 1000}, {"check=udp\n", 1000}, {"check=http\n", 5000}, {"check=https\n", 5000}, {"check=grpc\n", 5000},
                 {"check=grpc\ncheck_timeout=300ms\n", 300}, {"check=http\ncheck_timeout=auto\n", 5000}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "%s%s%s", LISTENER, POOL, cases[i].keys);
        struct config *config = load_good(text);
        assert_int_equal(config->pools[0].settings.check_timeout_ms, cases[i].timeout_ms);
        config_free(config);
    }
}

static void escapes_and_variables_are_resolved_once(void **state)
{
    struct config *config;
    (void)state;
    setenv("PENSTOCK_TEST_BODY", "a;b ; c \\; ${HOME}", 1);
    config = load_good(LISTENER POOL "check=http\ncheck_host=a\\;b\\\\c$\ncheck_body=<${PENSTOCK_TEST_BODY}> \\; \"x\" \\${Y} ; comment\n");
    assert_string_equal(config->pools[0].settings.check_host, "a;b\\c$");
    assert_string_equal(config->pools[0].settings.check_body, "<a;b ; c \\; ${HOME}> ; \"x\" ${Y}");
    config_free(config);
}

static void payloads_keep_their_escapes(void **state)
{
    struct config *config;
    (void)state;
    setenv("PENSTOCK_TEST_BODY", "a\\n", 1);
    config = load_good(LISTENER POOL "check=udp\ncheck_send=a\\; b\\\\n\\r${PENSTOCK_TEST_BODY} ; comment\ncheck_expect=\\x00\\${HOME}\n");
    assert_int_equal(config->pools[0].settings.check, CONFIG_CHECK_UDP);
    assert_string_equal(config->pools[0].settings.check_send, "a\\; b\\\\n\\ra\\n");
    assert_string_equal(config->pools[0].settings.check_expect, "\\x00\\${HOME}");
    config_free(config);
}

static void payloads_are_copied_and_compared(void **state)
{
    struct config *config = load_good(LISTENER POOL "check=udp\ncheck_send=ping\ncheck_expect=pong\n"), *other;
    struct pool_settings *copy = pool_settings_copy(&config->pools[0].settings);
    (void)state;
    assert_non_null(copy);
    assert_true(pool_settings_equal(copy, &config->pools[0].settings));
    config_free(config);
    assert_string_equal(copy->check_send, "ping");
    assert_string_equal(copy->check_expect, "pong");
    other = load_good(LISTENER POOL "check=udp\ncheck_send=ping\ncheck_expect=pong\n");
    assert_true(pool_settings_equal(copy, &other->pools[0].settings));
    config_free(other);
    other = load_good(LISTENER POOL "check=udp\ncheck_send=ping\ncheck_expect=pang\n");
    assert_false(pool_settings_equal(copy, &other->pools[0].settings));
    config_free(other);
    other = load_good(LISTENER POOL "check=udp\ncheck_expect=pong\n");
    assert_false(pool_settings_equal(copy, &other->pools[0].settings));
    config_free(other);
    free(copy);
}

static void binds_are_taken_apart(void **state)
{
    static const char *const wanted[] = {"127.0.0.1:1", "0.0.0.0:8000", "0.0.0.0:8001", "[::]:8000", "[::]:8001", "[::1]:65534",
                                         "[::1]:65535", "unix:/run/a-1", "unix:@b"};
    struct config *config = load_good(LISTENER "bind=*:8000-8001\nbind=[::1]:65534-65535\nbind=unix:/run/a-1\nbind=unix:@b\n" POOL);
    const struct config_listener *l = &config->listeners[0];
    char text[ADDR_TEXT_BYTES];
    (void)state;
    assert_int_equal(l->bind_count, sizeof(wanted) / sizeof(wanted[0]));
    for (size_t i = 0; i < l->bind_count; i++) {
        assert_string_equal(addr_format(&l->binds[i].addr, text, sizeof(text)), wanted[i]);
        assert_int_equal(l->binds[i].optional, i == 3 || i == 4);
    }
    assert_string_equal(l->binds[5].file, "test");
    assert_int_equal(l->binds[5].line, 5);
    config_free(config);
}

static void the_hash_table_grows_with_the_pool_unless_it_is_set(void **state)
{
    char *text = malloc(100000);
    size_t n = (size_t)sprintf(text, LISTENER "[pool p]\nbalance=consistent_hash\n");
    struct config *config;
    (void)state;
    for (int i = 0; i < 1000; i++)
        n += (size_t)sprintf(text + n, "backend=b%d 127.0.0.1:2\n", i);
    config = load_good(text);
    assert_int_equal(config->pools[0].settings.hash_table_size, 100003); /* the first prime that is at least 100 * 1000 */
    config_free(config);
    sprintf(text + n, "hash_table_size=1009\n");
    config = load_good(text);
    assert_int_equal(config->pools[0].settings.hash_table_size, 1009);
    config_free(config);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_taken_at_its_limits_and_refused_beyond),
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(pools_that_serve_only_udp_are_probed_by_udp),
        cmocka_unit_test(a_sections_own_value_wins_over_defaults_wherever_they_stand),
        cmocka_unit_test(every_kind_of_value_reaches_its_field),
        cmocka_unit_test(a_probe_in_doubt_is_never_slower_than_the_others),
        cmocka_unit_test(the_default_of_check_timeout_depends_on_the_check),
        cmocka_unit_test(escapes_and_variables_are_resolved_once),
        cmocka_unit_test(payloads_keep_their_escapes),
        cmocka_unit_test(payloads_are_copied_and_compared),
        cmocka_unit_test(binds_are_taken_apart),
        cmocka_unit_test(the_hash_table_grows_with_the_pool_unless_it_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
