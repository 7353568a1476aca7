/* worker/survey.c: visits the sessions and flows that an administrator asks about or wants closed. Worker thread; owns the requests that are not answered
 * yet. */
#include "worker/survey.h"

#include <errno.h>

#include "worker/context.h"
#include "worker/session.h"
#include "worker/udp.h"
#include "worker/udp_flow.h"

/* Each millisecond, 512 sessions are visited, or 32 of them are also asked for their TCP_INFO, or 16 are closed. */
enum {
    SLICE_MS = 1,
    SLICE_COST = 512,
    COST_VISIT = 1,
    COST_TCP_INFO = 16, /* two system calls */
    COST_CLOSE = 32,
};

static uint64_t since_ns(const struct survey_run *run, uint64_t then_ns)
{
    return run->request->asked_ns > then_ns ? run->request->asked_ns - then_ns : 0;
}

static struct survey_run *run_of(struct walk *walk)
{
    return container_of(walk, struct survey_run, walk);
}

/* ---- sessions ---- */

static struct survey_tcp read_tcp(struct session *session, enum side side)
{
    struct io_tcp_info info;

    if (!session_tcp_info(session, side, &info))
        return (struct survey_tcp){0};
    return (struct survey_tcp){.known = true, .rtt_us = info.rtt_us, .retransmits = info.retransmits};
}

static void complete_row(struct survey_row *row, struct session *session, bool tcp_info)
{
    row->state = session_state_name(session->state);
    row->connect_us = session->connected_ns ? (session->connected_ns - session->accepted_ns) / 1000 : SURVEY_UNKNOWN;
    row->first_byte_us = session->first_byte_ns ? (session->first_byte_ns - session->connected_ns) / 1000 : SURVEY_UNKNOWN;
    for (enum side side = CLIENT; side <= BACKEND; side++) {
        row->spliced[side] = session->directions[side].phase == DIRECTION_SPLICE;
        if (tcp_info)
            row->tcp[side] = read_tcp(session, side);
    }
}

static uint32_t close_session(struct survey_run *run, struct session *session)
{
    if (session->state == SESSION_CLOSING)
        return COST_VISIT;
    session_give_up(session, END_KILLED);
    survey_request_note_closed(run->request, run->walk.worker->index);
    return COST_CLOSE;
}

static uint32_t list_session(struct survey_run *run, struct session *session, const struct survey_subject *subject)
{
    struct survey_row *row = survey_request_offer(run->request, subject);
    bool tcp_info = run->request->query.tcp_info;

    if (!row)
        return COST_VISIT;
    complete_row(row, session, tcp_info);
    return tcp_info ? COST_TCP_INFO : COST_VISIT;
}

static uint32_t visit_session(struct walk *walk, struct list *link)
{
    struct survey_run *run = run_of(walk);
    struct session *session = container_of(link, struct session, link);
    struct survey_subject subject = {
        .worker = run->walk.worker->index,
        .number = session->number,
        .lease = &session->lease,
        .client = &session->client,
        .age_ns = since_ns(run, session->accepted_ns),
        .idle_ns = since_ns(run, session->active_ns),
        .bytes = {session->directions[CLIENT].bytes, session->directions[BACKEND].bytes},
    };

    if (!survey_matches(&run->request->query, &subject))
        return COST_VISIT;
    return run->request->action == SURVEY_CLOSE ? close_session(run, session) : list_session(run, session, &subject);
}

/* ---- flows ---- */

static struct addr client_of(const struct flow *flow)
{
    union io_endpoint client;

    if (udp_flow_is_shared(flow))
        return (struct addr){0};
    udp_flow_client(flow, &client);
    return udp_flow_addr(&client);
}

static uint32_t close_flow(struct survey_run *run, struct flow *flow)
{
    udp_flow_end(flow, FLOW_KILLED);
    survey_request_note_closed(run->request, run->walk.worker->index);
    return COST_CLOSE;
}

static uint32_t list_flow(struct survey_run *run, const struct flow *flow, const struct survey_subject *subject)
{
    struct survey_row *row = survey_request_offer(run->request, subject);

    if (!row)
        return COST_VISIT;
    row->state = udp_flow_state_name(flow);
    row->connect_us = row->first_byte_us = SURVEY_UNKNOWN;
    row->datagrams[CLIENT] = flow->datagrams[CLIENT];
    row->datagrams[BACKEND] = flow->datagrams[BACKEND];
    return COST_VISIT;
}

/* A flow that is CLOSING holds no lease any more. */
static uint32_t visit_flow(struct walk *walk, struct list *link)
{
    struct survey_run *run = run_of(walk);
    struct flow *flow = container_of(link, struct flow, link);
    struct addr client = client_of(flow);
    struct survey_subject subject = {
        .worker = run->walk.worker->index,
        .number = flow->number,
        .lease = &flow->lease,
        .client = &client,
        .age_ns = since_ns(run, flow->opened_ns),
        .idle_ns = since_ns(run, flow->active_ms * 1000000),
        .bytes = {flow->bytes[CLIENT], flow->bytes[BACKEND]},
    };

    if (flow->state == FLOW_CLOSING || !survey_matches(&run->request->query, &subject))
        return COST_VISIT;
    return run->request->action == SURVEY_CLOSE ? close_flow(run, flow) : list_flow(run, flow, &subject);
}

/* ---- requests ---- */

static void answer_run(struct survey_run *run)
{
    struct survey_request *request = run->request;

    run->request = NULL;
    survey_request_answer(request, run->walk.worker->index, 0);
}

static void on_done(struct walk *walk)
{
    answer_run(run_of(walk));
}

static const struct walk_kind session_walk = {
    .slice_ms = SLICE_MS, .visited_max = SLICE_COST, .cost_max = SLICE_COST, .visit = visit_session, .done = on_done};
static const struct walk_kind flow_walk = {
    .slice_ms = SLICE_MS, .visited_max = SLICE_COST, .cost_max = SLICE_COST, .visit = visit_flow, .done = on_done};

static struct survey_run *find_free_run(struct worker *worker)
{
    for (int i = 0; i < SURVEYS_MAX; i++) {
        if (!worker->surveys[i].request)
            return &worker->surveys[i];
    }
    return NULL;
}

void survey_begin(struct worker *worker, struct survey_request *request)
{
    struct survey_run *run = find_free_run(worker);
    struct udp *udp = worker->udp;

    if (!run || (request->query.flows && !udp)) {
        survey_request_answer(request, worker->index, run ? 0 : -EBUSY);
        return;
    }
    run->request = request;
    walk_init(&run->walk, worker, request->query.flows ? &flow_walk : &session_walk);
    if (request->query.flows)
        walk_begin(&run->walk, &udp->flows, udp->flows_slab.used);
    else
        walk_begin(&run->walk, &worker->sessions, worker->sessions_slab.used);
}

void survey_end_all(struct worker *worker)
{
    for (int i = 0; i < SURVEYS_MAX; i++) {
        struct survey_run *run = &worker->surveys[i];

        if (!run->request)
            continue;
        walk_stop(&run->walk);
        answer_run(run);
    }
}
