/* fact.h: functions that the programs of this folder share. Each program checks one fact about the kernel, in its own process.
 *
 * The first comment of each program begins with a paragraph that states the fact; the runner prints it. "Seen:" then names the kernels on which the fact holds,
 * and "Relied on by:" names our files that would be wrong or slow without it.
 *
 * Exit status 0: the fact holds. 1: it does not hold; the last line says what was seen instead. 77: it cannot be checked here; the last line says why. 2: the
 * program itself has failed, or lacks something that every kernel has. No program sleeps for a fixed time. Each waits for a condition, for at most
 * FACT_DEADLINE_MS. */
#ifndef TEST_KERNEL_FACT_H
#define TEST_KERNEL_FACT_H

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FACT_FAILS = 1, FACT_BROKEN = 2, FACT_SKIPPED = 77, FACT_DEADLINE_MS = 10000 };

__attribute__((format(printf, 2, 0))) static inline _Noreturn void fact_end(int status, const char *format, va_list arguments)
{
    (void)vprintf(format, arguments);
    (void)putchar('\n');
    exit(status);
}

/* Ends the program because the fact does not hold. The text says what was seen instead. */
__attribute__((format(printf, 1, 2))) static inline _Noreturn void fact_fails(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fact_end(FACT_FAILS, format, arguments);
}

/* Ends the program as fact_fails() does, unless the condition is true. The values for the text are read after the condition was evaluated. */
#define fact_holds(condition, ...) \
    do { \
        if (!(condition)) \
            fact_fails(__VA_ARGS__); \
    } while (0)

/* Ends the program because the fact cannot be checked here. The text says why. */
__attribute__((format(printf, 1, 2))) static inline _Noreturn void fact_skip(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fact_end(FACT_SKIPPED, format, arguments);
}

__attribute__((format(printf, 1, 2))) static inline _Noreturn void fact_broken(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fact_end(FACT_BROKEN, format, arguments);
}

static inline int fact_must(long result, const char *call, int line)
{
    if (result < 0)
        fact_broken("line %d: %s: %s", line, call, strerror(errno));
    return (int)result;
}

/* Returns the result of a system call that is not part of the fact. Ends the program if the call fails. */
#define MUST(call) fact_must(call, #call, __LINE__)

static inline uint64_t fact_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline uint64_t fact_deadline_ns(void)
{
    return fact_now_ns() + FACT_DEADLINE_MS * (uint64_t)1000000;
}

/* Pauses for a millisecond between two checks of a condition that no descriptor reports. Ends the program after the deadline. */
static inline void fact_pause(uint64_t deadline_ns, const char *waits_for)
{
    if (fact_now_ns() > deadline_ns)
        fact_broken("waited in vain: %s", waits_for);
    (void)poll(NULL, 0, 1);
}

/* fact_ready() returns the present poll(2) events of a descriptor. fact_await() waits for the first event; it returns 0 if none came before the deadline. */
static inline int fact_ready(int fd, short events)
{
    struct pollfd poller = {.fd = fd, .events = events};

    (void)MUST(poll(&poller, 1, 0));
    return poller.revents;
}

static inline int fact_await(int fd, short events)
{
    struct pollfd poller = {.fd = fd, .events = events};

    (void)MUST(poll(&poller, 1, FACT_DEADLINE_MS));
    return poller.revents;
}

static inline int fact_asked(int fd, unsigned long what)
{
    int value = 0;

    (void)MUST(ioctl(fd, what, &value));
    return value;
}

/* Waits until the socket has at least `bytes` unread bytes. */
static inline void fact_await_unread(int fd, int bytes)
{
    uint64_t deadline_ns = fact_deadline_ns();

    while (fact_asked(fd, SIOCINQ) < bytes)
        fact_pause(deadline_ns, "bytes to arrive");
}

static inline void fact_set(int fd, int level, int option, int value)
{
    (void)MUST(setsockopt(fd, level, option, &value, sizeof(value)));
}

static inline int fact_get(int fd, int level, int option)
{
    int value = 0;
    socklen_t length = sizeof(value);

    (void)MUST(getsockopt(fd, level, option, &value, &length));
    return value;
}

static inline void fact_block(int fd, bool blocks)
{
    int flags = MUST(fcntl(fd, F_GETFL));

    (void)MUST(fcntl(fd, F_SETFL, blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK));
}

static inline int fact_tcp_state(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);

    (void)MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
    return info.tcpi_state;
}

/* ---- TCP on 127.0.0.1. Every socket is blocking. ---- */

static inline int fact_socket(void)
{
    return MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* `port` is in network byte order; 0 lets bind(2) choose a free port. */
static inline struct sockaddr_in fact_loopback(in_port_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* fact_bind() and fact_connect() return 0 or a positive errno. Where the call is not part of the fact, write MUST(-fact_bind(...)). */
static inline int fact_bind(int fd, const struct sockaddr_in *address)
{
    return bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
}

static inline int fact_connect(int fd, const struct sockaddr_in *address)
{
    return connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
}

static inline struct sockaddr_in fact_name(int fd)
{
    struct sockaddr_in name;
    socklen_t length = sizeof(name);

    (void)MUST(getsockname(fd, (struct sockaddr *)&name, &length));
    return name;
}

/* Binds the socket to a free port and listens. Returns its address. */
static inline struct sockaddr_in fact_listen(int fd)
{
    struct sockaddr_in address = fact_loopback(0);

    if (fact_bind(fd, &address) || listen(fd, 16) < 0)
        fact_broken("cannot listen: %s", strerror(errno));
    return fact_name(fd);
}

/* Connects to the address. Returns the new socket. */
static inline int fact_call(const struct sockaddr_in *address)
{
    int fd = fact_socket(), error = fact_connect(fd, address);

    if (error)
        fact_broken("cannot connect: %s", strerror(error));
    return fd;
}

/* A connection: `ours` is the accepted socket, `theirs` the one that connected. */
struct fact_pair {
    int ours, theirs;
};

static inline struct fact_pair fact_tcp_pair(void)
{
    int listener = fact_socket();
    struct sockaddr_in address = fact_listen(listener);
    struct fact_pair pair;

    pair.theirs = fact_call(&address);
    pair.ours = MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    (void)close(listener);
    return pair;
}

/* Writes until the socket is full and stays so until the peer reads: all bytes that were sent are acknowledged, and the others wait for the peer's window. */
static inline void fact_fill(int fd)
{
    static const char zeros[65536];
    uint64_t deadline_ns = fact_deadline_ns();
    bool more;

    do {
        more = false;
        while (fact_asked(fd, SIOCOUTQ) != fact_asked(fd, SIOCOUTQNSD))
            fact_pause(deadline_ns, "what was sent to be acknowledged");
        while (send(fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
            more = true;
    } while (more);
}

/* Closes with RST. */
static inline void fact_reset(int fd)
{
    static const struct linger at_once = {.l_onoff = 1};

    (void)MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
    (void)close(fd);
}

/* ---- network namespace ---- */

static inline void fact_sysctl(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        fact_skip("%s cannot be set to %s: %s", path, value, strerror(errno));
    (void)close(fd);
}

/* Moves the program into a new network namespace, which has only a loopback interface. */
static inline void fact_own_network(void)
{
    struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
    int fd;

    if (unshare(CLONE_NEWNET) < 0)
        fact_skip("needs a network namespace of its own, hence root: %s", strerror(errno));
    fd = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    (void)MUST(ioctl(fd, SIOCSIFFLAGS, &up));
    (void)close(fd);
}

#endif
