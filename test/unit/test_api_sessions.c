/* test_api_sessions.c: sessions and flows are listed and closed, as the query says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "api_calls.h"
#include "table/survey.h"

/* What the links are to answer, and what they were asked. */
static struct {
    int result;
    uint64_t closed;
    char asked[400];
} world;

static void note_query(const struct survey_query *query)
{
    char client[ADDR_TEXT_BYTES] = "-";

    if (addr_family(&query->client) != AF_UNSPEC)
        addr_format(&query->client, client, sizeof(client));
    snprintf(world.asked, sizeof(world.asked), "%s|%s|%s|%s/%u|%llu ms|%u.%llu|%d|%u|%d%s", query->listener, query->pool, query->backend, client,
             query->client_bits, (unsigned long long)(query->older_ns / 1000000), query->worker, (unsigned long long)query->number, query->order, query->limit,
             query->tcp_info, query->flows ? " flows" : "");
}

static int give_survey(void *context, const struct survey_query *query, struct survey *found)
{
    struct survey_row *row = calloc(1, sizeof(*row));

    (void)context;
    note_query(query);
    *row = (struct survey_row){.worker = 2, .number = 1734, .listener = "web", .pool = "p", .backend = "b", .state = "RELAYING", .age_ns = 1500000000,
                               .connect_us = 210, .first_byte_us = SURVEY_UNKNOWN, .bytes = {10, 20}, .datagrams = {3, 4}, .tcp[1] = {true, 150, 1}};
    *found = (struct survey){.rows = row, .count = 1, .matched = 7, .late = 1};
    return world.result;
}

static int give_close(void *context, const struct survey_query *query, uint64_t *closed)
{
    (void)context;
    note_query(query);
    *closed = world.closed;
    return world.result;
}

static const struct admin_links links = {.survey = give_survey, .close = give_close};

