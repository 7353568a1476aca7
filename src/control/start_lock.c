/* control/start_lock.c: the lock of the network namespace: an abstract UNIX address, which the kernel frees when its process ends. Control's thread; owns
 * nothing. */
#include "control/start_lock.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "log/log.h"

#define RETRY_NS 50000000L
#define PATIENCE_NS ((uint64_t)4000000000)      /* twice as long as sockets_open() retries an address */
#define PATIENCE_MAX_NS ((uint64_t)60000000000)

static const struct sockaddr_un lock_name = {.sun_family = AF_UNIX, .sun_path = "\0penstock-binding"};
static const socklen_t lock_name_bytes = offsetof(struct sockaddr_un, sun_path) + sizeof("\0penstock-binding") - 1;

/* Whether root or our own user holds the lock. Such a holder is a Penstock that starts slowly; any other may want to keep us from starting. */
static bool is_trusted(void)
{
    struct ucred holder;
    socklen_t length = sizeof(holder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool trusted = fd >= 0 && connect(fd, (const struct sockaddr *)&lock_name, lock_name_bytes) == 0 &&
                   getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &holder, &length) == 0 && (holder.uid == 0 || holder.uid == geteuid());

    if (fd >= 0)
        (void)close(fd);
    return trusted;
}

int start_lock_take(void)
{
    uint64_t began_ns = clock_now_ns();
    struct timespec pause = {.tv_nsec = RETRY_NS};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    while (fd >= 0 && bind(fd, (const struct sockaddr *)&lock_name, lock_name_bytes) < 0) {
        int error = errno;
        uint64_t waited_ns = clock_now_ns() - began_ns;

        if (error != EADDRINUSE || waited_ns > PATIENCE_MAX_NS || (waited_ns > PATIENCE_NS && !is_trusted())) {
            log_warn("starting without the lock @penstock-binding: %s; if another penstock starts now, both may bind the same address",
                     error == EADDRINUSE ? "another process holds it" : strerror(error));
            (void)close(fd);
            return -1;
        }
        (void)nanosleep(&pause, NULL);
    }
    if (fd >= 0)
        (void)listen(fd, SOMAXCONN); /* so that is_trusted() in another process can connect */
    return fd;
}

void start_lock_release(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}
