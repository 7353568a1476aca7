/* bound_socket_is_in_nobodys_way: a socket with SO_REUSEADDR that is bound but does not listen yet does not keep another socket with SO_REUSEADDR from
 * binding the same address. Once one of the two listens, listen(2) on the other fails with EADDRINUSE.
 *
 * Seen: 6.18.
 * Relied on by: src/control/start_lock.c, start_lock_take(). Between the check of an address and listen(2), another Penstock could bind the same address
 * without an error. */
#include "fact.h"

int main(void)
{
    int first = fact_socket(), second = fact_socket(), error;
    struct sockaddr_in address = fact_loopback(0);

    fact_set(first, SOL_SOCKET, SO_REUSEADDR, 1);
    fact_set(first, SOL_SOCKET, SO_REUSEPORT, 1);
    fact_set(second, SOL_SOCKET, SO_REUSEADDR, 1);
    (void)MUST(-fact_bind(first, &address));
    address = fact_name(first);
    error = fact_bind(second, &address);
    fact_holds(error == 0, "binding an address on which nobody listens: %s", strerror(error));
    (void)MUST(listen(second, 16));
    error = listen(first, 16) < 0 ? errno : 0;
    fact_holds(error == EADDRINUSE, "listening where another socket has begun to: %s", strerror(error));
    return 0;
}
