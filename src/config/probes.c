/* config/probes.c: checks the keys of a pool that are about its probes, where one key is not enough to judge. Thread that loads the configuration. */
#include <string.h>

#include "base/host.h"
#include "config/build.h"
#include "config/certificates.h"

enum { SERVER_TIMEOUT_MS = 5000, CONNECT_TIMEOUT_MS = 1000 };

/* A model server that is busy may answer a request late. That it accepts a connection does not depend on its load. */
uint32_t config_probes_timeout_ms(enum config_check check)
{
    return check == CONFIG_CHECK_HTTP || check == CONFIG_CHECK_HTTPS || check == CONFIG_CHECK_GRPC ? SERVER_TIMEOUT_MS : CONNECT_TIMEOUT_MS;
}

/* Refuses check_body with the method HEAD, whose response has no body. Reports it where this pool sets one of the two, or once if [defaults] sets both. */
static void check_head(struct config_build *build, const struct config_pool *pool)
{
    const struct pool_settings *settings = &pool->settings;
    const struct config_raw_key *raw = config_build_own(build, "check_body");

    if (!settings->check_body || strcmp(settings->check_method, "HEAD") != 0)
        return;
    if (!raw && (settings->check == CONFIG_CHECK_HTTP || settings->check == CONFIG_CHECK_HTTPS)) {
        raw = config_build_own(build, "check_method");
        if (!raw && !build->head_refused) {
            raw = config_build_default(build, "check_body");
            build->head_refused = true;
        }
    }
    if (raw)
        config_errors_add(build->errors, &raw->place, "%s = %s: check_body needs an answer with a body, and check_method = HEAD gets none", raw->name,
                          raw->value);
}

/* Refuses a check_host that no certificate can be for, if it is what the certificate must be for. */
static void check_name(struct config_build *build, const struct pool_settings *settings)
{
    const struct config_raw_key *raw = config_build_own(build, "check_host");
    struct host host;

    if (settings->check_tls_name || !settings->check_host || host_parse(&host, settings->check_host))
        return;
    if (!raw)
        raw = config_build_default(build, "check_host");
    config_errors_add(build->errors, &raw->place, "check_host = %s: not a name that a certificate can be for: add check_tls_name", raw->value);
}

/* Refuses a check_tls_ca that cannot be read. Reports that of [defaults] once. A text that is not a file is checked without opening files. */
static void check_certificates(struct config_build *build, const struct pool_settings *settings)
{
    const struct config_raw_key *own = config_build_own(build, "check_tls_ca"), *raw = own;
    const char *problem;

    if (!settings->check_tls_ca || !settings->check_tls_verify || !build->raw->is_file)
        return;
    if (!raw)
        raw = config_build_default(build, "check_tls_ca");
    if (raw == build->ca_refused)
        return;
    problem = config_certificates_check(settings->check_tls_ca);
    if (!problem)
        return;
    config_errors_add(build->errors, &raw->place, "check_tls_ca = %s: %s", raw->value, problem);
    if (!own)
        build->ca_refused = raw;
}

/* Refuses keys about TLS of a gRPC probe that does not use it. */
static void check_no_tls(struct config_build *build)
{
    static const char *const names[] = {"check_tls_verify", "check_tls_ca", "check_tls_name"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct config_raw_key *raw = config_build_own(build, names[i]);
        if (raw)
            config_errors_add(build->errors, &raw->place, "%s has no effect on a gRPC probe without check_tls = yes", names[i]);
    }
}

/* Refuses check = exec without a command, and unless [global] allows it, which is reported once. */
static void check_exec(struct config_build *build, const struct pool_settings *settings)
{
    const struct config_raw_key *raw = config_build_own(build, "check");

    if (!raw)
        raw = config_build_default(build, "check");
    if (!build->config->allow_exec && !build->exec_refused)
        config_errors_add(build->errors, &raw->place, "check = exec: not allowed, because it runs a program: set allow_exec = yes in [global]");
    build->exec_refused = !build->config->allow_exec;
    if (!settings->check_command && !config_build_is_written(build, "check_command"))
        config_errors_add(build->errors, &raw->place, "check = exec: needs a program: add check_command = /PATH");
}

static bool has_agent(const struct config_pool *pool)
{
    bool found = pool->settings.check == CONFIG_CHECK_AGENT || pool->settings.agent_port > 0;

    for (size_t i = 0; i < pool->backend_count; i++)
        found |= pool->backends[i].settings.agent_port > 0;
    return found;
}

/* Refuses keys of agents in a pool without agents, and agents of UNIX backends that have no address. */
static void check_agent(struct config_build *build, const struct config_raw_section *section, const struct config_pool *pool)
{
    static const char *const keys[] = {"agent_interval", "agent_send"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !has_agent(pool); i++) {
        const struct config_raw_key *raw = config_build_own(build, keys[i]);
        if (raw && strcmp(raw->value, "auto") != 0)
            config_errors_add(build->errors, &raw->place, "%s has no effect without agent_port, or check = agent", raw->name);
    }
    for (size_t i = 0; i < pool->backend_count; i++) {
        const struct config_backend *backend = &pool->backends[i];
        bool has_port = pool->settings.agent_port > 0 || backend->settings.agent_port > 0;
        if (has_port && addr_family(&backend->addr) == AF_UNIX && !pool->settings.check_address_set)
            config_errors_add(build->errors, &build->backend_keys[section->position][i]->place, "backend %s: a UNIX socket has no ports: agent_port needs a "
                              "check_address", backend->name);
    }
}

void config_probes_check(struct config_build *build, const struct config_raw_section *section, const struct config_pool *pool)
{
    check_agent(build, section, pool);
    check_head(build, pool);
    if (pool->settings.check == CONFIG_CHECK_GRPC && !pool->settings.check_tls)
        check_no_tls(build);
    if (pool->settings.check == CONFIG_CHECK_HTTPS || (pool->settings.check == CONFIG_CHECK_GRPC && pool->settings.check_tls)) {
        check_name(build, &pool->settings);
        check_certificates(build, &pool->settings);
    }
    if (pool->settings.check == CONFIG_CHECK_EXEC)
        check_exec(build, &pool->settings);
}
