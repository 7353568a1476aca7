/* io/closing.c: closes sockets when there is time. The engine's thread; owns their descriptors until they are closed. */
#include "io/closing.h"

#include "io/handles.h"
#include "io/io.h"
#include "io/kernel.h"

enum { FEW_SOCKETS = 4, FEW_EVENTS = 4 };
#define PUT_OFF_NS ((uint64_t)200000)

void closing_init(struct closing *closing)
{
    *closing = (struct closing){0};
    list_init(&closing->socks);
}

void closing_add(struct closing *closing, struct io_sock *sock, uint64_t now_ns)
{
    if (!closing_any(closing))
        closing->since_ns = now_ns;
    closing->at_once |= sock->close_at_once;
    list_append(&closing->socks, &sock->link);
}

static bool few_sockets(const struct closing *closing)
{
    uint32_t count = 0;

    for (const struct list *at = closing->socks.next; at != &closing->socks && count <= FEW_SOCKETS; at = at->next)
        count++;
    return count <= FEW_SOCKETS;
}

static void close_all(struct closing *closing, struct handles *handles)
{
    struct list todo;

    closing->at_once = false;
    list_take(&todo, &closing->socks);
    while (!list_empty(&todo)) {
        struct io_sock *sock = container_of(todo.next, struct io_sock, link);

        list_remove(&sock->link);
        if (sock->events->closing)
            sock->events->closing(sock);
        handles_remove(handles, sock->slot);
        kernel_close(sock);
        sock->events->closed(sock);
    }
}

void closing_before(struct closing *closing, struct handles *handles, const struct io *io)
{
    if (closing_any(closing) && (io->events > FEW_EVENTS || io->now_ns - closing->since_ns > PUT_OFF_NS))
        close_all(closing, handles);
}

void closing_after(struct closing *closing, struct handles *handles, const struct io *io)
{
    if (closing_any(closing) && (io->events == 0 || io->events > FEW_EVENTS || closing->at_once || !few_sockets(closing)))
        close_all(closing, handles);
}
