/* udp_load.c: `penstock-bench load udp`: options, the run, the report. Main thread. */
#include "udp_load.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "options.h"
#include "units.h"

/* "N" or "MIN-MAX" */
static const char *parse_size(void *settings, const char *text)
{
    struct udp_settings *udp = settings;
    char min[24];
    size_t length = strcspn(text, "-");
    if (length >= sizeof(min))
        return "a size, or the smallest and the largest size such as 100-1400";
    memcpy(min, text, length);
    min[length] = '\0';
    const char *wrong = units_parse_bytes(min, &udp->size_min);
    udp->size_max = udp->size_min;
    if (!wrong && text[length] == '-')
        wrong = units_parse_bytes(text + length + 1, &udp->size_max);
    if (wrong)
        return wrong;
    bool fits = udp->size_min >= UDP_DATAGRAM_MIN && udp->size_min <= udp->size_max && udp->size_max <= UDP_DATAGRAM_MAX;
    return fits ? NULL : "at least 16, at most 65507, the smaller size first";
}

static const char *parse_percent(void *settings, const char *text)
{
    char *end;
    double percent = strtod(text, &end);
    if (end == text || strspn(text, "0123456789.") != (size_t)(end - text) || strcmp(end, "%") != 0 || percent > 100)
        return "a percentage such as 0.5%";
    ((struct udp_settings *)settings)->loss_allowed = percent;
    return NULL;
}

#define FIELD(name) offsetof(struct udp_settings, name)

static const struct option_row rows[] = {
    {"--flows", OPTION_COUNT, FIELD(flows), 1, 1000000, .value = "N", .help = "sockets, each with a source port of its own (default 1)"},
    {"--window", OPTION_COUNT, FIELD(window), 1, 65536, .value = "N",
     .help = "datagrams in flight in each flow; with --rate: those that a flow sends at once (default 1)"},
    {"--size", OPTION_CUSTOM, .parse = parse_size, .value = "BYTES", .help = "size of a datagram, or MIN-MAX for random sizes (default 128, at least 16)"},
    {"--rate", OPTION_COUNT, FIELD(rate), 1, 10000000, .value = "R", .help = "open loop: R datagrams a second over all flows, regardless of the replies"},
    {"--offload", OPTION_FLAG, FIELD(offload), .value = "", .help = "send and receive trains of datagrams as one message (UDP_SEGMENT, UDP_GRO)"},
    {"--duration", OPTION_DURATION, FIELD(duration_ns), 1, UINT64_C(1) << 60, .value = "TIME",
     .help = "no datagram is sent later (default 10s, unless --requests is given)"},
    {"--requests", OPTION_COUNT, FIELD(requests), 1, UINT32_MAX, .value = "N", .help = "end after N datagrams"},
    {"--warmup", OPTION_DURATION, FIELD(warmup_ns), 0, UINT64_C(1) << 60, .value = "TIME", .help = "time before measuring begins (default 0)"},
    {"--timeout", OPTION_DURATION, FIELD(timeout_ns), 1, 60 * NS_PER_S, .value = "TIME",
     .help = "a datagram without an answer for this time is lost (default 1s)"},
    {"--allow-loss", OPTION_CUSTOM, .parse = parse_percent, .value = "PERCENT%", .help = "the run is clean if no more is lost (default 0%)"},
    {"--expect-names", OPTION_FLAG, FIELD(expect_names), .value = "", .help = "a reply without the name of a backend is a failure"},
    {"--seed", OPTION_COUNT, FIELD(seed), 0, UINT64_MAX, .value = "N", .help = "seed of random sizes (default 1)"},
    {"--progress", OPTION_FLAG, FIELD(progress), .value = "", .help = "progress line on standard error even if it is not a terminal"},
    {"--json", OPTION_FLAG, FIELD(json), .value = "", .help = "print one JSON object instead of the table"},
    {0},
};

static void read_settings(struct udp_settings *settings, char **argv)
{
    options_parse(rows, settings, argv, &settings->target_text, "usage: penstock-bench load udp TARGET [options]");
    if (!settings->target_text)
        options_refuse("load udp: which target? IP:PORT or [IPV6]:PORT");
    const char *wrong = addr_parse(&settings->target, settings->target_text);
    if (!wrong && addr_family(&settings->target) == AF_UNIX)
        wrong = "IP:PORT or [IPV6]:PORT";
    if (wrong)
        options_refuse("target '%s': %s", settings->target_text, wrong);
    if (settings->offload && settings->size_min != settings->size_max)
        options_refuse("--offload needs datagrams of one size");
    if (settings->rate > 0 && settings->window > UDP_BATCH_MAX)
        options_refuse("--window %" PRIu64 ": with --rate at most %d", settings->window, UDP_BATCH_MAX);
    if (settings->duration_ns == 0 && settings->requests == 0)
        settings->duration_ns = 10 * NS_PER_S;
    settings->progress = settings->progress || isatty(STDERR_FILENO);
}

/* Signals are read from a descriptor, in the event loop. */
static int open_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int udp_load_main(char **argv)
{
    struct udp_settings settings = {.flows = 1, .window = 1, .size_min = 128, .size_max = 128, .timeout_ns = NS_PER_S, .seed = 1};
    read_settings(&settings, argv);
    prctl(PR_SET_TIMERSLACK, 1000); /* 1 us, for the schedule of an open loop; the default timer slack is 50 us */
    struct udp_load *load = calloc(1, sizeof(*load));
    struct udp_result *result = calloc(1, sizeof(*result));
    int error = load && result ? 0 : -ENOMEM;
    if (error == 0) {
        histogram_init(&result->latency);
        load->settings = &settings;
        load->result = result;
        load->run = (uint32_t)protocol_mix(clock_now_ns(), (uint64_t)getpid());
        load->signal_fd = open_signals();
        error = load->signal_fd < 0 ? load->signal_fd : udp_load_loop(load);
    }
    bool clean = false;
    if (error < 0) {
        fprintf(stderr, "penstock-bench: cannot start the load: %s\n", strerror(-error));
    } else {
        clean = udp_report_clean(&settings, result);
        if (settings.json)
            udp_report_json(&settings, result);
        else
            udp_report_table(&settings, result);
    }
    free(load);
    free(result);
    return clean ? 0 : 1;
}
