/* serve.c: `penstock-bench serve`: options, listeners, threads, and the end by a signal. Main thread; owns listeners and
 * threads. */
#include "serve.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"
#include "options.h"
#include "units.h"

static const char *parse_bind(void *settings, const char *text)
{
    struct serve_settings *serve = settings;
    if (serve->bind_count == SERVE_BINDS_MAX)
        return "at most 64 addresses";
    if (addr_parse(&serve->binds[serve->bind_count], text))
        return "IP:PORT, [IPV6]:PORT or unix:/PATH";
    serve->bind_count++;
    return NULL;
}

static const char *parse_mode(void *settings, const char *text)
{
    static const struct serve_mode *const modes[] = {&serve_mode_echo, &serve_mode_sink, &serve_mode_source,
                                                     &serve_mode_rpc};
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        if (strcmp(modes[i]->name, text) == 0) {
            ((struct serve_settings *)settings)->mode = modes[i];
            return NULL;
        }
    }
    return "echo, sink, source or rpc";
}

static const char *parse_fault(void *settings, const char *text)
{
    static const char *const names[] = {[FAULT_CORRUPT] = "corrupt",
                                        [FAULT_TRUNCATE] = "truncate",
                                        [FAULT_RESET] = "reset",
                                        [FAULT_STALL] = "stall",
                                        [FAULT_SLOW_READ] = "slow-read"};
    static const char expected[] = "corrupt:N, truncate:N, reset:N, stall:N or slow-read:BYTES/s";
    struct serve_settings *serve = settings;
    char value[32];
    size_t length = strcspn(text, ":");
    if (text[length] == '\0' || strlen(text + length + 1) >= sizeof(value))
        return expected;
    strcpy(value, text + length + 1);
    for (int i = FAULT_CORRUPT; i <= FAULT_SLOW_READ; i++)
        if (strlen(names[i]) == length && strncmp(names[i], text, length) == 0)
            serve->fault = i;
    char *per_second = strstr(value, "/s");
    if (serve->fault == FAULT_SLOW_READ && per_second && per_second[2] == '\0')
        *per_second = '\0';
    if (serve->fault == FAULT_NONE || units_parse_bytes(value, &serve->fault_every) || serve->fault_every == 0)
        return expected;
    return NULL;
}

#define FIELD(name) offsetof(struct serve_settings, name)

static const struct option_row rows[] = {
    {"--bind", OPTION_CUSTOM, .parse = parse_bind, .value = "ADDR",
     .help = "IP:PORT, [IPV6]:PORT or unix:/PATH; may be repeated"},
    {"--mode", OPTION_CUSTOM, .parse = parse_mode, .value = "MODE", .help = "echo (default), sink, source or rpc"},
    {"--name", OPTION_TEXT, FIELD(name_text), .value = "NAME",
     .help = "name in each reply of rpc, sink and source (at most 23 characters)"},
    {"--service", OPTION_CUSTOM, .parse = serve_service_parse, .value = "TIME",
     .help = "service time of rpc: none, fixed:5ms or lognormal:MEDIAN,SIGMA"},
    {"--concurrency", OPTION_COUNT, FIELD(concurrency), 0, 1000000, .value = "N",
     .help = "rpc: at most N requests are served at once, others queue (default 0: no limit)"},
    {"--connections", OPTION_COUNT, FIELD(connections_max), 1, 1000000, .value = "N",
     .help = "accepting pauses at N open connections (default 100000)"},
    {"--threads", OPTION_COUNT, FIELD(threads), 1, 64, .value = "N", .help = "number of threads (default 1)"},
    {"--seed", OPTION_COUNT, FIELD(seed), 0, UINT64_MAX, .value = "N", .help = "seed of the service times (default 1)"},
    {"--fault", OPTION_CUSTOM, .parse = parse_fault, .value = "FAULT",
     .help = "corrupt:N, truncate:N, reset:N or stall:N damages every Nth reply; slow-read:BYTES/s"},
    {0},
};

