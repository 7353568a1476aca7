/* io/closing.c: closes sockets when there is time. The engine's thread; owns their descriptors until they are closed. */
#include "io/closing.h"
#include "io/handles.h"
#include "io/io.h"
#include "io/kernel.h"

enum { TURNS_MAX = 5, FEW = 4 };

void closing_init(struct closing *closing)
{
    list_init(&closing->socks);
    closing->turns = 0;
}

void closing_add(struct closing *closing, struct io_sock *sock)
{
    list_append(&closing->socks, &sock->link);
}

static bool few(const struct closing *closing)
{
    uint32_t count = 0;

    for (const struct list *at = closing->socks.next; at != &closing->socks && count <= FEW; at = at->next)
        count++;
    return count <= FEW;
}

void closing_tell(struct closing *closing, struct handles *handles, bool busy)
{
    struct list todo;

    if (!closing_any(closing))
        return;
    if (busy && closing->turns < TURNS_MAX && few(closing)) {
        closing->turns++;
        return;
    }
    closing->turns = 0;
    list_take(&todo, &closing->socks);
    while (!list_empty(&todo)) {
        struct io_sock *sock = container_of(todo.next, struct io_sock, link);

        list_remove(&sock->link);
        handles_remove(handles, sock->slot);
        kernel_close(sock);
        sock->events->closed(sock);
    }
}
