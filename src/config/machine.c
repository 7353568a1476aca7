/* config/machine.c: asks the kernel for the addresses of this machine. Thread that loads the configuration; the arena owns the memory. */
#include "config/machine.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

/* Writes the address as a text without its port. */
static void format_host(char out[ADDR_TEXT_BYTES], struct addr addr)
{
    addr_set_port(&addr, 0);
    addr_format(&addr, out, ADDR_TEXT_BYTES);
}

static void remember_address(struct config_machine *machine, struct config_arena *arena, const struct ifaddrs *entry)
{
    int family = entry->ifa_addr ? entry->ifa_addr->sa_family : AF_UNSPEC;
    struct addr addr = {.length = 0};
    char text[ADDR_TEXT_BYTES], *name, *copy;

    if (family != AF_INET && family != AF_INET6)
        return;
    if (family == AF_INET) {
        addr.length = sizeof(addr.in);
        memcpy(&addr.in, entry->ifa_addr, sizeof(addr.in));
    } else {
        addr.length = sizeof(addr.in6);
        memcpy(&addr.in6, entry->ifa_addr, sizeof(addr.in6));
    }
    name = config_arena_copy(arena, entry->ifa_name, strlen(entry->ifa_name));
    if (!name)
        return;
    name[strcspn(name, ":")] = '\0'; /* an address with a label, such as eth0:1, belongs to eth0 */
    if (entry->ifa_flags & IFF_LOOPBACK)
        machine->loopback = name;
    format_host(text, addr);
    copy = config_index_find(&machine->interfaces, text) ? NULL : config_arena_copy(arena, text, strlen(text));
    if (copy)
        config_index_add(&machine->interfaces, arena, copy, name);
}

/* Reads all addresses. If the kernel refuses, as under a strict seccomp filter, only the loopback interface is known; this does not prevent a start. */
static void read_addresses(struct config_machine *machine, struct config_arena *arena)
{
    struct ifaddrs *list;

    machine->read = true;
    machine->loopback = "lo";
    if (getifaddrs(&list) < 0) {
        arena->failed |= errno == ENOMEM;
        return;
    }
    for (const struct ifaddrs *entry = list; entry; entry = entry->ifa_next)
        remember_address(machine, arena, entry);
    freeifaddrs(list);
}

const char *config_machine_interface(struct config_machine *machine, struct config_arena *arena, const struct addr *addr)
{
    char text[ADDR_TEXT_BYTES];
    const char *name;

    if (!machine->read)
        read_addresses(machine, arena);
    format_host(text, *addr);
    name = config_index_find(&machine->interfaces, text);
    return name || !addr_is_loopback(addr) ? name : machine->loopback;
}
