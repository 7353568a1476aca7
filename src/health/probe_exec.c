/* health/probe_exec.c: probes that run a program: exit status 0 passes. Health thread; owns the probes and their programs.
 *
 * The first line of the output becomes the reason; the rest is read and dropped. A program that is still running after check_timeout is killed with its group,
 * and so is what an ended program leaves behind. The kernel may need a moment to end a killed program, so the probe of one is kept until it has ended:
 *
 *      running --ended--> result        running --time limit or abandon--> dying --ended--> freed */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/list.h"
#include "base/payload.h"
#include "health/command.h"
#include "health/health.h"
#include "health/probe.h"
#include "table/backend.h"
#include "table/pool.h"

enum { LINE_BYTES = 100, EVENTS_MAX = 2 * HEALTH_PROBES_MAX, READS_MAX = 16 };

struct probe;

/* What an event belongs to. */
struct source {
    struct probe *probe;
    bool is_exit; /* the program has ended; else there is output */
};

struct probe {
    struct list link; /* in exec_prober.dying, while dying */
    struct source output, exit;
    struct probe_request request; /* not used while dying */
    struct command command;
    bool is_dying;
    bool has_line;    /* the first line is complete */
    size_t bytes;     /* of the first line */
    char line[LINE_BYTES];
};

struct exec_prober {
    struct prober base; /* first member */
    struct list dying;
};

static struct exec_prober *exec_prober(struct prober *prober)
{
    return (struct exec_prober *)prober;
}

static struct prober *exec_open(probe_done_fn *done, int *error)
{
    struct exec_prober *prober = malloc(sizeof(*prober));

    *error = prober ? prober_init(&prober->base, &probe_exec_ops, done) : -ENOMEM;
    if (*error < 0) {
        free(prober);
        return NULL;
    }
    list_init(&prober->dying);
    command_prepare();
    return &prober->base;
}

/* ---- starting ---- */

static enum probe_outcome fail_start(const struct probe_request *request, int error, bool is_program, struct probe_result *result)
{
    size_t path_bytes = strcspn(request->settings->check_command, " \t");

    probe_errno(result, error, request->addr);
    if (is_program) /* which says nothing about the backend */
        snprintf(result->reason, sizeof(result->reason), "cannot run %.*s: %s", (int)(path_bytes < LINE_BYTES ? path_bytes : LINE_BYTES),
                 request->settings->check_command, strerror(error));
    result->outcome = PROBE_NO_MEANS;
    return result->outcome;
}

/* Returns 0 or a positive errno; then nothing is watched. */
static int watch_program(struct prober *prober, struct probe *probe)
{
    struct epoll_event output = {.events = EPOLLIN, .data.ptr = &probe->output}, exit = {.events = EPOLLIN, .data.ptr = &probe->exit};

    if (epoll_ctl(prober->fd, EPOLL_CTL_ADD, probe->command.output, &output) < 0)
        return errno;
    if (epoll_ctl(prober->fd, EPOLL_CTL_ADD, probe->command.exited, &exit) < 0)
        return errno;
    return 0;
}

/* The probe is freed when its program has ended. If that cannot be watched, it is freed when the prober is closed. */
static void let_die(struct prober *prober, struct probe *probe)
{
    command_kill(&probe->command);
    probe->is_dying = true;
    list_append(&exec_prober(prober)->dying, &probe->link);
}

/* Killed programs that have not ended yet, such as those that wait for a disk. They hold descriptors, so they count against probes_max. */
static size_t count_dying(struct prober *prober)
{
    const struct list *dying = &exec_prober(prober)->dying;
    size_t count = 0;

    for (const struct list *link = dying->next; link != dying; link = link->next)
        count++;
    return count;
}

static enum probe_outcome exec_start(struct prober *prober, const struct probe_request *request, struct probe **out, struct probe_result *result)
{
    const struct command_request command = {
        .line = request->settings->check_command, .pool = request->backend->pool->name, .backend = request->backend->name, .addr = request->addr,
    };
    struct probe *probe;
    bool is_program;
    int error;

    if (prober->places > 0 && prober->probes + count_dying(prober) >= prober->places) {
        snprintf(result->reason, sizeof(result->reason), "killed programs of earlier probes have not ended");
        return result->outcome = PROBE_NO_MEANS;
    }
    probe = malloc(sizeof(*probe));
    if (!probe)
        return fail_start(request, ENOMEM, false, result);
    *probe = (struct probe){.request = *request, .output.probe = probe, .exit = {.probe = probe, .is_exit = true}};
    list_init(&probe->link);
    error = command_start(&probe->command, &command, &is_program);
    if (error > 0) {
        free(probe);
        return fail_start(request, error, is_program, result);
    }
    error = watch_program(prober, probe);
    if (error > 0) {
        let_die(prober, probe);
        return fail_start(request, error, false, result);
    }
    prober->probes++;
    *out = probe;
    return PROBE_PENDING;
}

