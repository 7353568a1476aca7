/* admin/server.c: the admin thread: waits for its two sockets and for orders of control, and lets the HTTP library work. Owns the sockets. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "admin/admin.h"
#include "admin/exchange.h"
#include "table/mailbox.h"

enum { ADMIN_SOCKET, HTTP_SOCKET, SOCKETS };

/* Orders: one bit for each state, and one to end. */
#define ORDER_STATE(state) (UINT32_C(1) << (state))
#define ORDER_STOP ORDER_STATE(ADMIN_DRAINING + 1)

struct admin {
    struct admin_service service;
    struct mailbox mailbox;
    struct endpoint endpoints[SOCKETS];
    struct exchange_totals totals;
    pthread_t thread;
};

/* Returns how long poll(2) may wait. The library may have work that no descriptor shows: its epoll instances are edge-triggered. */
static int find_timeout_ms(const struct admin *admin)
{
    MHD_UNSIGNED_LONG_LONG least = 60000, timeout;

    for (size_t i = 0; i < SOCKETS; i++) {
        struct MHD_Daemon *daemon = admin->endpoints[i].daemon;

        if (admin->endpoints[i].has_room)
            return 0;
        if (daemon && MHD_get_timeout(daemon, &timeout) == MHD_YES && timeout < least)
            least = timeout;
    }
    return (int)least;
}

static void wait_for_work(const struct admin *admin)
{
    struct pollfd fds[SOCKETS + 1] = {{.fd = admin->mailbox.event_fd, .events = POLLIN}};
    nfds_t count = 1;

    for (size_t i = 0; i < SOCKETS; i++) {
        if (admin->endpoints[i].daemon)
            fds[count++] = (struct pollfd){.fd = MHD_get_daemon_info(admin->endpoints[i].daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN};
    }
    (void)poll(fds, count, find_timeout_ms(admin)); /* after an error the loop runs once for nothing */
}

/* Returns whether the thread goes on. */
static bool follow_orders(struct admin *admin)
{
    uint32_t orders;

    mailbox_clear(&admin->mailbox);
    orders = mailbox_take_orders(&admin->mailbox);
    for (unsigned state = ADMIN_RUNNING; state <= ADMIN_DRAINING; state++) { /* states follow in this order */
        if (orders & ORDER_STATE(state))
            admin->service.state = (enum admin_state)state;
    }
    return !(orders & ORDER_STOP);
}

static void *admin_thread(void *argument)
{
    struct admin *admin = argument;

    (void)pthread_setname_np(pthread_self(), "penstock-admin");
    while (follow_orders(admin)) {
        for (size_t i = 0; i < SOCKETS; i++) {
            admin->endpoints[i].has_room = false;
            if (admin->endpoints[i].daemon)
                (void)MHD_run(admin->endpoints[i].daemon); /* fails only for a daemon with threads of its own */
        }
        wait_for_work(admin);
    }
    return NULL;
}

static int start_thread(struct admin *admin)
{
    sigset_t all, before;
    int error;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = -pthread_create(&admin->thread, NULL, admin_thread, admin);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static void admin_free(struct admin *admin)
{
    for (size_t i = 0; i < SOCKETS; i++)
        exchange_close(&admin->endpoints[i]);
    mailbox_deinit(&admin->mailbox);
    free(admin);
}

static int open_endpoint(struct admin *admin, unsigned index, int fd)
{
    struct endpoint *endpoint = &admin->endpoints[index];

    *endpoint = (struct endpoint){.read_only = index == HTTP_SOCKET, .service = &admin->service, .totals = &admin->totals};
    if (fd < 0)
        return 0;
    return listen(fd, SOMAXCONN) < 0 ? -errno : exchange_open(endpoint, fd);
}

struct admin *admin_start(const struct admin_options *options, int *error)
{
    struct admin *admin = calloc(1, sizeof(*admin));

    *error = -ENOMEM;
    if (!admin)
        return NULL;
    admin->service = (struct admin_service){.facts = options->facts, .links = options->links, .state = ADMIN_STARTING};
    *error = mailbox_init(&admin->mailbox, &(struct mailbox_options){0});
    if (*error == 0)
        *error = open_endpoint(admin, ADMIN_SOCKET, options->admin_fd);
    if (*error == 0)
        *error = open_endpoint(admin, HTTP_SOCKET, options->http_fd);
    if (*error == 0)
        *error = start_thread(admin);
    if (*error == 0)
        return admin;
    admin_free(admin);
    return NULL;
}

void admin_set_state(struct admin *admin, enum admin_state state)
{
    if (admin)
        mailbox_order(&admin->mailbox, ORDER_STATE(state));
}

void admin_stop(struct admin *admin)
{
    if (!admin)
        return;
    mailbox_order(&admin->mailbox, ORDER_STOP);
    (void)pthread_join(admin->thread, NULL);
    admin_free(admin);
}
