/* health/agent_effect.c: changes the state, the weight and the limit of a backend as its agent says. Health thread; owns nothing. */
#include "health/agent_effect.h"

#include <stdio.h>

#include "health/tell.h"

enum { WORDS_BYTES = AGENT_REASON_BYTES + 40, PERCENT_AS_CONFIGURED = 100 };

static enum backend_agent_state merge_state(const struct agent_effect *effect)
{
    if (effect->mode == AGENT_MODE_MAINTENANCE)
        return BACKEND_AGENT_MAINTENANCE;
    if (effect->service == AGENT_SERVICE_DOWN)
        return BACKEND_AGENT_DOWN;
    return effect->mode == AGENT_MODE_DRAIN ? BACKEND_AGENT_DRAIN : BACKEND_AGENT_READY;
}

static void log_words(struct backend *backend, const char *words, bool is_good)
{
    const struct pool *pool = backend->pool;
    char where[ADDR_TEXT_BYTES], reason[WORDS_BYTES + 8];

    (void)snprintf(reason, sizeof(reason), "agent %s", words);
    if (!is_good)
        backend_set_reason(backend, BACKEND_REASON_AGENT, reason);
    addr_format(&backend->addr, where, sizeof(where));
    tell_of_backend(is_good ? LOG_INFO : LOG_WARN, backend, "(%s): agent %s; %zu of %zu usable", where, words, pool->usable, pool->backend_count);
}

/* Notes the words that change something. Returns whether there are any, and writes them, such as "says ready, down: reason". */
static bool take_words(struct agent_effect *effect, const struct agent_report *report, char *words, size_t size)
{
    static const char *const modes[] = {[AGENT_MODE_READY] = "ready", [AGENT_MODE_DRAIN] = "drain", [AGENT_MODE_MAINTENANCE] = "maint"};
    enum agent_mode mode = effect->mode == AGENT_MODE_SAME ? AGENT_MODE_READY : effect->mode;
    enum agent_service service = effect->service == AGENT_SERVICE_SAME ? AGENT_SERVICE_UP : effect->service;
    bool new_mode = report->mode != AGENT_MODE_SAME && report->mode != mode;
    bool new_service = report->service != AGENT_SERVICE_SAME && report->service != service;
    bool has_reason = report->reason[0] != '\0';

    if (new_mode)
        effect->mode = report->mode;
    if (new_service)
        effect->service = report->service;
    snprintf(words, size, "says %s%s%s%s%s", new_mode ? modes[report->mode] : "", new_mode && new_service ? ", " : "",
             new_service ? report->service_word : "", has_reason ? ": " : "", report->reason);
    return new_mode || new_service;
}

static void apply_words(struct agent_effect *effect, struct publisher *publisher, struct backend *backend, const struct agent_report *report, uint64_t now_ns)
{
    char words[WORDS_BYTES];

    if (!take_words(effect, report, words, sizeof(words)))
        return;
    publisher_set(publisher, backend, BACKEND_AGENT, merge_state(effect), now_ns);
    log_words(backend, words, merge_state(effect) == BACKEND_AGENT_READY);
}

static void apply_weight(struct publisher *publisher, struct backend *backend, const struct agent_report *report, uint64_t now_ns)
{
    struct capacity_weight weight = {.unit = CAPACITY_AS_CONFIGURED};
    bool is_percent = report->weight_unit == AGENT_UNIT_PERCENT;
    char words[WORDS_BYTES];

    if (!is_percent || report->weight != PERCENT_AS_CONFIGURED)
        weight = (struct capacity_weight){.unit = is_percent ? CAPACITY_PERCENT : CAPACITY_ABSOLUTE, .value = report->weight};
    if (weight.unit == backend->agent_weight.unit && weight.value == backend->agent_weight.value)
        return;
    publisher_set_weight(publisher, backend, weight, now_ns);
    snprintf(words, sizeof(words), "sets weight %u%s", report->weight, is_percent ? "%" : "");
    log_words(backend, words, report->weight > 0);
}

static void apply_limit(struct backend *backend, const struct agent_report *report)
{
    char words[WORDS_BYTES];

    if (report->max_connections == backend->agent_limit)
        return;
    table_set_agent_limit(backend, report->max_connections);
    snprintf(words, sizeof(words), "sets max_connections %u", report->max_connections);
    log_words(backend, report->max_connections > 0 ? words : "sets max_connections as configured", true);
}

void agent_effect_apply(struct agent_effect *effect, struct publisher *publisher, struct backend *backend, const struct agent_report *report, uint64_t now_ns)
{
    apply_words(effect, publisher, backend, report, now_ns);
    if (report->weight_unit != AGENT_UNIT_SAME)
        apply_weight(publisher, backend, report, now_ns);
    if (report->has_limit)
        apply_limit(backend, report);
}

void agent_effect_end(struct agent_effect *effect, struct publisher *publisher, struct backend *backend, uint64_t now_ns)
{
    *effect = (struct agent_effect){.mode = AGENT_MODE_SAME};
    publisher_set(publisher, backend, BACKEND_AGENT, BACKEND_AGENT_READY, now_ns);
    publisher_set_weight(publisher, backend, (struct capacity_weight){.unit = CAPACITY_AS_CONFIGURED}, now_ns);
    table_set_agent_limit(backend, 0);
}
