/* test/sim/surveys.c: puts queries about sessions and flows to the workers, and checks the answers. Test thread; owns the requests. */
#include "surveys.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "table/backend.h"
#include "table/listener.h"
#include "table/pool.h"
#include "table/table.h"
#include "worker/survey.h"
#include "worker/udp.h"
#include "worker/udp_flow.h"
#include "world.h"

enum { CHECK_NS = 500000, CHECKS_MAX = 40000 };

/* Random numbers of their own, so that the rest of a run does not depend on how many are drawn here. */
static uint32_t below(struct world *world, uint32_t bound)
{
    return random_below(&world->surveys.random, bound);
}

static bool chance(struct world *world, uint32_t per_mille)
{
    return below(world, 1000) < per_mille;
}

/* ---- the subjects, as the test sees them ---- */

static uint64_t since_ns(uint64_t then_ns, uint64_t now_ns)
{
    return now_ns > then_ns ? now_ns - then_ns : 0;
}

static bool session_matches(const struct survey_request *request, const struct session *session)
{
    struct survey_subject subject = {
        .worker = session->worker->index,
        .number = session->number,
        .lease = &session->lease,
        .client = &session->client,
        .age_ns = since_ns(session->accepted_ns, request->asked_ns),
    };

    return !request->query.flows && survey_matches(&request->query, &subject);
}

static bool flow_matches(const struct survey_request *request, const struct flow *flow)
{
    union io_endpoint endpoint;
    struct addr client = {0};
    struct survey_subject subject = {
        .worker = flow->worker->index,
        .number = flow->number,
        .lease = &flow->lease,
        .client = &client,
        .age_ns = since_ns(flow->opened_ns, request->asked_ns),
    };

    if (!udp_flow_is_shared(flow)) {
        udp_flow_client(flow, &endpoint);
        client = udp_flow_addr(&endpoint);
    }
    return request->query.flows && survey_matches(&request->query, &subject);
}

static struct session *find_session(const struct world *world, uint32_t worker, uint64_t number)
{
    struct list *sessions = &world->members[worker].worker->sessions;

    for (struct list *link = sessions->next; link != sessions; link = link->next) {
        struct session *session = container_of(link, struct session, link);

        if (session->number == number)
            return session;
    }
    return NULL;
}

static struct flow *find_flow(const struct world *world, uint32_t worker, uint64_t number)
{
    struct udp *udp = world->members[worker].life == LIFE_ENDED ? NULL : world->members[worker].worker->udp;

    for (struct list *link = udp ? udp->flows.next : NULL; udp && link != &udp->flows; link = link->next) {
        struct flow *flow = container_of(link, struct flow, link);

        if (flow->number == number && flow->state != FLOW_CLOSING)
            return flow;
    }
    return NULL;
}

/* ---- asking ---- */

static void note_subject(struct asked_survey *asked, const struct asked_subject *subject)
{
    if (asked->subject_count < SURVEY_SUBJECTS_MAX)
        asked->subjects[asked->subject_count++] = *subject;
}

static void note_subjects(const struct worker *worker, struct asked_survey *asked)
{
    for (struct list *link = worker->sessions.next; link != &worker->sessions; link = link->next) {
        const struct session *session = container_of(link, struct session, link);

        if (session->state != SESSION_CLOSING && session_matches(asked->request, session))
            note_subject(asked, &(struct asked_subject){.worker = worker->index, .number = session->number, .attempts = session->attempts});
    }
    for (struct list *link = worker->udp ? worker->udp->flows.next : NULL; worker->udp && link != &worker->udp->flows; link = link->next) {
        const struct flow *flow = container_of(link, struct flow, link);

        if (flow->state != FLOW_CLOSING && flow_matches(asked->request, flow))
            note_subject(asked, &(struct asked_subject){.worker = worker->index, .number = flow->number});
    }
}

/* Draws a query. A quick run closes no session, because all of them end normally. */
static enum survey_action draw_query(struct world *world, struct survey_query *query)
{
    const struct pool *pool = table_pool(world->table, below(world, (uint32_t)table_pool_count(world->table)));

