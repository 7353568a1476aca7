/* udp_serve.c: `penstock-bench serve udp`. Main thread; owns the socket. */
#include "udp_serve.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "options.h"
#include "serve.h"
#include "udp_protocol.h"
#include "udp_socket.h"
#include "units.h"

enum udp_fault { UDP_FAULT_NONE, UDP_FAULT_CORRUPT, UDP_FAULT_TRUNCATE, UDP_FAULT_STALL };

struct udp_server {
    struct addr addr;
    const char *bind_text, *name_text;
    char name[PROTOCOL_NAME_BYTES];
    bool offload;
    uint64_t answers; /* to each datagram */
    enum udp_fault fault;
    uint64_t fault_every, fault_counter;
    int fd, signal_fd;
    uint64_t received, replies, received_bytes, sent_bytes;
    uint64_t unsent;    /* replies that the kernel did not take */
    uint64_t truncated; /* datagrams longer than the buffer; not answered */
    struct udp_batch batch;
    struct mmsghdr outgoing[UDP_BATCH_MAX];
    uint64_t datagrams[UDP_BATCH_MAX]; /* in each outgoing message */
    _Alignas(struct cmsghdr) uint8_t controls[UDP_BATCH_MAX][UDP_CONTROL_BYTES];
};

static const char *parse_fault(void *settings, const char *text)
{
    static const char *const names[] = {[UDP_FAULT_CORRUPT] = "corrupt:", [UDP_FAULT_TRUNCATE] = "truncate:", [UDP_FAULT_STALL] = "stall:"};
    static const char expected[] = "corrupt:N, truncate:N or stall:N";
    struct udp_server *server = settings;
    for (int i = UDP_FAULT_CORRUPT; i <= UDP_FAULT_STALL; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(names[i], text, length) != 0)
            continue;
        server->fault = i;
        return units_parse_count(text + length, &server->fault_every) || server->fault_every == 0 ? expected : NULL;
    }
    return expected;
}

#define FIELD(name) offsetof(struct udp_server, name)

static const struct option_row rows[] = {
    {"--bind", OPTION_TEXT, FIELD(bind_text), .value = "ADDR", .help = "IP:PORT or [IPV6]:PORT"},
    {"--name", OPTION_TEXT, FIELD(name_text), .value = "NAME", .help = "name in each reply (at most 23 characters)"},
    {"--answers", OPTION_COUNT, FIELD(answers), 0, 100, .value = "N", .help = "replies to each datagram (default 1)"},
    {"--offload", OPTION_FLAG, FIELD(offload), .value = "", .help = "receive and return trains of datagrams as one message (UDP_GRO, UDP_SEGMENT)"},
    {"--fault", OPTION_CUSTOM, .parse = parse_fault, .value = "FAULT",
     .help = "corrupt:N, truncate:N or stall:N damages every Nth reply; not with --offload"},
    {0},
};

static void read_settings(struct udp_server *server, char **argv)
{
    options_parse(rows, server, argv, NULL, "usage: penstock-bench serve udp --bind ADDR [options]");
    if (!server->bind_text)
        options_refuse("serve udp: where to receive? give --bind ADDR");
    const char *wrong = addr_parse(&server->addr, server->bind_text);
    if (!wrong && addr_family(&server->addr) == AF_UNIX)
        wrong = "IP:PORT or [IPV6]:PORT";
    if (wrong)
        options_refuse("--bind %s: %s", server->bind_text, wrong);
    serve_set_name(server->name, server->name_text);
    if (server->offload && server->fault != UDP_FAULT_NONE)
        options_refuse("--fault damages single datagrams: not with --offload");
}

/* Damages the reply if it is the Nth one. Returns false if it must not be sent. */
static bool apply_fault(struct udp_server *server, struct iovec *reply)
{
    if (server->fault == UDP_FAULT_NONE || ++server->fault_counter % server->fault_every != 0)
        return true;
    if (server->fault == UDP_FAULT_CORRUPT && reply->iov_len > 0)
        ((uint8_t *)reply->iov_base)[reply->iov_len / 2] ^= 0x20;
    else if (server->fault == UDP_FAULT_TRUNCATE)
        reply->iov_len /= 2;
    return server->fault != UDP_FAULT_STALL;
}

