/* two_ends_are_a_hangup: POLLHUP is also set when both sides have sent FIN normally, even while bytes are still in flight. It is not set after FIN of only
 * one side.
 *
 * Seen: 6.18.
 * Relied on by: src/io/kernel.c. kernel_undelivered() therefore checks TCP_INFO, and kernel_hung_up() indicates a reset only if we have not sent FIN. */
#include "fact.h"

int main(void)
{
    struct fact_pair pair = fact_tcp_pair();

    fact_fill(pair.ours);
    (void)MUST(shutdown(pair.theirs, SHUT_WR));
    fact_holds(fact_await(pair.ours, POLLRDHUP) & POLLRDHUP, "the peer's FIN is no POLLRDHUP");
    fact_holds(!(fact_ready(pair.ours, 0) & POLLHUP), "the peer's FIN alone is a POLLHUP");
    (void)MUST(shutdown(pair.ours, SHUT_WR));
    fact_holds(fact_ready(pair.ours, 0) & POLLHUP, "FIN of both sides is no POLLHUP");
    fact_holds(fact_asked(pair.ours, SIOCOUTQ) > 0 && fact_tcp_state(pair.ours) != TCP_CLOSE, "nothing is on its way any more: state %d",
               fact_tcp_state(pair.ours));
    return 0;
}