    *query = (struct survey_query){
        .flows = world->udp.is_on && chance(world, 600),
        .order = (enum survey_order)below(world, SURVEY_BYTES + 1),
        .limit = chance(world, 500) ? SURVEY_ROWS_MAX : 1 + below(world, 8),
        .tcp_info = chance(world, 500),
    };
    if (chance(world, 200))
        (void)strcpy(query->pool, pool->name);
    if (chance(world, 300) && pool->backend_count > 0)
        (void)strcpy(query->backend, pool->backends[below(world, (uint32_t)pool->backend_count)]->name);
    if (chance(world, 200))
        query->older_ns = below(world, 200) * MS;
    if (chance(world, 200)) {
        query->worker = below(world, world->worker_count + 1);
        query->number = 1 + below(world, 20);
    }
    return !world->quick && chance(world, 400) ? SURVEY_CLOSE : SURVEY_LIST;
}

static void count_before(const struct world *world, struct asked_survey *asked)
{
    const struct surveys *surveys = &world->surveys;

    for (uint32_t i = 0; i < surveys->asked_count; i++) {
        const struct survey_request *earlier = surveys->asked[i].request;

        for (uint32_t w = 0; w < world->worker_count; w++)
            asked->before[w] += earlier->parts[w].asked && !earlier->parts[w].answered;
    }
}

/* A worker that was asked and has answered already had a full mailbox. */
static void check_full(struct world *world, struct asked_survey *asked)
{
    for (uint32_t w = 0; w < world->worker_count; w++) {
        const struct survey_part *part = &asked->request->parts[w];

        asked->was_full[w] = part->answered;
        if (part->answered && asked->before[w] + check_underway(world, w) < world->mailbox_capacity)
            world_fail(world, "worker %u has %u queries and %u clients in its mailbox, which is full", w, asked->before[w], check_underway(world, w));
    }
}

static void ask_now(struct world *world)
{
    struct surveys *surveys = &world->surveys;
    struct asked_survey *asked = &surveys->asked[surveys->asked_count];
    struct survey_query query;
    enum survey_action action = draw_query(world, &query);

    *asked = (struct asked_survey){.request = survey_request_new(&query, action, world->worker_count)};
    if (!asked->request)
        abort();
    asked->request->asked_ns = world->sim->now_ns;
    count_before(world, asked);
    surveys->asked_count++;
    for (uint32_t i = 0; i < world->worker_count; i++) {
        if (world->members[i].life != LIFE_ENDED)
            note_subjects(world->members[i].worker, asked);
    }
    survey_ask(asked->request, world->mailboxes);
    check_full(world, asked);
    sim_look_at_eventfds(world->sim);
}

/* ---- the answer ---- */

static bool is_complete(const struct survey_request *request)
{
    for (unsigned i = 0; i < request->workers; i++) {
        if (request->parts[i].asked && !request->parts[i].answered)
            return false;
    }
    return true;
}

static const struct survey_row *find_row(const struct survey *found, uint32_t worker, uint64_t number)
{
    for (size_t i = 0; i < found->count; i++) {
        if (found->rows[i].worker == worker && found->rows[i].number == number)
            return &found->rows[i];
    }
    return NULL;
}

/* Whether the subject exists and has matched all the time. */
static bool has_stayed(const struct world *world, const struct asked_survey *asked, const struct asked_subject *subject)
{
    const struct session *session;
    const struct flow *flow;

    if (asked->request->query.flows) {
        flow = find_flow(world, subject->worker, subject->number);
        return flow && flow_matches(asked->request, flow);
    }
    session = find_session(world, subject->worker, subject->number);
    return session && session->state != SESSION_CLOSING && session->attempts == subject->attempts && session_matches(asked->request, session);
}