/* ---- ending ---- */

static void keep_line(struct probe *probe, const char *data, size_t bytes)
{
    const char *end = memchr(data, '\n', bytes);
    size_t room = sizeof(probe->line) - probe->bytes;

    if (end)
        bytes = (size_t)(end - data);
    if (bytes > room)
        bytes = room;
    memcpy(probe->line + probe->bytes, data, bytes);
    probe->bytes += bytes;
    probe->has_line = end != NULL;
}

/* Reads a bounded number of times, because a program may write faster than this. */
static void read_output(struct prober *prober, struct probe *probe)
{
    char data[4096];
    ssize_t bytes = 1;

    for (int i = 0; i < READS_MAX && bytes > 0; i++) {
        bytes = read(probe->command.output, data, sizeof(data));
        if (bytes > 0 && !probe->has_line)
            keep_line(probe, data, (size_t)bytes);
    }
    if (bytes == 0) /* the program has closed its output and may still run; from now on, the pipe would always be readable */
        (void)epoll_ctl(prober->fd, EPOLL_CTL_DEL, probe->command.output, NULL);
}

/* Writes ": " and the first line, or nothing. */
static const char *describe_output(const struct probe *probe, char *out, size_t size)
{
    char line[LINE_BYTES + 4];

    out[0] = '\0';
    if (probe->bytes > 0)
        snprintf(out, size, ": %s", payload_format((const uint8_t *)probe->line, probe->bytes, false, line, sizeof(line)));
    return out;
}

static enum probe_outcome judge_status(const struct probe *probe, int status, struct probe_result *result)
{
    char output[LINE_BYTES + 8];

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return probe_passed(result);
    describe_output(probe, output, sizeof(output));
    if (WIFEXITED(status))
        return probe_failed(result, "exit status %d%s", WEXITSTATUS(status), output);
    return probe_failed(result, "killed by SIG%s%s", sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?", output);
}

static void exec_abandon(struct prober *prober, struct probe *probe)
{
    assert(prober->probes > 0);
    prober->probes--;
    let_die(prober, probe);
}

static void exec_expire(struct prober *prober, struct probe *probe, struct probe_result *result)
{
    char output[LINE_BYTES + 8], limit[DURATION_TEXT_BYTES];

    probe_timed_out(result, "still running after %s%s", duration_format(probe->request.settings->check_timeout_ms, limit, sizeof(limit)),
                    describe_output(probe, output, sizeof(output)));
    exec_abandon(prober, probe);
}

/* Closing the descriptors also removes them from the epoll set, because no other process has them: they are closed when a program is started. */
static void take_exit(struct prober *prober, struct probe *probe)
{
    void *cookie = probe->request.cookie;
    struct probe_result result;
    bool is_dying = probe->is_dying;
    int status;

    read_output(prober, probe);
    if (!command_collect(&probe->command, &status))
        return;
    list_remove(&probe->link);
    if (!is_dying) {
        judge_status(probe, status, &result);
        prober->probes--;
    }
    free(probe);
    if (!is_dying)
        prober->done(cookie, &result);
}

/* Output first: it ends no probe, so that all events of this round stay valid. Then each probe has one event. */
static void exec_process(struct prober *prober)
{
    struct epoll_event events[EVENTS_MAX];
    struct source sources[EVENTS_MAX]; /* copies, because the second round frees probes */
    int count = epoll_wait(prober->fd, events, EVENTS_MAX, 0);

    for (int i = 0; i < count; i++) {
        const struct source *source = events[i].data.ptr;
        sources[i] = *source;
        if (!source->is_exit)
            read_output(prober, source->probe);
    }
    for (int i = 0; i < count; i++)
        if (sources[i].is_exit)
            take_exit(prober, sources[i].probe);
}

/* A program that has not ended yet, although it was killed, is left to the process that takes over orphans. */
static void free_dying(struct probe *probe)
{
    int status;

    if (!command_collect(&probe->command, &status))
        command_close(&probe->command);
    list_remove(&probe->link);
    free(probe);
}

static void exec_close(struct prober *prober)
{
    struct list *dying;

    if (!prober)
        return;
    dying = &exec_prober(prober)->dying;
    while (!list_empty(dying))
        free_dying(container_of(dying->next, struct probe, link));
    prober_deinit(prober);
    free(exec_prober(prober));
}

const struct probe_ops probe_exec_ops = {
    .name = "exec",
    .open = exec_open,
    .close = exec_close,
    .start = exec_start,
    .abandon = exec_abandon,
    .expire = exec_expire,
    .process = exec_process,
};