/* Turns message `i` into its reply. Returns false if it gets none. */
static bool make_reply(struct udp_server *server, int i, unsigned reply)
{
    struct udp_batch *batch = &server->batch;
    size_t length = batch->messages[i].msg_len, segment = udp_batch_segment(batch, i);
    server->received_bytes += length;
    server->datagrams[reply] = length > 0 ? (length + segment - 1) / segment : 1;
    server->received += server->datagrams[reply];
    if (udp_batch_truncated(batch, i)) {
        server->truncated++;
        return false;
    }
    if (server->name[0] != '\0')
        for (size_t at = 0; at < length; at += segment)
            udp_protocol_sign((uint8_t *)batch->parts[i].iov_base + at, length - at < segment ? length - at : segment, server->name);
    batch->parts[i].iov_len = length;
    struct msghdr *message = &server->outgoing[reply].msg_hdr;
    *message = batch->messages[i].msg_hdr;
    message->msg_control = NULL;
    message->msg_controllen = 0;
    if (segment < length)
        udp_socket_set_segment(message, server->controls[reply], segment);
    return apply_fault(server, &batch->parts[i]);
}

static void send_replies(struct udp_server *server, unsigned count)
{
    for (unsigned sent = 0; sent < count;) {
        int done = sendmmsg(server->fd, server->outgoing + sent, count - sent, 0);
        if (done < 0) {
            server->unsent += server->datagrams[sent++]; /* datagrams may be lost, so a full socket or an unreachable client costs only this message */
            continue;
        }
        for (unsigned end = sent + (unsigned)done; sent < end; sent++) {
            server->sent_bytes += server->outgoing[sent].msg_len;
            server->replies += server->datagrams[sent];
        }
    }
}

/* Returns false if the socket has failed. */
static bool serve_batch(struct udp_server *server)
{
    int received = udp_batch_receive(&server->batch, server->fd, UDP_BATCH_MAX);
    if (received < 0 && received != -EAGAIN && received != -EINTR) {
        fprintf(stderr, "penstock-bench: cannot receive: %s\n", strerror(-received));
        return false;
    }
    unsigned replies = 0;
    for (int i = 0; i < received; i++)
        replies += make_reply(server, i, replies);
    for (uint64_t answer = 0; answer < server->answers; answer++)
        send_replies(server, replies);
    return true;
}

static int open_server(struct udp_server *server)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (server->signal_fd < 0)
        return -errno;
    int result = udp_batch_init(&server->batch, 65536);
    if (result < 0)
        return result;
    server->fd = udp_socket_bind(&server->addr, server->offload);
    return server->fd < 0 ? server->fd : 0;
}

static int serve_until_signal(struct udp_server *server)
{
    struct pollfd fds[] = {{.fd = server->fd, .events = POLLIN}, {.fd = server->signal_fd, .events = POLLIN}};
    while (fds[1].revents == 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return 1;
        if (fds[0].revents != 0 && !serve_batch(server))
            return 1;
    }
    fprintf(stderr,
            "stopped: received=%" PRIu64 " replies=%" PRIu64 " received_bytes=%" PRIu64 " sent_bytes=%" PRIu64 " unsent=%" PRIu64 " truncated=%" PRIu64 "\n",
            server->received, server->replies, server->received_bytes, server->sent_bytes, server->unsent, server->truncated);
    return 0;
}

int udp_serve_main(char **argv)
{
    struct udp_server *server = calloc(1, sizeof(*server));
    if (!server)
        return 1;
    server->answers = 1;
    read_settings(server, argv);
    int result = open_server(server), status = 1;
    char text[ADDR_TEXT_BYTES];
    addr_format(&server->addr, text, sizeof(text));
    if (result < 0) {
        fprintf(stderr, "penstock-bench: cannot receive on %s: %s\n", text, strerror(-result));
    } else {
        printf("listening on %s (udp%s%s)\n", text, server->name[0] != '\0' ? ", " : "", server->name);
        fflush(stdout);
        status = serve_until_signal(server);
        close(server->fd);
    }
    udp_batch_deinit(&server->batch);
    free(server);
    return status;
}
