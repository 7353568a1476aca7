/* config/machine.h: the addresses of this machine. Within src/config; one thread at a time. */
#ifndef CONFIG_MACHINE_H
#define CONFIG_MACHINE_H

#include "base/addr.h"
#include "config/arena.h"
#include "config/index.h"

/* All zero to begin with; its memory is the arena's. */
struct config_machine {
    bool read;
    struct config_index interfaces; /* names, by address */
    const char *loopback;           /* the interface of 127.0.0.0/8 */
};

/* The name of the interface that has the address, whatever its port: a connection from this machine to that address comes back to it, and comes in by
 * that interface for SO_BINDTODEVICE. NULL: it is not an address of this machine, or the kernel would not say. The kernel is asked once. */
const char *config_machine_interface(struct config_machine *machine, struct config_arena *arena, const struct addr *addr);

#endif
