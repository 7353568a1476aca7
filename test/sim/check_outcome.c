/* test/sim/check_outcome.c: checks what workers note at a backend about their sessions: each note when it is made, and how many there are in all. The linker
 * replaces the two functions that make notes by those below (--wrap in the Makefile). Test thread; owns nothing. */
#include "table/backend.h"
#include "world.h"

bool check_note_failure(struct backend *backend, enum backend_failure what, int error) __asm__("__wrap_backend_note_failure");
void check_note_success(struct backend *backend) __asm__("__wrap_backend_note_success");
bool real_note_failure(struct backend *backend, enum backend_failure what, int error) __asm__("__real_backend_note_failure");
void real_note_success(struct backend *backend) __asm__("__real_backend_note_success");

static struct world *current; /* the run in progress, because a note names only the backend */

void check_outcome_begin(struct world *world)
{
    current = world;
}

/* Whether no byte has come from the backend on any session for first_byte_timeout. */
static bool is_silent(const struct session *session)
{
    return backend_heard_ns(session->lease.backend) + session_settings(session)->first_byte_timeout_ms * UINT64_C(1000000) <= session->worker->io->now_ns;
}

static bool justifies_failure(const struct pair *pair, const struct session *session, enum backend_failure what)
{
    const struct peer *backend = &pair->backend;

    if (what == BACKEND_CONNECT_FAILED)
        return session->state == SESSION_CONNECTING || session->state == SESSION_RECONNECTING;
    if (session->state < SESSION_RELAYING || session->state > SESSION_ABORTING || session->directions[BACKEND].bytes > 0)
        return false;
    if (what == BACKEND_SILENT)
        return session->directions[CLIENT].bytes > 0 && is_silent(session);
    return what == BACKEND_RESET ? backend->conn->failed : backend->fin_sent && backend->sent == 0;
}

static bool justifies_success(const struct pair *pair, const struct session *session)
{
    if (session->state != SESSION_RELAYING && session->state != SESSION_ABORTING)
        return false;
    return pair->backend.sent > 0 || (pair->backend.fin_sent && pair->client.fin_sent && pair->client.sent > 0);
}

/* Whether the worker that has its turn has a session with the backend that justifies the note. */
static bool is_justified(const struct backend *backend, bool is_failure, enum backend_failure what)
{
    struct list *sessions = &current->members[current->sim->turning].worker->sessions;

    for (struct list *link = sessions->next; link != sessions; link = link->next) {
        struct session *session = container_of(link, struct session, link);

        if (session->lease.backend != backend || !session->ends[CLIENT].open)
            continue;
        if (is_failure ? justifies_failure(pair_of(current, session), session, what) : justifies_success(pair_of(current, session), session))
            return true;
    }
    return false;
}

bool check_note_failure(struct backend *backend, enum backend_failure what, int error)
{
    if (!is_justified(backend, true, what))
        world_fail(current, "a failure of kind %d with errno %d is noted at backend %s, and no session has failed like that", (int)what, error, backend->name);
    current->outcomes.failures++;
    return real_note_failure(backend, what, error);
}

void check_note_success(struct backend *backend)
{
    if (!is_justified(backend, false, BACKEND_RESET))
        world_fail(current, "a success is noted at backend %s, and no session with it went well", backend->name);
    current->outcomes.successes++;
    real_note_success(backend);
}

bool check_own_fault(struct world *world, const struct session *session)
{
    return session->last_error != 99 /* EADDRNOTAVAIL: see draw_answer() */ || world_lacks_address(world, &session->lease.backend->addr);
}

void check_outcome_attempt(struct world *world, const struct session *session)
{
    bool is_busy = session->last_error == 110 /* ETIMEDOUT */ && session->end != END_BACKEND_GONE && session->end != END_NO_ANSWER &&
                   (session->end == END_FIRST_BYTE_TIMEOUT ? !is_silent(session) : backend_heard_ns(session->lease.backend) > session->active_ns);
    bool is_evicted = session->last_error == 103 /* ECONNABORTED */;

    world->outcomes.failures_due += check_own_fault(world, session) && !is_busy && !is_evicted;
}

/* If the backend had sent FIN and nothing else, the note depends on whether the client's FIN had been received before. */
void check_outcome_closing(struct world *world, const struct session *session, const struct pair *pair)
{
    const struct direction *backend = &session->directions[BACKEND];

    if (!session->connected_ns) {
        if (pair->has_backend && (session->end == END_CONNECT_REFUSED || session->end == END_CONNECT_TIMEOUT)) /* the last attempt has just failed */
            check_outcome_attempt(world, session);
        return;
    }
    if (backend->bytes > 0) {
        world->outcomes.successes_due++;
    } else if (session->end == END_BACKEND_GONE && backend->phase != DIRECTION_ENDED) {
        world->outcomes.failures_due++;
    } else {
        world->outcomes.failures_due += session->end == END_FIRST_BYTE_TIMEOUT && is_silent(session);
        world->outcomes.open += pair->backend.fin_sent;
    }
}

void check_outcome_end(struct world *world)
{
    const struct outcomes *outcomes = &world->outcomes;
    uint64_t failures_due = outcomes->failures_due + world->sim->no_family;

    if (outcomes->failures < failures_due || outcomes->successes < outcomes->successes_due ||
        outcomes->failures - failures_due + outcomes->successes - outcomes->successes_due > outcomes->open)
        world_fail(world, "%llu failures and %llu successes were noted; there were %llu and %llu, and %llu that may be either or neither",
                   (unsigned long long)outcomes->failures, (unsigned long long)outcomes->successes, (unsigned long long)failures_due,
                   (unsigned long long)outcomes->successes_due, (unsigned long long)outcomes->open);
}
