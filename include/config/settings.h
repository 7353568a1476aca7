/* config/settings.h: the settings of a listener, a pool or a backend. A running object has a copy of this part of the configuration (table/listener.h,
 * table/pool.h, table/backend.h), which may change while it runs.
 *
 * Every number has the unit that ends its name and was range-checked by config/keys.c. 0 means "off" or "not set" where the comment says so. The owner of the
 * struct also owns its strings. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum config_balance {
    CONFIG_BALANCE_ROUND_ROBIN,
    CONFIG_BALANCE_LEAST_CONN,
    CONFIG_BALANCE_RANDOM,
    CONFIG_BALANCE_CONSISTENT_HASH,
};
enum config_hash_key { CONFIG_HASH_SOURCE_IP, CONFIG_HASH_SOURCE_IP_PORT, CONFIG_HASH_QUIC_CID };
enum config_check {
    CONFIG_CHECK_NONE,
    CONFIG_CHECK_TCP,
    CONFIG_CHECK_HTTP,
    CONFIG_CHECK_UDP,
    CONFIG_CHECK_HTTPS,
    CONFIG_CHECK_GRPC,
    CONFIG_CHECK_EXEC,
    CONFIG_CHECK_AGENT,
};
enum config_grpc { CONFIG_GRPC_HEALTH, CONFIG_GRPC_INFERENCE };
enum config_protocol { CONFIG_PROTOCOL_TCP, CONFIG_PROTOCOL_UDP, CONFIG_PROTOCOL_BOTH };
enum config_proxy_protocol { CONFIG_PROXY_OFF, CONFIG_PROXY_V2, CONFIG_PROXY_V2_FIRST };
enum config_backend_state { CONFIG_BACKEND_READY, CONFIG_BACKEND_DRAIN, CONFIG_BACKEND_MAINTENANCE };
enum config_retry { CONFIG_RETRY_NEXT, CONFIG_RETRY_SAME };
enum config_sessions { CONFIG_SESSIONS_KEEP, CONFIG_SESSIONS_CLOSE };
enum config_all_down { CONFIG_ALL_DOWN_CLOSED, CONFIG_ALL_DOWN_OPEN };
enum config_splice { CONFIG_SPLICE_AUTO, CONFIG_SPLICE_ALWAYS, CONFIG_SPLICE_NEVER };

struct listener_settings {
    enum config_protocol protocol;
    uint32_t max_connections;        /* 0: only the global limit */
    int backlog;
    uint32_t keepalive_ms;           /* idle time before the first keepalive probe, both sides; 0: off */
    uint32_t tcp_user_timeout_ms;    /* both sides; 0: the system's */
    bool defer_accept;
    uint32_t receive_buffer_bytes;   /* SO_RCVBUF, except towards UNIX clients; 0: the system's */
    uint32_t send_buffer_bytes;      /* SO_SNDBUF, except towards UNIX clients; 0: the system's */
    const char *interface;           /* SO_BINDTODEVICE; NULL: any */
    uint32_t max_flows;              /* 0: only the global limit */
    uint32_t max_flows_per_source;   /* 0: no limit */
    uint32_t flow_rate;              /* new flows per second; 0: no limit */
    const char *congestion_control;  /* "auto", a name for clients (backends as with auto), or NULL: the system's on both sides; io/congestion.h */
};

struct backend_settings {
    uint32_t weight;          /* 1..256 */
    uint32_t max_connections; /* 0: no limit */
    uint16_t check_port;      /* 0: the pool's, or the address's own */
    uint16_t agent_port;      /* 0: the pool's */
    uint32_t drain_timeout_ms; /* UINT32_MAX: off; default: the pool's */
    bool backup;
    enum config_backend_state state; /* what the administrator orders */
};

struct pool_settings {
    enum config_balance balance;
    enum config_hash_key hash_key;
    uint8_t hash_prefix_v4; /* 0..32 */
    uint8_t hash_prefix_v6; /* 0..128 */
    uint8_t hash_cid_offset;  /* quic_cid: the first byte of the connection id that is hashed, from 0 */
    uint8_t hash_cid_bytes;   /* quic_cid: how many of its bytes are hashed, 1..20 */
    uint32_t hash_table_size; /* a prime; at least 100 times the number of backends unless configured */

