/* accept_inherits_options: an accepted TCP socket inherits TCP_NODELAY, SO_OOBINLINE, TCP_USER_TIMEOUT, TCP_CONGESTION and the buffer sizes from the
 * listening socket.
 *
 * Seen: 6.18.
 * Relied on by: src/control/binding.c, set_options(), which sets the options once, so that no call is needed for each client. */
#include "fact.h"

static const struct {
    const char *name;
    int level, option, value;
} options[] = {
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1},
    {"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 1},
    {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 12345},
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 50000},
    {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 60000},
};

static void get_congestion(int fd, char name[16])
{
    socklen_t length = 16;

    (void)MUST(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length));
}

int main(void)
{
    int listener = fact_socket(), plain = fact_socket(), accepted;
    struct sockaddr_in address;
    char configured[16] = "reno", usual[16] = "", inherited[16] = "";

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        fact_set(listener, options[i].level, options[i].option, options[i].value);
    get_congestion(plain, usual);
    if (strcmp(usual, "reno") == 0)
        (void)snprintf(configured, sizeof(configured), "cubic");
    if (setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, configured, (socklen_t)strlen(configured)) < 0)
        (void)snprintf(configured, sizeof(configured), "%s", usual);
    address = fact_listen(listener);
    (void)fact_call(&address);
    accepted = MUST(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        int set = fact_get(listener, options[i].level, options[i].option), got = fact_get(accepted, options[i].level, options[i].option);

        fact_holds(got == set && got != fact_get(plain, options[i].level, options[i].option), "%s of the accepted socket is %d, of the other one %d",
                   options[i].name, got, set);
    }
    get_congestion(accepted, inherited);
    fact_holds(strcmp(inherited, configured) == 0, "TCP_CONGESTION of the accepted socket is %s, of the other one %s", inherited, configured);
    return 0;
}
