/* config/keys.c: THE table of configuration keys. Everything that knows a key reads it here: the parser, `penstock check --help`, and
 * the tests that keep etc/penstock.ini and etc/man/penstock.ini.5 equal to it. Constant; any thread. */
#include "config/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "config/config.h"

#define FIELD(object, field) .offset = offsetof(struct object, field), .bytes = sizeof(((struct object *)0)->field)
#define GLOBAL(field) .section = CONFIG_IN_GLOBAL, FIELD(config, field)
#define LISTENER(field) .section = CONFIG_IN_LISTENER, FIELD(config_listener, settings.field)
#define POOL(field) .section = CONFIG_IN_POOL, FIELD(config_pool, settings.field)

#define S(n) ((n) * UINT64_C(1000))
#define H(n) ((n) * UINT64_C(3600000))
#define KIB(n) ((n) * UINT64_C(1024))
#define CONNECTIONS_MAX 10000000

const struct config_key config_keys[] = {
    {.name = "workers", GLOBAL(workers), .type = CONFIG_NUMBER, .initial = "auto", .zero = "auto", .min = 1, .max = 1024,
     .help = "Threads that move data; auto is one for each CPU that the process may run on."},
    {.name = "cpu_affinity", GLOBAL(affinity), .type = CONFIG_CPUS, .initial = "auto",
     .help = "CPUs that the workers are bound to: auto binds each to one of its own if there are as many workers as CPUs, off binds "
             "none, a list such as 0,2-3 is dealt out in turn."},
    {.name = "engine", GLOBAL(engine), .type = CONFIG_CHOICE, .initial = "auto", .choices = "auto|io_uring|epoll",
     .help = "Kernel interface; auto takes io_uring where it works and epoll elsewhere, a named one must work or nothing starts."},
    {.name = "busy_poll", GLOBAL(busy_poll_us), .type = CONFIG_DURATION_US, .initial = "off", .zero = "off", .free = "auto", .min = 1, .max = 1000,
     .help = "How long a worker looks for events before it sleeps: less latency for CPU time; auto looks only while the next event mostly is near, a time always "
             "looks so long."},
    {.name = "max_connections", GLOBAL(max_connections), .type = CONFIG_NUMBER, .initial = "auto", .zero = "auto", .min = 1,
     .max = CONNECTIONS_MAX, .help = "Sessions open at once, over all listeners and workers; further clients wait to be accepted; auto is what the limit of "
             "open files leaves room for."},
    {.name = "seed", GLOBAL(seed), .type = CONFIG_NUMBER, .initial = "0", .max = UINT64_MAX,
     .help = "Seed of the keyed hash; balancers with equal pools and equal seeds choose the same backends (decimal, or 0x and hex)."},
    {.name = "drain_timeout", GLOBAL(drain_timeout_ms), .type = CONFIG_DURATION, .initial = "30s", .max = H(24),
     .help = "How long a stop waits for open sessions before it ends them."},
    {.name = "log", GLOBAL(log), .type = CONFIG_SINK, .initial = "stderr", .max = 4095, .help = "Where log lines go: stderr or a path."},
    {.name = "log_level", GLOBAL(log_level), .type = CONFIG_CHOICE, .initial = "info", .choices = "error|warn|info|debug",
     .help = "Least important lines that are still logged."},
    {.name = "access_log", GLOBAL(access_log), .type = CONFIG_SINK, .initial = "off", .zero = "off", .max = 4095,
     .help = "Where one line for each ended session goes: off, stderr or a path."},
    {.name = "user", GLOBAL(user), .type = CONFIG_WORD, .max = 255, .help = "Account to change to once the listeners are bound."},
    {.name = "group", GLOBAL(group), .type = CONFIG_WORD, .max = 255,
     .help = "Group to change to once the listeners are bound; the account's own without it."},
    {.name = "include", .section = CONFIG_IN_GLOBAL, .type = CONFIG_INCLUDE, .repeatable = true,
     .help = "A further file, or a pattern such as conf.d/*.ini (which may match nothing), relative to this file; read at once, before "
             "the lines below."},

    {.name = "bind", .section = CONFIG_IN_LISTENER, .type = CONFIG_BIND, .repeatable = true, .own_section_only = true,
     .help = "Address to accept clients on: 0.0.0.0:8001, [::]:8001 (IPv6 only), *:8001 (both), a port range 0.0.0.0:8000-8010, "
             "unix:/path or unix:@name."},
    {.name = "protocol", .section = CONFIG_IN_LISTENER, .type = CONFIG_CHOICE, .initial = "tcp", .choices = "tcp", .later = "udp",
     .help = "What the clients speak."},
    {.name = "pool", .section = CONFIG_IN_LISTENER, .type = CONFIG_POOL, .own_section_only = true, .max = 49,
     .help = "Name of the pool that serves the clients."},
    {.name = "max_connections", LISTENER(max_connections), .type = CONFIG_NUMBER, .initial = "off", .zero = "off", .min = 1,
     .max = CONNECTIONS_MAX, .help = "Sessions open at once through this listener, over all workers; further clients wait to be accepted; off leaves only the "
             "global limit."},
    {.name = "backlog", LISTENER(backlog), .type = CONFIG_NUMBER, .initial = "4096", .min = 1, .max = 65535,
     .help = "Connections that may wait to be accepted, for each address and worker; the kernel cuts it to net.core.somaxconn."},
    {.name = "keepalive", LISTENER(keepalive_ms), .type = CONFIG_DURATION, .initial = "60s", .zero = "off", .min = S(1),
     .max = S(32767), .step = S(1), .help = "Quiet time before the first TCP keepalive probe, on both sides; whole seconds; off sends none."},
    {.name = "tcp_user_timeout", LISTENER(tcp_user_timeout_ms), .type = CONFIG_DURATION, .initial = "off", .zero = "off", .min = 100,
     .max = H(24), .help = "How long sent data may stay unacknowledged, or unsent because the peer's window is full, on both sides: a peer that stops reading for this "
             "long is disconnected even if it is alive; to find peers that are gone while nothing is sent, use keepalive; off leaves it to the system."},
    {.name = "defer_accept", LISTENER(defer_accept), .type = CONFIG_YES_NO, .initial = "no",
     .help = "Accept a client only when its first bytes are there, or a silent one a second late; not for protocols in which the server "
             "speaks first."},
    {.name = "receive_buffer", LISTENER(receive_buffer_bytes), .type = CONFIG_SIZE, .initial = "auto", .zero = "auto", .min = KIB(4),
     .max = KIB(1048576), .help = "SO_RCVBUF on both sides; auto leaves it to the system, which is nearly always better."},
    {.name = "send_buffer", LISTENER(send_buffer_bytes), .type = CONFIG_SIZE, .initial = "auto", .zero = "auto", .min = KIB(4),
     .max = KIB(1048576), .help = "SO_SNDBUF on both sides; auto leaves it to the system."},
    {.name = "interface", LISTENER(interface), .type = CONFIG_WORD, .max = 15,
     .help = "Network interface that clients must come in by (SO_BINDTODEVICE); backends are not concerned."},
    {.name = "congestion_control", LISTENER(congestion_control), .type = CONFIG_WORD, .initial = "auto", .zero = "system", .max = 15,
     .help = "TCP_CONGESTION: a name such as bbr or cubic is for connections to clients; auto is the system's, but reno instead of bbr on the loopback, on "
             "both sides; system leaves both alone."},

    {.name = "balance", POOL(balance), .type = CONFIG_CHOICE, .initial = "least_conn",
     .choices = "round_robin|least_conn|random|consistent_hash", .later = "rendezvous|least_time|first",
     .help = "How a backend is picked: in turn, fewest sessions for its weight, better of two random ones, or by the client's address."},
    {.name = "hash_key", POOL(hash_key), .type = CONFIG_CHOICE, .initial = "source_ip", .choices = "source_ip|source_ip_port",
     .used_with = "balance=consistent_hash", .help = "What is hashed."},
    {.name = "hash_prefix_v4", POOL(hash_prefix_v4), .type = CONFIG_NUMBER, .initial = "32", .max = 32,
     .used_with = "balance=consistent_hash", .help = "Leading bits of an IPv4 client address that are hashed."},
    {.name = "hash_prefix_v6", POOL(hash_prefix_v6), .type = CONFIG_NUMBER, .initial = "128", .max = 128,
     .used_with = "balance=consistent_hash", .help = "Leading bits of an IPv6 client address that are hashed."},
    {.name = "hash_table_size", POOL(hash_table_size), .type = CONFIG_NUMBER, .initial = "65537", .min = 3, .max = 5000011,
     .used_with = "balance=consistent_hash",
     .help = "Entries of the hash table: a prime, at least the number of backends; unless set, it grows to 100 times that number."},
    {.name = "backend", .section = CONFIG_IN_POOL, .type = CONFIG_BACKEND, .repeatable = true, .own_section_only = true,
     .help = "A server: NAME ADDRESS [weight=1..256] [max_connections=N] [check_port=N] [backup]; a backup serves only while no "
             "other one is up."},
    {.name = "check", POOL(check), .type = CONFIG_CHOICE, .initial = "tcp", .choices = "none|tcp|http", .later = "grpc|udp",
     .help = "How backends are probed: not at all, by connecting, or with an HTTP request."},
    {.name = "check_interval", POOL(check_interval_ms), .type = CONFIG_DURATION, .initial = "2s", .min = 10, .max = H(24),
     .help = "Time from one probe of a backend that is up to the next, start to start."},
    {.name = "check_timeout", POOL(check_timeout_ms), .type = CONFIG_DURATION, .initial = "1s", .min = 10, .max = H(1),
     .help = "Time that a probe may take, answer included."},
    {.name = "rise", POOL(rise), .type = CONFIG_NUMBER, .initial = "2", .min = 1, .max = 100,
     .help = "Successes in a row that bring a backend up."},
    {.name = "fall", POOL(fall), .type = CONFIG_NUMBER, .initial = "3", .min = 1, .max = 100,
     .help = "Failures in a row that take a backend down."},
    {.name = "check_fast_interval", POOL(check_fast_interval_ms), .type = CONFIG_DURATION, .initial = "auto", .zero = "auto",
     .min = 10, .max = H(24),
     .help = "Time between probes while they contradict the state and rise or fall is not reached; auto is a quarter of check_interval, "
             "at least 100ms, at most check_interval."},
    {.name = "check_down_interval", POOL(check_down_interval_ms), .type = CONFIG_DURATION, .initial = "auto", .zero = "auto",
     .min = 10, .max = H(24), .help = "Time between two probes of a backend that is down; auto is check_interval."},
    {.name = "check_address", POOL(check_address), .type = CONFIG_IP, .initial = "auto", .zero = "auto",
     .help = "IP address to probe; auto is the backend's own. UNIX backends then need a check_port, too."},
    {.name = "check_port", POOL(check_port), .type = CONFIG_NUMBER, .initial = "auto", .zero = "auto", .min = 1, .max = 65535,
     .help = "Port to probe; auto is the backend's own. check_port=N of a backend goes first. UNIX backends need a check_address, too."},
    {.name = "check_path", POOL(check_path), .type = CONFIG_URL_PATH, .initial = "/", .max = 1024, .used_with = "check=http",
     .help = "Path to ask for."},
    {.name = "check_host", POOL(check_host), .type = CONFIG_WORD, .max = 255, .used_with = "check=http",
     .help = "Host header to send; without it the address probed, or localhost for a UNIX socket."},
    {.name = "check_method", POOL(check_method), .type = CONFIG_METHOD, .initial = "GET", .max = 16, .used_with = "check=http",
     .help = "HTTP method, in capitals."},
    {.name = "check_status", POOL(check_status_min), .type = CONFIG_STATUS, .initial = "200-399", .used_with = "check=http",
     .help = "Status codes that count as success."},
    {.name = "check_body", POOL(check_body), .type = CONFIG_TEXT, .max = 1024, .used_with = "check=http",
     .help = "Text that the first 64 KiB of the answer must hold; anything will do without it."},
    {.name = "check_initial", POOL(check_initial_up), .type = CONFIG_CHOICE, .initial = "up", .choices = "down|up",
     .help = "State of a backend at start, which rise and fall then change."},
    {.name = "check_jitter", POOL(check_jitter_percent), .type = CONFIG_PERCENT, .initial = "10%", .max = 50,
     .help = "Share by which intervals are longer or shorter at random, so that probes do not come all at once."},
    {.name = "connect_timeout", POOL(connect_timeout_ms), .type = CONFIG_DURATION, .initial = "2s", .min = 1, .max = S(600),
     .help = "Time that connecting to one backend may take before the next one is tried."},
    {.name = "idle_timeout", POOL(idle_timeout_ms), .type = CONFIG_DURATION, .initial = "1h", .min = 10, .max = H(720),
     .help = "A session is ended when no byte moved in either direction for this long."},
    {.name = "half_close_timeout", POOL(half_close_timeout_ms), .type = CONFIG_DURATION, .initial = "30s", .min = 10, .max = H(720),
     .help = "Takes the place of idle_timeout, if shorter, once one side has finished sending."},
    {.name = "retries", POOL(retries), .type = CONFIG_NUMBER, .initial = "2", .max = 15,
     .help = "Further backends tried, each once, when connecting to the first fails; then the client is reset."},
    {.name = "splice", POOL(splice), .type = CONFIG_CHOICE, .initial = "auto", .choices = "auto|always|never",
     .help = "Whether data moves inside the kernel (splice) or is copied; auto splices a direction while much is moving in it."},
};

