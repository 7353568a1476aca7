/* config/machine.h: the addresses of this machine. Within src/config; one thread at a time. */
#ifndef CONFIG_MACHINE_H
#define CONFIG_MACHINE_H

#include "base/addr.h"
#include "config/arena.h"
#include "config/index.h"

/* Starts as all zero. The arena owns its memory. */
struct config_machine {
    bool read;
    struct config_index interfaces; /* names, by address */
    const char *loopback;           /* the interface of 127.0.0.0/8 */
};

/* Returns the name of the interface that has the address; the port does not matter. A connection from this machine to that address comes back to this machine,
 * and for SO_BINDTODEVICE it arrives on that interface. Returns NULL if the address does not belong to this machine or the kernel does not tell. Asks the
 * kernel only once. */
const char *config_machine_interface(struct config_machine *machine, struct config_arena *arena, const struct addr *addr);

#endif
