/* config/protocols.c: checks that pools fit the transport protocols of the listeners that use them. Thread that loads the configuration. */
#include "config/build.h"

/* Reports each backend that a UDP listener cannot use. */
static void check_backends(struct config_build *build, const struct config_listener *listener)
{
    const struct config_pool *pool = &build->pools[listener->pool];

    for (size_t i = 0; i < pool->backend_count; i++) {
        if (addr_family(&pool->backends[i].addr) == AF_UNIX)
            config_errors_add(build->errors, &build->backend_keys[listener->pool][i]->place,
                              "backend %s: a UNIX socket cannot serve listener \"%s\", which is for UDP: give it an IP address and port",
                              pool->backends[i].name, listener->name);
    }
}

/* With udp_responses = 0, clients share flows, so no header could say which client a datagram is from. */
static void check_proxy_header(struct config_build *build, const struct config_listener *listener, const struct config_place *place)
{
    const struct config_pool *pool = &build->pools[listener->pool];

    if (pool->settings.proxy_protocol == CONFIG_PROXY_OFF)
        return;
    if (listener->settings.protocol != CONFIG_PROTOCOL_UDP)
        config_errors_add(build->errors, place, "pool = %s: its proxy_protocol is for UDP only in this version, and listener \"%s\" serves TCP: use another "
                          "pool, or protocol = udp", pool->name, listener->name);
    else if (pool->settings.udp_responses == 0)
        config_errors_add(build->errors, place, "pool = %s: with udp_responses = 0, clients share flows, and no proxy_protocol is possible: set one of them to "
                          "another value", pool->name);
}

/* A pool that serves only UDP is probed with a datagram, unless the file says otherwise: a healthy UDP server refuses TCP connections. */
static void set_default_checks(struct config_build *build)
{
    enum { TCP = 1, UDP = 2 };
    const struct config *config = build->config;
    uint8_t *uses = config_arena_alloc(build->arena, config->pool_count * sizeof(*uses));

    for (size_t i = 0; i < config->listener_count && uses; i++) {
        enum config_protocol protocol = config->listeners[i].settings.protocol;

        if (config->listeners[i].pool < config->pool_count)
            uses[config->listeners[i].pool] |= protocol == CONFIG_PROTOCOL_TCP ? TCP : protocol == CONFIG_PROTOCOL_UDP ? UDP : TCP | UDP;
    }
    for (size_t i = 0; i < config->pool_count && uses; i++) {
        if (uses[i] == UDP && !build->has_check[i])
            build->pools[i].settings.check = CONFIG_CHECK_UDP;
    }
}

void config_protocols_check(struct config_build *build)
{
    const struct config *config = build->config;

    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];

        if (listener->pool >= config->pool_count)
            continue;
        if (listener->settings.protocol != CONFIG_PROTOCOL_TCP)
            check_backends(build, listener);
        check_proxy_header(build, listener, &build->bind_lists[i].pool->place);
    }
    set_default_checks(build);
}