    enum config_check check;
    uint32_t check_interval_ms;
    uint32_t check_fast_interval_ms; /* while probes contradict the state; default: check_interval / 4, at least 100 ms, at most check_interval */
    uint32_t check_down_interval_ms; /* while the backend is down; default: check_interval */
    uint32_t check_timeout_ms;
    uint32_t rise, fall;
    bool busy_is_down;            /* a probe that times out has failed, even if sessions move bytes */
    uint8_t check_jitter_percent; /* 0..50 */
    bool check_initial_up;
    uint16_t check_port;             /* 0: the backend's own */
    bool check_address_set;
    struct addr check_address;       /* IP only, the port is not used; valid if check_address_set */
    const char *check_path;          /* this and the next four: http, https */
    const char *check_host;          /* also grpc: Host header, as base/host.h reads it if there is TLS; NULL: check_tls_name or the probed address */
    const char *check_method;
    const char *check_status;        /* a list as in base/status_list.h */
    const char *check_body;          /* text that the first 64 KiB of the body must contain; NULL: any body */
    enum config_grpc check_grpc;     /* this and the next two: grpc */
    const char *check_service;       /* name of a service, or of a model; NULL: the whole server */
    bool check_tls;
    bool check_tls_verify;           /* this and the next two: https, and grpc with check_tls */
    const char *check_tls_ca;        /* path of accepted certificates in PEM; NULL: those of the system */
    const char *check_tls_name;      /* name or IP address that the certificate must be for; NULL: that of check_host, or the probed address */
    const char *check_send;          /* tcp, udp: what to send, in the notation of base/payload.h; NULL: tcp nothing, udp one zero byte */
    const char *check_expect;        /* tcp, udp: what the answer must be, as in base/expect.h; NULL: any answer */
    uint16_t agent_port;             /* of the agents, beside the check; 0: none, unless check is AGENT */
    uint32_t agent_interval_ms;      /* default: check_interval */
    const char *agent_send;          /* in the notation of base/payload.h; NULL: nothing */
    const char *check_command;       /* exec: absolute path and arguments, separated by blanks; NULL only if the check is another one */

    uint32_t slow_start_ms;          /* 0: off */
    uint8_t panic_threshold_percent; /* 0: off */
    enum config_all_down all_down;

    uint32_t connect_timeout_ms;
    uint32_t first_byte_timeout_ms; /* 0: no limit */
    uint32_t idle_timeout_ms;
    uint32_t half_close_timeout_ms;
    uint32_t lifetime_ms;            /* 0: no limit */
    uint8_t lifetime_jitter_percent; /* 0..50 */
    uint32_t lifetime_quiet_ms;      /* the gap in which the lifetime may end; 0: it ends at once */
    uint32_t retries;          /* number of further attempts if connecting to a backend fails */
    enum config_retry retry_backend;
    uint32_t replay_bytes;     /* how much is kept from the client until the backend answers; 0: nothing */
    uint32_t retry_timeout_ms; /* from the accept; no further attempt begins after it; 0: no limit */
    enum config_splice splice;

    uint32_t eject_after;            /* number of failed sessions in a row after which a backend is ejected; 0: off */
    uint32_t eject_time_ms;          /* the first time; at least 10 */
    uint32_t eject_time_max_ms;      /* not used if it is less than eject_time_ms */
    uint8_t eject_share_percent;     /* 0..100 */

    uint32_t drain_timeout_ms;           /* of backends that have none of their own; UINT32_MAX: off */
    enum config_sessions on_down;        /* what happens to the sessions of a backend that goes down */
    enum config_sessions on_failback;    /* what happens to the sessions of backups when another backend is usable again */
    uint32_t close_rate;                 /* sessions per second that are closed for these reasons; 0: off */

    uint32_t udp_idle_timeout_ms;
    uint32_t udp_requests;           /* number of datagrams from the client after which its next one begins another flow; 0: no limit */
    uint32_t udp_responses;          /* number of replies to each datagram after which a flow ends; UINT32_MAX: not known */
    bool udp_per_packet;             /* each datagram of a client is balanced by itself */
    enum config_proxy_protocol proxy_protocol;
};

/* Whether backends are probed. With check = agent, only their agents are called. */
static inline bool pool_settings_has_probe(const struct pool_settings *settings)
{
    return settings->check != CONFIG_CHECK_NONE && settings->check != CONFIG_CHECK_AGENT;
}

/* Writes the word of a value of the key, which is one of [listener] or [pool] with a choice of words, as in "balance", and returns `buffer`. Any thread. */
const char *config_setting_word(const char *name, unsigned value, char *buffer, size_t size);

/* Returns a copy in one block of memory, including the strings. The caller frees it with free(). Returns NULL if out of memory. Any thread. */
struct listener_settings *listener_settings_copy(const struct listener_settings *settings);
struct pool_settings *pool_settings_copy(const struct pool_settings *settings);
struct backend_settings *backend_settings_copy(const struct backend_settings *settings);

/* Whether every setting has the same value; strings are compared by their text. Any thread. */
bool listener_settings_equal(const struct listener_settings *a, const struct listener_settings *b);
bool pool_settings_equal(const struct pool_settings *a, const struct pool_settings *b);
bool backend_settings_equal(const struct backend_settings *a, const struct backend_settings *b);

/* Whether probes with these settings are the same: every key that begins with "check" has the same value, except check_initial and those of the address to
 * probe. Never with check = exec: the program is told which backend of which pool it is for. Any thread. */
bool pool_settings_same_probe(const struct pool_settings *a, const struct pool_settings *b);

#endif