/* No session or flow that matched from the question to the answer may be missing in a list, or be left open. */
static void check_subjects(struct world *world, const struct asked_survey *asked, const struct survey *found)
{
    const struct survey_request *request = asked->request;

    for (uint32_t i = 0; i < asked->subject_count; i++) {
        const struct asked_subject *subject = &asked->subjects[i];

        if (!request->parts[subject->worker].asked || request->parts[subject->worker].result < 0 || !has_stayed(world, asked, subject))
            continue;
        if (request->action == SURVEY_CLOSE)
            world_fail(world, "%u.%llu was to be closed, and is open", subject->worker, (unsigned long long)subject->number);
        if (found->matched == found->count && !find_row(found, subject->worker, subject->number))
            world_fail(world, "%u.%llu is missing in the list", subject->worker, (unsigned long long)subject->number);
    }
}

static void check_tcp(struct world *world, const struct survey_row *row, const struct session *session)
{
    for (enum side side = CLIENT; side <= BACKEND; side++) {
        const struct end *end = &session->ends[side];

        if (!row->tcp[side].known || !end->open || (side == BACKEND && session->attempts > 0))
            continue;
        if (row->tcp[side].retransmits != sim_conn_find(world->sim, end->sock.fd)->index)
            world_fail(world, "%u.%llu: the row has the retransmits of another connection", row->worker, (unsigned long long)row->number);
    }
}

static void check_session_row(struct world *world, const struct survey_request *request, const struct survey_row *row)
{
    const struct session *session = find_session(world, row->worker, row->number);

    if (!session) /* it has ended */
        return;
    if (!addr_equal(&row->client, &session->client) || strcmp(row->listener, session->lease.listener->name) != 0 ||
        row->age_ns != since_ns(session->accepted_ns, request->asked_ns) || row->idle_ns > row->age_ns ||
        row->bytes[CLIENT] > session->directions[CLIENT].bytes || row->bytes[BACKEND] > session->directions[BACKEND].bytes)
        world_fail(world, "%u.%llu: the row is not about this session", row->worker, (unsigned long long)row->number);
    if (row->backend[0] && session->lease.backend && session->attempts == 0 && strcmp(row->backend, session->lease.backend->name) != 0)
        world_fail(world, "%u.%llu: the row names another backend", row->worker, (unsigned long long)row->number);
    if (!request->query.tcp_info && (row->tcp[CLIENT].known || row->tcp[BACKEND].known))
        world_fail(world, "%u.%llu: the row has what was not asked for", row->worker, (unsigned long long)row->number);
    check_tcp(world, row, session);
}

static void check_flow_row(struct world *world, const struct survey_request *request, const struct survey_row *row)
{
    const struct flow *flow = find_flow(world, row->worker, row->number);

    if (!flow)
        return;
    if (strcmp(row->listener, flow->lease.listener->name) != 0 || strcmp(row->backend, flow->lease.backend->name) != 0 ||
        row->age_ns != since_ns(flow->opened_ns, request->asked_ns) || row->bytes[CLIENT] > flow->bytes[CLIENT] ||
        row->datagrams[BACKEND] > flow->datagrams[BACKEND])
        world_fail(world, "flow %u.%llu: the row is not about this flow", row->worker, (unsigned long long)row->number);
}

static uint64_t rank_of(const struct survey_query *query, const struct survey_row *row)
{
    return survey_rank(query->order, row->age_ns, row->idle_ns, row->bytes);
}

static void check_rows(struct world *world, const struct survey_request *request, const struct survey *found)
{
    const struct survey_query *query = &request->query;

    if (found->count != (found->matched < query->limit ? found->matched : query->limit))
        world_fail(world, "a list of %zu rows, of %llu that match", found->count, (unsigned long long)found->matched);
    for (size_t i = 0; i < found->count; i++) {
        const struct survey_row *row = &found->rows[i];

        if (i > 0 && rank_of(query, row) > rank_of(query, row - 1))
            world_fail(world, "row %zu of a list is in the wrong order", i);
        if (find_row(found, row->worker, row->number) != row)
            world_fail(world, "%u.%llu is in a list twice", row->worker, (unsigned long long)row->number);
        if (query->flows)
            check_flow_row(world, request, row);
        else
            check_session_row(world, request, row);
    }
}

static void check_refusals(struct world *world, const struct asked_survey *asked)
{
    for (uint32_t w = 0; w < world->worker_count; w++) {
        if (asked->request->parts[w].result < 0 && asked->before[w] < SURVEYS_MAX && !asked->was_full[w])
            world_fail(world, "worker %u has refused a query, and had %u others", w, asked->before[w]);
    }
}