const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);

/* Named already, so that a file written for a later version gets the right answer. */
static const char *const later_keys[] = {
    "admin", "admin_mode", "http", "access_log_format", "state_file", "dns_servers", "allow_exec",
    "hash_load_bound", "prefer_zone", "check_send", "check_expect", "check_service", "max_connections", "queue_limit",
    "queue_timeout", "first_byte_timeout", "lifetime", "lifetime_jitter", "lifetime_quiet", "replay", "slow_start",
    "panic_threshold", "all_down", "eject_after", "eject_time", "eject_time_max", "eject_share", "on_down", "drain_timeout",
    "source", "transparent", "udp_idle_timeout", "udp_responses", "udp_requests", "udp_per_packet", "max_flows", "flow_rate",
};

bool config_key_is_in(const struct config_key *key, enum config_section section)
{
    if (section == CONFIG_IN_DEFAULTS)
        return key->section != CONFIG_IN_GLOBAL && !key->own_section_only;
    return key->section == section;
}

const struct config_key *config_key_find(enum config_section section, const char *name)
{
    for (size_t i = 0; i < config_key_count; i++)
        if (config_key_is_in(&config_keys[i], section) && strcmp(config_keys[i].name, name) == 0)
            return &config_keys[i];
    return NULL;
}

bool config_key_is_later(const char *name)
{
    for (size_t i = 0; i < sizeof(later_keys) / sizeof(later_keys[0]); i++)
        if (strcmp(later_keys[i], name) == 0)
            return true;
    return false;
}

