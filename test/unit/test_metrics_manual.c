/* test_metrics_manual: etc/man/penstock-metrics.7 describes every metric of the table, in its order and with its words, and no other one. Run it from the top
 * of the source tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "admin/metrics_table.h"

#define MANUAL "etc/man/penstock-metrics.7"

static char manual[65536];

static int read_manual(void **state)
{
    FILE *file = fopen(MANUAL, "r");
    (void)state;

    if (!file)
        return -1;
    size_t length = fread(manual, 1, sizeof(manual) - 1, file);
    fclose(file);
    return length > 0 && length < sizeof(manual) - 1 ? 0 : -1;
}

/* Appends what the manual says about a metric: its head, and a text whose lines are joined. */
static void describe(const struct metric *metric, char *text, size_t text_bytes)
{
    size_t length = (size_t)snprintf(text, text_bytes, ".It Ic %s\n.Pq Cm %s%s%s\n%s", metric->name, metric_type_word(metric->type),
                                     metric->label ? " ; label Ic " : "", metric->label ? metric->label : "", metric->help);

    for (unsigned i = 0; metric->word && metric->word_count > 2 && i < metric->word_count; i++)
        length += (size_t)snprintf(text + length, text_bytes - length, "%s%s%s", i == 0 ? " Values: " : "", metric->word(i),
                                   i + 1 < metric->word_count ? ", " : ".");
    assert_true(length < text_bytes);
}

/* Copies the item of the manual that starts at `at`, in the form of describe(). Returns its end. */
static const char *copy_item(const char *at, char *text, size_t text_bytes)
{
    size_t length = 0, lines = 0;

    while (*at != '\0' && (lines < 2 || *at != '.')) {
        const char *end = strchrnul(at, '\n');
        assert_true(length + (size_t)(end - at) + 2 < text_bytes);
        memcpy(text + length, at, (size_t)(end - at));
        length += (size_t)(end - at);
        text[length++] = lines++ < 2 ? '\n' : ' ';
        at = *end == '\n' ? end + 1 : end;
    }
    text[length - 1] = '\0';
    return at;
}

static void the_manual_describes_every_metric(void **state)
{
    const char *at = strstr(manual, "\n.Sh METRICS\n");
    (void)state;

    assert_non_null(at);
    for (size_t i = 0; i < metrics_table_count; i++) {
        char due[2000], found[2000];
        at = strstr(at, "\n.It Ic ");
        if (!at)
            fail_msg("%s has no item for %s", MANUAL, metrics_table[i].name);
        at = copy_item(at + 1, found, sizeof(found)) - 1;
        describe(&metrics_table[i], due, sizeof(due));
        if (strcmp(found, due) != 0)
            fail_msg("%s says:\n%s\ninstead of:\n%s", MANUAL, found, due);
    }
    assert_null(strstr(at, "\n.It Ic "));
}

/* Number of series that a subject of these protocols has if it has everything. */
static unsigned most_series(enum metrics_level level, unsigned protocols)
{
    unsigned count = 0;

    for (size_t i = 0; i < metrics_table_count; i++) {
        const struct metric *metric = &metrics_table[i];
        if (metric->level != level || !(metric->protocol & protocols))
            continue;
        if (metric->kind == METRIC_BUCKETS)
            count += level == METRICS_BACKEND ? 2 : STATS_BUCKETS + 2;
        else
            count += metric->word ? metric->word_count : 1;
    }
    return count;
}

static void require_item(enum metrics_level level, const char *text)
{
    char item[200];
    snprintf(item, sizeof(item), "\n.It Ic %s\n%s\n", metrics_level_word(level), text);
    if (!strstr(manual, item))
        fail_msg("%s has no item%s", MANUAL, item);
}

static void the_manual_counts_the_series(void **state)
{
    char text[100];
    (void)state;

    for (enum metrics_level level = 0; level < METRICS_LEVELS; level++) {
        unsigned tcp = most_series(level, METRIC_TCP), udp = most_series(level, METRIC_UDP), both = most_series(level, METRIC_ANY);
        if (level < METRICS_LISTENER)
            snprintf(text, sizeof(text), "%u", both);
        else
            snprintf(text, sizeof(text), "%u (TCP), %u (UDP), %u (both)", tcp, udp, both);
        require_item(level, text);
    }
    snprintf(text, sizeof(text), "\nadds %u series for each backend.\n", 3 * STATS_BUCKETS);
    assert_non_null(strstr(manual, text));
}

static void the_manual_numbers_the_states(void **state)
{
    (void)state;
    for (enum report_state number = 0; number < REPORT_STATES; number++) {
        char item[100];
        snprintf(item, sizeof(item), "\n.It %d\n%s", (int)number + 1, report_state_word(number));
        assert_non_null(strstr(manual, item));
        for (size_t i = 0; i < metrics_table_count; i++)
            if (strcmp(metrics_table[i].name, "penstock_backend_state") == 0) {
                snprintf(item, sizeof(item), "%d %s", (int)number + 1, report_state_word(number));
                assert_non_null(strstr(metrics_table[i].help, item));
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manual_describes_every_metric),
        cmocka_unit_test(the_manual_counts_the_series),
        cmocka_unit_test(the_manual_numbers_the_states),
    };
    return cmocka_run_group_tests(tests, read_manual, NULL);
}
