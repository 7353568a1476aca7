/* admin/api_survey.c: sessions and flows as JSON. Pure functions. */
#include "admin/api_survey.h"

#include <inttypes.h>
#include <stdio.h>

#include "admin/api_json.h"
#include "table/survey.h"

static json_t *time_json(uint64_t us)
{
    return us == SURVEY_UNKNOWN ? json_null() : api_json_ms(us);
}

static json_t *tcp_json(const struct survey_tcp *tcp)
{
    if (!tcp->known)
        return json_null();
    return json_pack("{s:o, s:I}", "rtt_ms", api_json_ms(tcp->rtt_us), "retransmits", (json_int_t)tcp->retransmits);
}

/* What sessions and flows have in common. */
static json_t *common_json(const struct survey_row *row)
{
    char id[48];

    (void)snprintf(id, sizeof(id), "%u.%" PRIu64, row->worker, row->number);
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "id", id, "client", api_json_addr(&row->client), "listener", row->listener,
                     "pool", row->pool, "backend", api_json_text_or_null(row->backend), "address", api_json_addr(&row->backend_addr), "state", row->state,
                     "age_ms", api_json_ms(row->age_ns / 1000), "idle_ms", api_json_ms(row->idle_ns / 1000),
                     "bytes_in", api_json_count(row->bytes[0]), "bytes_out", api_json_count(row->bytes[1]));
}

static json_t *row_json(const struct survey_row *row, bool flows)
{
    json_t *common = common_json(row), *own;

    if (flows)
        own = json_pack("{s:o, s:o}", "datagrams_in", api_json_count(row->datagrams[0]), "datagrams_out", api_json_count(row->datagrams[1]));
    else
        own = json_pack("{s:o, s:o, s:b, s:b, s:o, s:o}", "connect_ms", time_json(row->connect_us), "first_byte_ms", time_json(row->first_byte_us),
                        "spliced_in", row->spliced[0], "spliced_out", row->spliced[1], "client_tcp", tcp_json(&row->tcp[0]),
                        "backend_tcp", tcp_json(&row->tcp[1]));
    return api_json_merge(common, own);
}

json_t *api_survey_rows(const struct survey *survey, bool flows)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < survey->count; i++)
        rows = api_json_append(rows, row_json(&survey->rows[i], flows));
    return json_pack("{s:o, s:I, s:o}", "matched", api_json_count(survey->matched), "late_workers", (json_int_t)survey->late,
                     flows ? "flows" : "sessions", rows);
}