bool config_choice_find(const char *choices, const char *choice, uint64_t *index)
{
    size_t length = strlen(choice);
    *index = 0;
    for (const char *at = choices; at; (*index)++) {
        const char *bar = strchr(at, '|');
        size_t n = bar ? (size_t)(bar - at) : strlen(at);
        if (n == length && strncmp(at, choice, n) == 0)
            return true;
        at = bar ? bar + 1 : NULL;
    }
    return false;
}

static void format_bound(const struct config_key *key, uint64_t value, char *buffer, size_t size)
{
    if (key->type == CONFIG_DURATION)
        duration_format(value, buffer, size);
    else if (key->type == CONFIG_DURATION_US)
        duration_us_format(value, buffer, size);
    else if (key->type == CONFIG_SIZE)
        size_format(value, buffer, size);
    else
        snprintf(buffer, size, "%" PRIu64 "%s", value, key->type == CONFIG_PERCENT ? "%" : "");
}

/* Types whose values are not between two bounds. */
static const char *const ranges[] = {
    [CONFIG_YES_NO] = "yes or no",
    [CONFIG_CPUS] = "auto, off, or a list such as 0,2-3",
    [CONFIG_WORD] = "text without blanks",
    [CONFIG_TEXT] = "text",
    [CONFIG_SINK] = "stderr or a path",
    [CONFIG_URL_PATH] = "a path that begins with /",
    [CONFIG_METHOD] = "a word in capitals",
    [CONFIG_STATUS] = "a code from 100 to 599, or two with - between them",
    [CONFIG_IP] = "an IPv4 or IPv6 address",
    [CONFIG_INCLUDE] = "a path or a pattern",
    [CONFIG_BIND] = "an address with a port or ports",
    [CONFIG_POOL] = "the name of a pool",
    [CONFIG_BACKEND] = "a name, an address, options",
};

const char *config_key_range(const struct config_key *key, char *buffer, size_t size)
{
    char min[DURATION_TEXT_BYTES], max[DURATION_TEXT_BYTES];
    const char *zero = key->zero ? key->zero : "", *or = key->zero ? ", or " : "";
    size_t n = 0;

    switch (key->type) {
    case CONFIG_NUMBER:
    case CONFIG_DURATION:
    case CONFIG_DURATION_US:
    case CONFIG_SIZE:
    case CONFIG_PERCENT:
        format_bound(key, key->min, min, sizeof(min));
        format_bound(key, key->max, max, sizeof(max));
        snprintf(buffer, size, "%s%s%s%s%s to %s", zero, key->free ? ", " : "", key->free ? key->free : "", or, min, max);
        break;
    case CONFIG_CHOICE:
        for (const char *c = key->choices; *c && n + 3 < size; c++) {
            buffer[n++] = *c == '|' ? ',' : *c;
            if (*c == '|')
                buffer[n++] = ' ';
        }
        buffer[n] = '\0';
        break;
    default:
        snprintf(buffer, size, "%s%s%s", zero, or, ranges[key->type]);
    }
    return buffer;
}