void serve_set_name(char *name, const char *text)
{
    if (!text)
        text = "";
    if (strlen(text) >= PROTOCOL_NAME_BYTES || strpbrk(text, "\"\\"))
        options_refuse("--name %s: at most %d characters, no quotes or backslashes", text, PROTOCOL_NAME_BYTES - 1);
    strcpy(name, text);
    for (const char *c = name; *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            options_refuse("--name: printable ASCII only");
}

static void read_settings(struct serve_settings *settings, char **argv)
{
    options_parse(rows, settings, argv, NULL, "usage: penstock-bench serve --bind ADDR [options]");
    if (settings->bind_count == 0)
        options_refuse("serve: where to listen? give --bind ADDR");
    serve_set_name(settings->name, settings->name_text);
    if (settings->mode != &serve_mode_rpc && (settings->service != SERVICE_NONE || settings->concurrency > 0))
        options_refuse("--service and --concurrency need --mode rpc");
    if (settings->concurrency > 0 && settings->service == SERVICE_NONE)
        options_refuse("--concurrency needs --service: without a service time nothing queues");
    if (settings->concurrency > 0 && settings->concurrency < settings->threads)
        options_refuse("--concurrency %" PRIu64 " cannot be shared by %" PRIu64 " threads", settings->concurrency,
                       settings->threads);
}

static int open_listeners(struct serve_settings *settings)
{
    char text[ADDR_TEXT_BYTES];
    for (unsigned i = 0; i < settings->bind_count; i++) {
        int fd = net_listen(&settings->binds[i]);
        if (fd < 0) {
            fprintf(stderr, "penstock-bench: cannot listen on %s: %s\n",
                    addr_format(&settings->binds[i], text, sizeof(text)), strerror(-fd));
            return fd;
        }
        settings->listeners[i] = fd;
        /* With a large receive buffer, the kernel would buffer megabytes for the slow reader, and there would be no back-pressure. */
        int small = 32768;
        if (settings->fault == FAULT_SLOW_READ)
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    }
    printf("listening on");
    for (unsigned i = 0; i < settings->bind_count; i++)
        printf(" %s", addr_format(&settings->binds[i], text, sizeof(text)));
    printf(" (%s%s%s)\n", settings->mode->name, settings->name[0] != '\0' ? ", " : "", settings->name);
    fflush(stdout);
    return 0;
}

static void *thread_main(void *argument)
{
    prctl(PR_SET_TIMERSLACK, 1000); /* 1 us, for exact service times; the default timer slack is 50 us */
    int result = serve_loop(argument);
    return (void *)(intptr_t)result;
}

static void print_stats(const struct serve_settings *settings, struct serve_thread *const *threads)
{
    struct serve_stats sum = {0};
    for (unsigned i = 0; i < settings->threads; i++) {
        const struct serve_stats *stats = &threads[i]->stats;
        sum.accepted += stats->accepted;
        sum.replies += stats->replies;
        sum.received_bytes += stats->received_bytes;
        sum.sent_bytes += stats->sent_bytes;
        sum.broken += stats->broken;
        sum.bad_requests += stats->bad_requests;
        sum.wrong_payload += stats->wrong_payload;
        sum.accept_pauses += stats->accept_pauses;
    }
    fprintf(stderr,
            "stopped: accepted=%" PRIu64 " replies=%" PRIu64 " received_bytes=%" PRIu64 " sent_bytes=%" PRIu64
            " broken=%" PRIu64 " bad_requests=%" PRIu64 " wrong_payload=%" PRIu64 " accept_pauses=%" PRIu64 "\n",
            sum.accepted, sum.replies, sum.received_bytes, sum.sent_bytes, sum.broken, sum.bad_requests,
            sum.wrong_payload, sum.accept_pauses);
}

/* Returns the share `n`, from 0, of `total` divided into `parts` nearly equal shares. */
static uint64_t share_of(uint64_t total, uint64_t parts, uint64_t n)
{
    return total / parts + (n < total % parts);
}

static int start_thread(struct serve_settings *settings, unsigned n, struct serve_thread **out, pthread_t *id)
{
    struct serve_thread *thread = calloc(1, sizeof(*thread));
    if (!thread)
        return ENOMEM;
    thread->settings = settings;
    thread->concurrency = share_of(settings->concurrency, settings->threads, n);
    thread->connections_max = share_of(settings->connections_max, settings->threads, n);
    thread->random = settings->seed + n * UINT64_C(0x2545f4914f6cdd1d);
    *out = thread;
    return pthread_create(id, NULL, thread_main, thread);
}

int serve_main(char **argv)
{
    struct serve_settings settings = {.mode = &serve_mode_echo, .threads = 1, .seed = 1, .connections_max = 100000};
    struct serve_thread *threads[64] = {0};
    pthread_t ids[64];
    read_settings(&settings, argv);
    if (settings.connections_max < settings.threads)
        options_refuse("--connections: at least one for each thread");

    sigset_t signals; /* blocked before the threads start, so that sigwait() below gets them */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    settings.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (settings.stop_fd < 0 || open_listeners(&settings) < 0)
        return 1;
    for (unsigned i = 0; i < settings.threads; i++) {
        int error = start_thread(&settings, i, &threads[i], &ids[i]);
        if (error != 0) {
            fprintf(stderr, "penstock-bench: cannot start a thread: %s\n", strerror(error));
            return 1;
        }
    }
    int signal_number, status = 0;
    sigwait(&signals, &signal_number);
    eventfd_write(settings.stop_fd, 1);
    for (unsigned i = 0; i < settings.threads; i++) {
        void *result;
        pthread_join(ids[i], &result);
        if (result)
            status = 1;
    }
    print_stats(&settings, threads);
    for (unsigned i = 0; i < settings.bind_count; i++) {
        close(settings.listeners[i]);
        if (settings.binds[i].sa.sa_family == AF_UNIX && settings.binds[i].un.sun_path[0] != '\0')
            unlink(settings.binds[i].un.sun_path);
    }
    for (unsigned i = 0; i < settings.threads; i++)
        free(threads[i]);
    close(settings.stop_fd);
    return status;
}
