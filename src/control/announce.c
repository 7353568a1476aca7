/* control/announce.c: logs what has started. Control's thread; owns nothing. */
#include "control/announce.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log/log.h"

void announce_warnings(const struct config *config)
{
    for (size_t i = 0; i < config->warning_count; i++) {
        const char *text = config->warnings[i], *word = strstr(text, CONFIG_WARNING);

        /* without the word "warning": the level of the line says it */
        log_warn("%.*s%s", word ? (int)(word - text) : 0, text, word ? word + strlen(CONFIG_WARNING) : text);
    }
}

static void announce_admin(const struct config *config, const char *warning)
{
    char text[ADDR_TEXT_BYTES];

    if (*warning != '\0')
        log_warn("%s; without it, penstock status and the other subcommands cannot reach this process; or set admin = off", warning);
    else if (addr_family(&config->admin) != AF_UNSPEC)
        log_info("admin socket %s", addr_format(&config->admin, text, sizeof(text)));
    if (addr_family(&config->http) != AF_UNSPEC)
        log_info("http on %s", addr_format(&config->http, text, sizeof(text)));
}

void announce_start(const struct config *config, const char *engine, const struct capacity *capacity, const char *admin_warning)
{
    char flows[32] = "";

    log_info("engine %s", engine);
    announce_warnings(config);
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        char first[ADDR_TEXT_BYTES], more[32] = "";

        if (listener->bind_count > 1)
            (void)snprintf(more, sizeof(more), " and %zu more", listener->bind_count - 1);
        log_info("listener %s: %s%s, pool %s with %zu backend%s", listener->name, addr_format(&listener->binds[0].addr, first, sizeof(first)), more,
                 config->pools[listener->pool].name, config->pools[listener->pool].backend_count,
                 config->pools[listener->pool].backend_count == 1 ? "" : "s");
    }
    announce_admin(config, admin_warning);
    if (capacity->flows > 0)
        (void)snprintf(flows, sizeof(flows), " and %" PRIu32 " UDP flows", capacity->flows);
    log_info("ready: penstock %s, %u worker%s, at most %" PRIu32 " connections%s", PENSTOCK_VERSION, config->workers, config->workers == 1 ? "" : "s",
             capacity->connections, flows);
}
