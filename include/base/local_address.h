/* base/local_address.h: what EADDRNOTAVAIL of connect(2) means. Any thread; owns nothing. */
#ifndef BASE_LOCAL_ADDRESS_H
#define BASE_LOCAL_ADDRESS_H

#include <stdbool.h>

#include "base/addr.h"

/* Whether this machine has no local address from which it could send to `to`, such as a machine without any IPv6 address. Call it after connect(2) on a TCP
 * socket has failed with EADDRNOTAVAIL: if there is an address, what is lacking is a free local port. It connects a datagram socket, which sends nothing.
 * Returns false if that socket cannot be opened. */
bool local_address_is_missing(const struct addr *to);

#endif
