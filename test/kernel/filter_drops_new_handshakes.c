/* filter_drops_new_handshakes: if a socket filter on a listening socket drops SYNs, handshakes that have begun still complete. New clients get no answer and
 * send their SYN again, so they are connected once the filter is removed.
 *
 * Seen: 6.18. Attaching a filter to a TCP socket needs CAP_NET_ADMIN on 6.18.44, and no privilege on earlier kernels. The program takes two seconds, because
 * a SYN is sent again after one second.
 * Relied on by: src/io/kernel_listen.c, kernel_stop_queueing(), for a listener that drains. Where no filter is allowed, it relies on
 * hop_limit_drops_new_handshakes. */
#include <linux/filter.h>

#include "fact.h"

enum { FLAGS_BYTE = 13, SYN = 0x02, ACK = 0x10 };

/* Attaches a filter that drops the segments whose SYN and ACK flags are exactly `flags`. */
static void drop(int fd, unsigned flags)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_BYTE),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, flags, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
        fact_skip("no socket filter is allowed here: %s", strerror(errno));
}

/* Waits until the listener has answered a SYN and waits for the end of that handshake. */
static void await_handshake(const struct sockaddr_in *address)
{
    uint64_t deadline_ns = fact_deadline_ns();
    unsigned local = 0, state = 0;
    char line[256];

    while (local != ntohs(address->sin_port) || state != TCP_SYN_RECV) {
        FILE *file = fopen("/proc/self/net/tcp", "re");

        if (!file)
            fact_skip("/proc/self/net/tcp: %s", strerror(errno));
        while ((local != ntohs(address->sin_port) || state != TCP_SYN_RECV) && fgets(line, sizeof(line), file))
            (void)sscanf(line, "%*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local, &state);
        (void)fclose(file);
        fact_pause(deadline_ns, "the handshake to begin");
    }
}

static int begin_to_connect(int fd, const struct sockaddr_in *address)
{
    fact_block(fd, false);
    return fact_connect(fd, address);
}

int main(void)
{
    int listener = fact_socket(), early = fact_socket(), late = fact_socket(), events;
    struct sockaddr_in address = fact_listen(listener);

    drop(early, SYN | ACK); /* its handshake begins, but does not complete */
    fact_holds(begin_to_connect(early, &address) == EINPROGRESS, "connect: %s", strerror(errno));
    await_handshake(&address);
    drop(listener, SYN);
    fact_set(early, SOL_SOCKET, SO_DETACH_FILTER, 0);
    fact_holds(begin_to_connect(late, &address) == EINPROGRESS, "connect: %s", strerror(errno));

    events = fact_await(listener, POLLIN);
    fact_holds(events & POLLIN && fact_ready(early, POLLOUT) == POLLOUT, "the handshake that had begun does not end: events 0x%x", (unsigned)events);
    (void)MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    events = fact_ready(late, POLLOUT);
    fact_holds(events == 0 && fact_tcp_state(late) == TCP_SYN_SENT, "the client that came later was answered: events 0x%x", (unsigned)events);

    fact_set(listener, SOL_SOCKET, SO_DETACH_FILTER, 0);
    events = fact_await(late, POLLOUT);
    fact_holds(events == POLLOUT, "without the filter the later client is not answered: events 0x%x", (unsigned)events);
    return 0;
}
