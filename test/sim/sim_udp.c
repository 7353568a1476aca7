/* test/sim/sim_udp.c: makes UDP sockets, and delivers datagrams and ICMP errors to them. Test thread; struct sim owns the sockets until sim_free(). */
#include "sim_udp.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* CODE_BYTES is a prime, and STEP is not a multiple of it. So datagrams have different bytes, unless they are very short. */
enum { CODE_BYTES = 65521, STEP = 1777, CONTENT_BYTES_MAX = 2 * IO_DATAGRAM_BYTES, GROUP_MAX = 8 };

const uint8_t *sim_udp_bytes(uint32_t number)
{
    static uint8_t code[CODE_BYTES + CONTENT_BYTES_MAX];
    static bool is_made;

    if (!is_made) {
        uint64_t state = 2;

        for (uint32_t i = 0; i < CODE_BYTES; i++)
            code[i] = (uint8_t)random_next(&state);
        for (uint32_t i = CODE_BYTES; i < sizeof(code); i++)
            code[i] = code[i - CODE_BYTES];
        is_made = true;
    }
    return code + (uint64_t)number * STEP % CODE_BYTES;
}

uint32_t sim_udp_number(struct sim *sim, uint32_t count)
{
    uint32_t first = sim->datagrams;

    sim->datagrams += count;
    return first;
}

/* ---- sockets ---- */

static struct sim_conn *make_socket(struct sim *sim, const struct addr *addr, uint32_t queue_bytes_max)
{
    struct sim_conn *conn = sim_conn_new(sim);
    struct sim_udp *udp = calloc(1, sizeof(*udp));

    if (!udp)
        abort();
    *udp = (struct sim_udp){.conn = conn, .addr = *addr, .queue_bytes_max = queue_bytes_max};
    list_init(&udp->queue);
    list_append(&sim->udp_sockets, &udp->link);
    conn->udp = udp;
    sim->conns_open++;
    return conn;
}

int sim_udp_bind(struct sim *sim, const struct addr *addr, uint32_t group, uint32_t queue_bytes_max)
{
    struct sim_conn *conn = make_socket(sim, addr, queue_bytes_max);

    conn->udp->group = group;
    return sim_conn_fd(conn);
}

struct sim_conn *sim_udp_connect(struct sim *sim, const struct addr *peer, uint32_t queue_bytes_max)
{
    struct sim_conn *conn = make_socket(sim, peer, queue_bytes_max);

    conn->udp->is_connected = true;
    return conn;
}

void sim_udp_close(struct sim_udp *udp)
{
    while (!list_empty(&udp->queue)) {
        struct sim_train *train = container_of(udp->queue.next, struct sim_train, link);

        list_remove(&train->link);
        free(train);
    }
    list_remove(&udp->link);
}

/* ---- arrivals ---- */

static bool enqueue(struct sim_udp *udp, const struct sim_train *train)
{
    struct sim_train *copy;
    uint32_t bytes = sim_train_bytes(train) + 256; /* the kernel counts its own memory too */

    if (udp->queued_bytes + bytes > udp->queue_bytes_max) {
        sim_note(udp->conn->sim, udp->conn, "receive queue overflows", train->count);
        return false;
    }
    copy = malloc(sizeof(*copy));
    if (!copy)
        abort();
    *copy = *train;
    list_append(&udp->queue, &copy->link);
    udp->queued_bytes += bytes;
    return true;
}

static uint64_t hash_arrival(const struct sim_train *train)
{
    const union io_endpoint *from = &train->from;
    uint8_t key[36] = {0};

    if (from->sa.sa_family == AF_INET) {
        memcpy(key, &from->in.sin_addr, 4);
        memcpy(key + 16, &from->in.sin_port, 2);
        memcpy(key + 18, &train->to.in, 4);
    } else {
        memcpy(key, &from->in6.sin6_addr, 16);
        memcpy(key + 16, &from->in6.sin6_port, 2);
        memcpy(key + 18, &train->to.in6, 16);
    }
    return hash_bytes(key, sizeof(key), 1, 2);
}

bool sim_udp_arrive(struct sim *sim, uint32_t group, const struct sim_train *train)
{
    struct sim_udp *members[GROUP_MAX];
    uint32_t count = 0;
    bool is_taken = false;

    for (struct list *link = sim->udp_sockets.next; link != &sim->udp_sockets; link = link->next) {
        struct sim_udp *udp = container_of(link, struct sim_udp, link);

        if (!udp->is_connected && udp->group == group && count < GROUP_MAX)
            members[count++] = udp;
    }
    if (!train->to_group)
        return count > 0 && enqueue(members[hash_arrival(train) % count], train);
    for (uint32_t i = 0; i < count; i++)
        is_taken |= enqueue(members[i], train);
    return is_taken;
}

bool sim_udp_reply(struct sim_conn *conn, const struct sim_train *train)
{
    return !conn->released && enqueue(conn->udp, train);
}

void sim_udp_refuse(struct sim_conn *conn, int error)
{
    if (!conn->released)
        conn->udp->error = error;
}
