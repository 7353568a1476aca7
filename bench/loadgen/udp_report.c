/* udp_report.c: the result of a UDP load as a table and as JSON. Main thread, after the run. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "udp_load.h"
#include "units.h"

bool udp_report_clean(const struct udp_settings *settings, const struct udp_result *result)
{
    if (result->duplicates > 0 || result->corrupt > 0 || result->wrong_flow > 0 || result->unexpected > 0 || result->fatal_errno != 0)
        return false;
    if (settings->expect_names && result->unnamed > 0)
        return false;
    if (result->received == 0 && settings->loss_allowed < 100)
        return false;
    return (double)(result->lost + result->unsent) * 100 <= settings->loss_allowed * (double)(result->sent + result->unsent);
}

static double answer_rate(const struct udp_result *result)
{
    return result->elapsed_ns > 0 ? (double)result->requests * 1e9 / (double)result->elapsed_ns : 0;
}

static void print_count(const char *name, uint64_t count, const char *note)
{
    if (count > 0)
        printf("%-12s %" PRIu64 "%s%s\n", name, count, *note != '\0' ? "  " : "", note);
}

static void print_wrongs(const struct udp_result *result)
{
    print_count("unsent", result->unsent, "could not be sent within the timeout");
    print_count("late", result->late, "answered after they counted as lost");
    print_count("duplicates", result->duplicates, "");
    print_count("reordered", result->reordered, "answered after a later datagram of their flow");
    print_count("corrupt", result->corrupt, "");
    print_count("wrong flow", result->wrong_flow, "answers to another flow");
    print_count("unexpected", result->unexpected, "answers to nothing that was sent");
    print_count("refused", result->refused, "the kernel reported that no server listens");
    print_count("others", result->others, result->other_errno != 0 ? strerror(result->other_errno) : "");
    if (result->first_wrong[0] != '\0')
        printf("%-12s %s\n", "first wrong", result->first_wrong);
    if (result->fatal_errno != 0)
        printf("%-12s cannot send: %s\n", "failed", strerror(result->fatal_errno));
}

static void print_servers(const struct udp_settings *settings, const struct udp_result *result)
{
    for (unsigned i = 0; i < result->name_count; i++) {
        const struct udp_name *name = &result->names[i];
        double part = result->requests > 0 ? 100.0 * (double)name->requests / (double)result->requests : 0;
        printf("%-12s %-23s %10" PRIu64 " datagrams %5.1f %%  %8" PRIu64 " flows\n", i == 0 ? "backends" : "", name->name, name->requests, part, name->flows);
    }
    if (result->unnamed > 0 && (settings->expect_names || result->name_count > 0))
        printf("%-12s %-23s %10" PRIu64 " datagrams\n", "", "(without a name)", result->unnamed);
    if (result->name_count > 0)
        printf("%-12s %" PRIu64 " of %" PRIu64 " flows changed their server, %" PRIu64 " times in all\n", "moves", result->moved_flows, settings->flows,
               result->moves);
}

void udp_report_table(const struct udp_settings *settings, const struct udp_result *result)
{
    char a[UNITS_TEXT_BYTES], b[UNITS_TEXT_BYTES];
    printf("udp to %s: %" PRIu64 " flows, %s loop%s\n", settings->target_text, settings->flows, settings->rate > 0 ? "open" : "closed",
           settings->offload ? ", offload" : "");
    printf("answered     %" PRIu64 " in %.2fs, %.1f/s", result->requests, (double)result->elapsed_ns / 1e9, answer_rate(result));
    printf(result->warmup_requests > 0 ? " (and %" PRIu64 " to warm up)\n" : "\n", result->warmup_requests);
    report_latency_lines(&result->latency);
    printf("datagrams    %" PRIu64 " sent, %" PRIu64 " received, %" PRIu64 " lost (%.4f %%)\n", result->sent, result->received, result->lost,
           result->sent > 0 ? 100.0 * (double)result->lost / (double)result->sent : 0);
    printf("bytes        %s sent, %s received\n", units_format_bytes((double)result->sent_bytes, a), units_format_bytes((double)result->received_bytes, b));
    print_wrongs(result);
    print_servers(settings, result);
    if (!udp_report_clean(settings, result))
        puts("NOT CLEAN");
}

static void print_json_counts(const struct udp_result *result)
{
    const struct {
        const char *key;
        uint64_t count;
    } counts[] = {{"sent", result->sent},
                  {"received", result->received},
                  {"lost", result->lost},
                  {"unsent", result->unsent},
                  {"late", result->late},
                  {"duplicates", result->duplicates},
                  {"reordered", result->reordered},
                  {"corrupt", result->corrupt},
                  {"wrong_flow", result->wrong_flow},
                  {"unexpected", result->unexpected},
                  {"refused", result->refused},
                  {"others", result->others}};
    printf("  \"datagrams\": {");
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
        printf("%s\"%s\": %" PRIu64, i > 0 ? ", " : "", counts[i].key, counts[i].count);
    puts("},");
}

void udp_report_json(const struct udp_settings *settings, const struct udp_result *result)
{
    int error = result->fatal_errno != 0 ? result->fatal_errno : result->other_errno;
    printf("{\n  \"work\": \"udp\",\n  \"target\": ");
    report_json_text(settings->target_text);
    printf(",\n  \"clean\": %s,\n", udp_report_clean(settings, result) ? "true" : "false");
    printf("  \"requests\": %" PRIu64 ",\n  \"warmup_requests\": %" PRIu64 ",\n", result->requests, result->warmup_requests);
    printf("  \"elapsed_s\": %.6f,\n  \"rate\": %.3f,\n", (double)result->elapsed_ns / 1e9, answer_rate(result));
    report_json_latency(&result->latency);
    print_json_counts(result);
    printf("  \"first_wrong\": ");
    report_json_text(result->first_wrong);
    printf(",\n  \"first_other\": ");
    report_json_text(error != 0 ? strerror(error) : "");
    printf(",\n  \"bytes\": {\"sent\": %" PRIu64 ", \"received\": %" PRIu64 "},\n", result->sent_bytes, result->received_bytes);
    printf("  \"flows\": {\"wanted\": %" PRIu64 ", \"moved\": %" PRIu64 ", \"moves\": %" PRIu64 "},\n", settings->flows, result->moved_flows, result->moves);
    printf("  \"unnamed\": %" PRIu64 ",\n  \"backends\": {", result->unnamed);
    for (unsigned i = 0; i < result->name_count; i++) {
        fputs(i > 0 ? ", " : "", stdout);
        report_json_text(result->names[i].name);
        printf(": {\"requests\": %" PRIu64 ", \"flows\": %" PRIu64 "}", result->names[i].requests, result->names[i].flows);
    }
    puts("}\n}");
}