static void sessions_are_asked_for(void **state)
{
    static const struct {
        const char *target, *asked; /* NULL: refused */
    } rows[] = {
        {"/v1/sessions", "|||-/0|0 ms|0.0|0|100|0"},
        {"/v1/sessions?pool=p&backend=b&listener=l&older=5m&sort=bytes&limit=3&tcp_info=1", "l|p|b|-/0|300000 ms|0.0|2|3|1"},
        {"/v1/sessions?client=10.1.2.3", "|||10.1.2.3:0/32|0 ms|0.0|0|100|0"},
        {"/v1/sessions?client=10.0.0.0/8", "|||10.0.0.0:0/8|0 ms|0.0|0|100|0"},
        {"/v1/sessions?client=10.1.2.3:99", "|||10.1.2.3:99/32|0 ms|0.0|0|100|0"},
        {"/v1/sessions?client=2001:db8::/32", "|||[2001:db8::]:0/32|0 ms|0.0|0|100|0"},
        {"/v1/sessions?client=[2001:db8::1]:99", "|||[2001:db8::1]:99/128|0 ms|0.0|0|100|0"},
        {"/v1/flows?sort=idle", "|||-/0|0 ms|0.0|1|100|0 flows"},
        {"/v1/sessions?client=10.0.0.0/33", NULL},
        {"/v1/sessions?client=10.0.0.0/", NULL},
        {"/v1/sessions?client=10.0.0.1:99/8", NULL},
        {"/v1/sessions?client=example", NULL},
        {"/v1/sessions?client=unix:/x", NULL},
        {"/v1/sessions?older=5", NULL},
        {"/v1/sessions?older=18446744073709551615ms", NULL},
        {"/v1/sessions?limit=0", NULL},
        {"/v1/sessions?limit=1001", NULL},
        {"/v1/sessions?limit=-1", NULL},
        {"/v1/sessions?sort=name", NULL},
        {"/v1/sessions?tcp_info=yes", NULL},
        {"/v1/sessions?pool=", NULL},
        {"/v1/sessions?pool=a%0ab", NULL},
        {"/v1/sessions?pool=p&pool=q", NULL},
        {"/v1/sessions?poool=p", NULL},
        {"/v1/flows?tcp_info=1", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *answer;

        world.asked[0] = '\0';
        answer = send_request(&links, "GET", rows[i].target, "");

        assert_string_equal(world.asked, rows[i].asked ? rows[i].asked : "");
        assert_answer(answer, rows[i].asked ? "200" : "400");
    }
}

static void sessions_and_flows_have_their_members(void **state)
{
    (void)state;
    assert_string_equal(send_request(&links, "GET", "/v1/sessions", ""),
                        "200 {\"matched\":7,\"late_workers\":1,\"sessions\":[{\"id\":\"2.1734\",\"client\":null,\"listener\":\"web\",\"pool\":\"p\",\"backend\":\"b\","
                        "\"address\":null,\"state\":\"RELAYING\",\"age_ms\":1500.0,\"idle_ms\":0.0,\"bytes_in\":10,\"bytes_out\":20,\"connect_ms\":0.21,"
                        "\"first_byte_ms\":null,\"spliced_in\":false,\"spliced_out\":false,\"client_tcp\":null,"
                        "\"backend_tcp\":{\"rtt_ms\":0.15,\"retransmits\":1}}]}");
    assert_string_equal(send_request(&links, "GET", "/v1/flows", ""),
                        "200 {\"matched\":7,\"late_workers\":1,\"flows\":[{\"id\":\"2.1734\",\"client\":null,\"listener\":\"web\",\"pool\":\"p\",\"backend\":\"b\","
                        "\"address\":null,\"state\":\"RELAYING\",\"age_ms\":1500.0,\"idle_ms\":0.0,\"bytes_in\":10,\"bytes_out\":20,"
                        "\"datagrams_in\":3,\"datagrams_out\":4}]}");
}

static void sessions_are_closed(void **state)
{
    (void)state;
    world.closed = 3;
    assert_string_equal(send_request(&links, "DELETE", "/v1/sessions?backend=b&older=1s", ""), "200 {\"closed\":3}");
    assert_string_equal(world.asked, "||b|-/0|1000 ms|0.0|0|0|0");
    assert_string_equal(send_request(&links, "DELETE", "/v1/sessions?older=0s", ""), "200 {\"closed\":3}");
    world.asked[0] = '\0';
    assert_answer(send_request(&links, "DELETE", "/v1/sessions", ""), "400");
    assert_answer(send_request(&links, "DELETE", "/v1/sessions?sort=age", ""), "400");
    assert_string_equal(world.asked, "");
    world.closed = 1;
    assert_string_equal(send_request(&links, "DELETE", "/v1/sessions/2.1734", ""), "200 {\"closed\":1}");
    assert_string_equal(world.asked, "|||-/0|0 ms|2.1734|0|0|0");
    world.closed = 0;
    assert_string_equal(send_request(&links, "DELETE", "/v1/sessions/2.1734", ""), "404 {\"error\":\"there is no session 2.1734\"}");
}

static void failures_of_workers_are_told(void **state)
{
    (void)state;
    world.result = -EBUSY;
    assert_answer(send_request(&links, "GET", "/v1/sessions", ""), "503 {\"error\":\"a worker is busy with other requests of this kind; try again\"}");
    world.result = -ETIMEDOUT;
    assert_answer(send_request(&links, "DELETE", "/v1/sessions?older=1s", ""),
                  "503 {\"error\":\"a worker did not answer in time, and closes its sessions later\"}");
    world.result = -ENOMEM;
    assert_answer(send_request(&links, "GET", "/v1/flows", ""), "503 {\"error\":\"Cannot allocate memory\"}");
    world.result = 0;
}

static void wrong_numbers_of_sessions_are_refused(void **state)
{
    static const char *const targets[] = {"1734", "2.", ".1", "2.0", "2.x", "x.1", "-1.1", "2.1.1", "99999999999.1", "2.18446744073709551616",
                                          "000000000000000000000000000000002.1"};
    char target[100];

    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        snprintf(target, sizeof(target), "/v1/sessions/%s", targets[i]);
        assert_answer(send_request(&links, "DELETE", target, ""), "400");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_asked_for),
        cmocka_unit_test(sessions_and_flows_have_their_members),
        cmocka_unit_test(sessions_are_closed),
        cmocka_unit_test(failures_of_workers_are_told),
        cmocka_unit_test(wrong_numbers_of_sessions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