static void check_answer(struct world *world, struct asked_survey *asked)
{
    struct survey found;
    int result = survey_request_collect(asked->request, &found);

    asked->is_checked = true;
    check_refusals(world, asked);
    check_subjects(world, asked, &found);
    if (result == 0 && asked->request->action == SURVEY_LIST)
        check_rows(world, asked->request, &found);
    survey_free(&found);
}

static void on_checking(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, surveys.checking);
    struct surveys *surveys = &world->surveys;
    bool is_open = false;

    if (++surveys->checks > CHECKS_MAX)
        world_fail(world, "a query is not answered");
    for (uint32_t i = 0; i < surveys->asked_count; i++) {
        struct asked_survey *asked = &surveys->asked[i];

        if (asked->is_checked)
            continue;
        if (is_complete(asked->request)) {
            check_answer(world, asked);
        } else {
            is_open = true;
        }
    }
    if (is_open)
        sim_arm(world->sim, event, CHECK_NS);
}

/* ---- the plan ---- */

static void on_asking(struct sim_event *event)
{
    struct world *world = container_of(event, struct world, surveys.asking);
    struct sim *sim = world->sim;
    struct surveys *surveys = &world->surveys;

    do {
        ask_now(world);
        surveys->left--;
    } while (surveys->left > 0 && chance(world, 400));
    if (surveys->left > 0)
        sim_arm(sim, event, below(world, chance(world, 500) ? 2000000 : 300000000));
    sim_arm(sim, &surveys->checking, CHECK_NS);
}

void surveys_schedule(struct world *world, uint64_t seed)
{
    struct sim *sim = world->sim;
    struct surveys *surveys = &world->surveys;

    surveys->random = seed;
    if (!chance(world, 400))
        return;
    surveys->left = 1 + below(world, SURVEYS_ASKED_MAX - 2);
    surveys->asking.run = on_asking;
    surveys->checking.run = on_checking;
    sim_arm(sim, &surveys->asking, below(world, 400000000));
}

/* Workers end within a few milliseconds. */
void surveys_drain(struct world *world)
{
    struct surveys *surveys = &world->surveys;

    if (surveys->asked_count == 0 || surveys->asked_count == SURVEYS_ASKED_MAX)
        return;
    surveys->left = 1 + below(world, SURVEYS_ASKED_MAX - surveys->asked_count);
    sim_arm(world->sim, &surveys->asking, below(world, 4000000));
}

/* ---- closing ---- */

static void note_killed(struct world *world, const struct session *session, const struct flow *flow)
{
    struct surveys *surveys = &world->surveys;
    uint32_t worker = (uint32_t)world->sim->turning;

    surveys->killed++;
    for (uint32_t i = 0; i < surveys->asked_count; i++) {
        const struct survey_request *request = surveys->asked[i].request;

        if (request->action == SURVEY_CLOSE && request->parts[worker].asked && !request->parts[worker].answered &&
            (session ? session_matches(request, session) : flow_matches(request, flow)))
            return;
    }
    world_fail(world, "a session or flow is closed by the administrator, who has not asked for that");
}

void surveys_check_killed(struct world *world, const struct session *session)
{
    note_killed(world, session, NULL);
}

void surveys_check_killed_flow(struct world *world, const struct flow *flow)
{
    note_killed(world, NULL, flow);
}

void surveys_end(struct world *world)
{
    struct surveys *surveys = &world->surveys;
    uint64_t closed = 0;

    for (uint32_t i = 0; i < surveys->asked_count; i++) {
        struct survey_request *request = surveys->asked[i].request;

        if (!is_complete(request))
            world_fail(world, "a query was never answered");
        for (uint32_t w = 0; w < world->worker_count; w++)
            closed += request->parts[w].closed;
        survey_request_drop(request);
    }
    if (closed != surveys->killed)
        world_fail(world, "%llu sessions and flows are reported as closed, and %llu were", (unsigned long long)closed, (unsigned long long)surveys->killed);
}
