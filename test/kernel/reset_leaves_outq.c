/* reset_leaves_outq: after a reset, SIOCOUTQ still counts the bytes that were never acknowledged, while TCP_INFO reports that the connection is closed.
 *
 * Seen: 6.18.
 * Relied on by: src/io/kernel.c, kernel_undelivered(). Without TCP_INFO, it would count bytes for a peer that is gone. */
#include "fact.h"

int main(void)
{
    struct fact_pair pair = fact_tcp_pair();

    fact_fill(pair.ours);
    fact_reset(pair.theirs);
    (void)fact_await(pair.ours, POLLHUP);
    fact_holds(fact_asked(pair.ours, SIOCOUTQ) > 0, "SIOCOUTQ is 0 after a reset");
    fact_holds(fact_tcp_state(pair.ours) == TCP_CLOSE, "the state of the connection is %d instead of TCP_CLOSE", fact_tcp_state(pair.ours));
    return 0;
}
