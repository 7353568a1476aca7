/* config/keys.c: the table of configuration keys, the only list of them. The parser, `penstock check --help`, and the tests that keep etc/penstock.ini and
 * etc/man/penstock.ini.5 consistent all read it. Constant; any thread. */
#include "config/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/payload.h"
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
     .help = "Number of worker threads, which relay the data. auto: one for each CPU that the process may run on."},
    {.name = "cpu_affinity", GLOBAL(affinity), .type = CONFIG_CPUS, .initial = "auto",
     .help = "CPUs that the workers are bound to. auto: one CPU for each worker if there are as many workers as CPUs. off: none. A list such as "
             "0,2-3: assigned to the workers in order."},
    {.name = "engine", GLOBAL(engine), .type = CONFIG_CHOICE, .initial = "auto", .choices = "auto|io_uring|epoll",
     .help = "Kernel interface. auto: io_uring if it works here, otherwise epoll. If a named engine does not work, Penstock does not start."},
    {.name = "busy_poll", GLOBAL(busy_poll_us), .type = CONFIG_DURATION_US, .initial = "off", .zero = "off", .free = "auto", .min = 1, .max = 1000,
     .help = "How long a worker polls for events before it sleeps. Polling lowers latency and costs CPU time. auto: only while the next event "
             "usually comes soon. A time: always this long."},
    {.name = "max_connections", GLOBAL(max_connections), .type = CONFIG_NUMBER, .initial = "auto", .zero = "auto", .min = 1,
     .max = CONNECTIONS_MAX,
     .help = "Maximum number of open sessions, over all listeners and workers. Further clients wait to be accepted. auto: as many as the limit on "
             "open files allows."},
    {.name = "max_flows", GLOBAL(max_flows), .type = CONFIG_NUMBER, .initial = "auto", .zero = "auto", .min = 1, .max = CONNECTIONS_MAX,
     .help = "Maximum number of open UDP flows, over all listeners and workers. Datagrams of further clients are dropped and counted. auto: as many as "
             "the limit on open files allows."},
    {.name = "probes_max", GLOBAL(probes_max), .type = CONFIG_NUMBER, .initial = "256", .min = 1, .max = CONFIG_PROBES_MAX,
     .help = "Maximum number of probes of backends in flight. Further probes wait, and the log says so when they are late. A quarter is kept for backends that "
             "are up or busy, so that backends that hang do not delay the others."},
    {.name = "seed", GLOBAL(seed), .type = CONFIG_NUMBER, .initial = "0", .max = UINT64_MAX,
     .help = "Seed of the keyed hash, decimal or hexadecimal with 0x. Load balancers with equal pools and equal seeds choose the same backends."},
    {.name = "drain_timeout", GLOBAL(drain_timeout_ms), .type = CONFIG_DURATION, .initial = "30s", .max = H(24),
     .help = "How long a stop waits for open sessions to end before it closes them."},
    {.name = "log", GLOBAL(log), .type = CONFIG_SINK, .initial = "stderr", .max = 4095,
     .help = "Where log lines are written: stderr, stdout, a path, syslog (syslog:local0 for another facility than daemon), or systemd's journal."},
    {.name = "log_level", GLOBAL(log_level), .type = CONFIG_CHOICE, .initial = "info", .choices = "error|warn|info|debug",
     .help = "Least severe level that is logged."},
    {.name = "log_format", GLOBAL(log_format), .type = CONFIG_CHOICE, .initial = "text", .choices = "text|json",
     .help = "How log lines are written. text: time, level and message. json: an object with these three."},
    {.name = "access_log", GLOBAL(access_log), .type = CONFIG_SINK, .initial = "off", .zero = "off", .max = 4095,
     .help = "Where to write one line for each session and UDP flow when it ends: off, or as in log."},
    {.name = "access_log_format", GLOBAL(access_log_format), .type = CONFIG_CHOICE, .initial = "text", .choices = "text|json",
     .help = "How lines of the access log are written. text: the time, and fields such as bytes_in=512. json: an object with the same fields."},
    {.name = "access_log_sample", GLOBAL(access_log_sample_percent), .type = CONFIG_PERCENT, .initial = "100%", .max = 100,
     .help = "Share of sessions and UDP flows that have lines in the access log, chosen at random. Those that do not end normally always have one when "
             "they end."},
    {.name = "access_log_open", GLOBAL(access_log_open), .type = CONFIG_YES_NO, .initial = "no",
     .help = "Whether the access log also has a line when a backend is connected or a UDP flow begins."},
    {.name = "access_log_every", GLOBAL(access_log_every_ms), .type = CONFIG_DURATION, .initial = "off", .zero = "off", .min = S(1), .max = H(24),
     .help = "The access log also has a line for each session and UDP flow that has been open for this long, and again each time this time has passed."},
    {.name = "access_log_tcp_info", GLOBAL(access_log_tcp_info), .type = CONFIG_YES_NO, .initial = "no",
     .help = "Whether lines of the access log have the round-trip time and the retransmits of both connections of a session."},
    {.name = "user", GLOBAL(user), .type = CONFIG_WORD, .max = 255,
     .help = "User to switch to after the listeners are bound."},
    {.name = "group", GLOBAL(group), .type = CONFIG_WORD, .max = 255,
     .help = "Group to switch to after the listeners are bound. Default: the primary group of the user."},
    {.name = "admin", GLOBAL(admin), .type = CONFIG_ADDRESS, .initial = "unix:/run/penstock/admin.sock", .zero = "off",
     .help = "UNIX socket of the admin API, through which penstock status, drain and the other subcommands read and change what runs. If it is not set and its "
             "default cannot be used, Penstock runs without it."},
    {.name = "admin_mode", GLOBAL(admin_mode), .type = CONFIG_MODE, .initial = "0660",
     .help = "Permissions of the admin socket. Whoever may write to it can change what runs."},
    {.name = "admin_group", GLOBAL(admin_group), .type = CONFIG_WORD, .max = 255,
     .help = "Group of the admin socket. Default: the group that Penstock runs as."},
    {.name = "http", GLOBAL(http), .type = CONFIG_ADDRESS, .initial = "off", .zero = "off",
     .help = "Address, such as 127.0.0.1:9101, on which the dashboard, the metrics for Prometheus, /healthz, /readyz and the API are read over HTTP. Nothing "
             "can be changed there. There is no password: whoever reaches the address can read."},
    {.name = "lame_duck", GLOBAL(lame_duck_ms), .type = CONFIG_DURATION, .initial = "auto", .zero = "off", .free = "auto", .min = 1, .max = H(1),
     .help = "How long a stop waits before clients are no longer accepted, while /readyz already says 503, so that other load balancers and Kubernetes stop "
             "sending clients first. auto: 5s if http is set, otherwise off."},
    {.name = "allow_exec", GLOBAL(allow_exec), .type = CONFIG_YES_NO, .initial = "no",
     .help = "Whether check = exec may run programs, as the user that Penstock runs as."},
    {.name = "include", .section = CONFIG_IN_GLOBAL, .type = CONFIG_INCLUDE, .repeatable = true,
     .help = "Another file to read at this point, or a pattern such as conf.d/*.ini, which may match nothing. Relative to this file."},

    {.name = "bind", .section = CONFIG_IN_LISTENER, .type = CONFIG_BIND, .repeatable = true, .own_section_only = true,
     .help = "Address on which clients are accepted: 0.0.0.0:8001, [::]:8001 (IPv6 only), *:8001 (IPv4 and IPv6), a port range 0.0.0.0:8000-8010, "
             "unix:/path or unix:@name."},
    {.name = "protocol", LISTENER(protocol), .type = CONFIG_CHOICE, .initial = "tcp", .choices = "tcp|udp|tcp+udp",
     .help = "Transport protocol of the clients. tcp+udp: both, on the same addresses and with the same pool."},
    {.name = "pool", .section = CONFIG_IN_LISTENER, .type = CONFIG_POOL, .own_section_only = true, .max = 49,
     .help = "Name of the pool that serves these clients."},
    {.name = "max_connections", LISTENER(max_connections), .type = CONFIG_NUMBER, .initial = "off", .zero = "off", .min = 1,
     .max = CONNECTIONS_MAX,
     .help = "Maximum number of open sessions through this listener, over all workers. Further clients wait to be accepted. off: only the global "
             "limit applies."},
    {.name = "backlog", LISTENER(backlog), .type = CONFIG_NUMBER, .initial = "4096", .min = 1, .max = 65535,
     .help = "Maximum number of connections that wait to be accepted, for each address and worker. The kernel limits it to net.core.somaxconn."},
    {.name = "keepalive", LISTENER(keepalive_ms), .type = CONFIG_DURATION, .initial = "60s", .zero = "off", .min = S(1),
     .max = S(32767), .step = S(1),
     .help = "Idle time before the first TCP keepalive probe, on both sides, in whole seconds. off: no keepalive."},
    {.name = "tcp_user_timeout", LISTENER(tcp_user_timeout_ms), .type = CONFIG_DURATION, .initial = "off", .zero = "off", .min = 100,
     .max = H(24),
     .help = "How long sent data may remain unacknowledged, or wait because the peer's window is full, before the connection is closed; on both "
             "sides. A peer that is alive but stops reading for this long is disconnected too. To detect dead peers while nothing is sent, use "
             "keepalive. off: the system's rules apply."},
    {.name = "defer_accept", LISTENER(defer_accept), .type = CONFIG_YES_NO, .initial = "no",
     .help = "Accept a client only when its first data has arrived. A client that sends nothing is accepted about one second late, so do not use "
             "this for protocols in which the server speaks first."},
    {.name = "receive_buffer", LISTENER(receive_buffer_bytes), .type = CONFIG_SIZE, .initial = "auto", .zero = "auto", .min = KIB(4),
     .max = KIB(1048576),
     .help = "SO_RCVBUF on both sides, except towards clients of a UNIX socket. auto: the kernel sizes the buffer, which is nearly always better; for "
             "UDP, 4 MiB towards clients and 1 MiB towards backends."},
    {.name = "send_buffer", LISTENER(send_buffer_bytes), .type = CONFIG_SIZE, .initial = "auto", .zero = "auto", .min = KIB(4),
     .max = KIB(1048576),
     .help = "SO_SNDBUF on both sides, except towards clients of a UNIX socket. auto: the kernel sizes the buffer; for UDP, 4 MiB towards clients."},
    {.name = "interface", LISTENER(interface), .type = CONFIG_WORD, .max = 15,
     .help = "Network interface on which clients must arrive (SO_BINDTODEVICE). It does not affect connections to backends."},
    {.name = "max_flows", LISTENER(max_flows), .type = CONFIG_NUMBER, .initial = "off", .zero = "off", .min = 1, .max = CONNECTIONS_MAX,
     .used_with = "protocol=udp",
     .help = "Maximum number of open UDP flows through this listener, over all workers. Datagrams of further clients are dropped and counted. off: only "
             "the global limit applies."},
    {.name = "max_flows_per_source", LISTENER(max_flows_per_source), .type = CONFIG_NUMBER, .initial = "off", .zero = "off", .min = 1,
     .max = CONNECTIONS_MAX, .used_with = "protocol=udp",
     .help = "Maximum number of open UDP flows of one client address (IPv6: of one /64 network), over all workers. Further flows are dropped and counted."},
    {.name = "flow_rate", LISTENER(flow_rate), .type = CONFIG_NUMBER, .initial = "off", .zero = "off", .min = 1, .max = CONNECTIONS_MAX,
     .used_with = "protocol=udp",
     .help = "Maximum number of new UDP flows per second through this listener, over all workers, against floods with false source addresses. Up to a "
             "tenth of a second's flows may begin at once. Datagrams beyond that are dropped and counted; those of open flows are not affected."},
    {.name = "congestion_control", LISTENER(congestion_control), .type = CONFIG_WORD, .initial = "auto", .zero = "system", .max = 15,
     .help = "TCP congestion control (TCP_CONGESTION). A name such as bbr or cubic applies to connections to clients. auto: the system's default, "
             "but reno instead of bbr on the loopback interface, on both sides. system: the system's default everywhere."},

    {.name = "balance", POOL(balance), .type = CONFIG_CHOICE, .initial = "least_conn",
     .choices = "round_robin|least_conn|random|consistent_hash", .later = "rendezvous|least_time|first",
     .help = "How a backend is selected. round_robin: in turn. least_conn: the fewest sessions for its weight. random: the less loaded of two random "
             "backends. consistent_hash: by the client's address."},
    {.name = "hash_key", POOL(hash_key), .type = CONFIG_CHOICE, .initial = "source_ip", .choices = "source_ip|source_ip_port|quic_cid",
     .used_with = "balance=consistent_hash",
     .help = "What is hashed: the client's address, its address and port, or the connection id in a QUIC client's datagrams. Whatever is not QUIC is "
             "hashed by the client's address."},
    {.name = "hash_cid_offset", POOL(hash_cid_offset), .type = CONFIG_NUMBER, .initial = "0", .max = 19, .used_with = "hash_key=quic_cid",
     .help = "First byte of the connection id that is hashed, counted from 0."},
    {.name = "hash_cid_bytes", POOL(hash_cid_bytes), .type = CONFIG_NUMBER, .initial = "8", .min = 1, .max = 20, .used_with = "hash_key=quic_cid",
     .help = "Number of bytes of the connection id that are hashed. For clients to keep their backend when their address changes, the backend must copy "
             "these bytes from the client's first connection id into those that it issues."},
    {.name = "hash_prefix_v4", POOL(hash_prefix_v4), .type = CONFIG_NUMBER, .initial = "32", .max = 32,
     .used_with = "balance=consistent_hash",
     .help = "Number of leading bits of an IPv4 client address that are hashed."},
    {.name = "hash_prefix_v6", POOL(hash_prefix_v6), .type = CONFIG_NUMBER, .initial = "128", .max = 128,
     .used_with = "balance=consistent_hash",
     .help = "Number of leading bits of an IPv6 client address that are hashed."},
    {.name = "hash_table_size", POOL(hash_table_size), .type = CONFIG_NUMBER, .initial = "65537", .min = 3, .max = 5000011,
     .used_with = "balance=consistent_hash",
     .help = "Number of entries in the hash table: a prime, at least the number of backends. Unless set, it grows to 100 times that number."},
    {.name = "backend", .section = CONFIG_IN_POOL, .type = CONFIG_BACKEND, .repeatable = true, .own_section_only = true,
     .help = "A backend server: NAME ADDRESS [weight=1..256] [max_connections=N|off] [check_port=N] [agent_port=N] [drain_timeout=TIME|off] "
             "[state=ready|drain|maint] [backup]. A backup is used only while no other backend of the pool is up. drain: it takes no new sessions. maint: the "
             "same, and it counts as down."},
    {.name = "check", POOL(check), .type = CONFIG_CHOICE, .initial = "tcp", .choices = "none|tcp|http|udp|https|grpc|exec|agent",
     .help = "How backends are probed. none: not at all. tcp: by connecting, or with check_send and check_expect. http: with an HTTP request. https: the same "
             "over TLS. grpc: with a gRPC call. udp: with a datagram, which is the default of pools that serve only UDP. exec: by running check_command. "
             "agent: only as their agents say."},
    {.name = "check_interval", POOL(check_interval_ms), .type = CONFIG_DURATION, .initial = "2s", .min = 10, .max = H(24),
     .help = "Time from the start of one probe to the start of the next, while the backend is up."},
    {.name = "check_timeout", POOL(check_timeout_ms), .type = CONFIG_DURATION, .initial = "auto", .zero = "auto", .min = 10, .max = H(1),
     .help = "How long a probe may take, including the response. auto: 5s with check = http, https or grpc, because model servers may be slow while they work, "
             "otherwise 1s."},
    {.name = "rise", POOL(rise), .type = CONFIG_NUMBER, .initial = "2", .min = 1, .max = 100,
     .help = "Number of consecutive successful probes after which a backend is up."},
    {.name = "fall", POOL(fall), .type = CONFIG_NUMBER, .initial = "3", .min = 1, .max = 100,
     .help = "Number of consecutive failed probes after which a backend is down. A probe that times out counts only if no session has moved bytes from the "
             "backend since the probe before: otherwise the backend is busy."},
    {.name = "busy_is_down", POOL(busy_is_down), .type = CONFIG_YES_NO, .initial = "no",
     .help = "What a probe that times out means. no: the backend is busy, and has half its weight, until rise probes in a row succeed; it is down "
             "only when its sessions have moved no bytes for fall probes in a row. yes: the probe has failed."},
    {.name = "check_fast_interval", POOL(check_fast_interval_ms), .type = CONFIG_DURATION, .initial = "auto", .zero = "auto",
     .min = 10, .max = H(24),
     .help = "Interval between probes while their results contradict the backend's state but rise or fall is not reached yet. auto: a quarter of "
             "check_interval, at least 100ms, at most check_interval."},
    {.name = "check_down_interval", POOL(check_down_interval_ms), .type = CONFIG_DURATION, .initial = "auto", .zero = "auto",
     .min = 10, .max = H(24),
     .help = "Interval between probes of a backend that is down. auto: check_interval."},
    {.name = "check_address", POOL(check_address), .type = CONFIG_IP, .initial = "auto", .zero = "auto",
     .help = "IP address to probe. auto: the backend's own. With an address, UNIX backends also need a check_port."},
    {.name = "check_port", POOL(check_port), .type = CONFIG_NUMBER, .initial = "auto", .zero = "auto", .min = 1, .max = 65535,
     .help = "Port to probe. auto: the backend's own. check_port=N of a backend overrides it. With a port, UNIX backends also need a check_address."},
    {.name = "check_path", POOL(check_path), .type = CONFIG_URL_PATH, .initial = "/", .max = 1024, .used_with = "check=http|https",
     .help = "Path to request."},
    {.name = "check_host", POOL(check_host), .type = CONFIG_WORD, .max = 255, .used_with = "check=http|https|grpc",
     .help = "Host header to send, in gRPC the authority. Default: check_tls_name if it is set, otherwise the probed address, or localhost for a UNIX socket."},
    {.name = "check_method", POOL(check_method), .type = CONFIG_METHOD, .initial = "GET", .max = 16, .used_with = "check=http|https",
     .help = "HTTP method, in capitals."},
    {.name = "check_status", POOL(check_status), .type = CONFIG_STATUS, .initial = "200-399", .max = 255, .used_with = "check=http|https",
     .help = "Status codes that count as success: codes and ranges such as 200-299,401."},
    {.name = "check_body", POOL(check_body), .type = CONFIG_TEXT, .max = 1024, .used_with = "check=http|https",
     .help = "Text that the first 64 KiB of the response body must contain. Default: any body is accepted."},
    {.name = "check_grpc", POOL(check_grpc), .type = CONFIG_CHOICE, .initial = "health", .choices = "health|inference", .used_with = "check=grpc",
     .help = "Which call a gRPC probe makes. health: Check of grpc.health.v1.Health, which must answer SERVING. inference: ServerReady of the Open Inference "
             "Protocol, which Triton and KServe have."},
    {.name = "check_service", POOL(check_service), .type = CONFIG_WORD, .max = 255, .used_with = "check=grpc",
     .help = "Name of the service whose health is asked for. With check_grpc = inference: name of the model that must be ready. Default: the whole server."},
    {.name = "check_tls", POOL(check_tls), .type = CONFIG_YES_NO, .initial = "no", .used_with = "check=grpc",
     .help = "Whether a gRPC probe uses TLS."},
    {.name = "check_tls_verify", POOL(check_tls_verify), .type = CONFIG_YES_NO, .initial = "yes", .used_with = "check=https|grpc",
     .help = "Whether a probe over TLS fails if the certificate has expired, is not trusted or is for another name."},
    {.name = "check_tls_ca", POOL(check_tls_ca), .type = CONFIG_PATH, .initial = "system", .zero = "system", .max = 4095, .used_with = "check=https|grpc",
     .help = "File with the certificates that sign those of the backends, in PEM. system: the file that libcurl uses by default, such as "
             "/etc/ssl/certs/ca-certificates.crt."},
    {.name = "check_tls_name", POOL(check_tls_name), .type = CONFIG_HOST, .max = 255, .used_with = "check=https|grpc",
     .help = "Name or IP address that the certificate must be for. A name is also sent to the server (SNI). Default: the host in check_host, or the probed "
             "address."},
    {.name = "check_send", POOL(check_send), .type = CONFIG_PAYLOAD, .max = PAYLOAD_BYTES_MAX, .used_with = "check=tcp|udp",
     .help = "What a probe sends: text with the escapes \\r, \\n, \\t and \\xNN, or hex:0102ff. Without check_expect, any answer passes. Default: nothing, or "
             "with check = udp one zero byte; without check_expect, the probe then needs no answer."},
    {.name = "check_expect", POOL(check_expect), .type = CONFIG_EXPECT, .max = PAYLOAD_BYTES_MAX, .used_with = "check=tcp|udp",
     .help = "Beginning of the answer, written like check_send; after hex:, a ? stands for any digit. Or regex: and an extended regular expression, which the "
             "first 16 KiB of the answer must contain. Default: any answer is accepted."},
    {.name = "check_command", POOL(check_command), .type = CONFIG_COMMAND, .max = 1024, .used_with = "check=exec",
     .help = "Program to run, with arguments separated by blanks; there is no shell. Exit status 0 passes. The first line of the output is logged as the "
             "reason. It finds the names and the address in PENSTOCK_POOL, PENSTOCK_BACKEND, PENSTOCK_ADDRESS and PENSTOCK_PORT."},
    {.name = "agent_port", POOL(agent_port), .type = CONFIG_NUMBER, .initial = "off", .zero = "off", .min = 1, .max = 65535,
     .help = "Port of an agent beside each backend, which says its weight, limit and state in one line, as in HAProxy's agent-check: 75%, weight:N, maxconn:N, "
             "ready, drain, maint, up, down. agent_port=N of a backend overrides it. With check = agent, off: the port that a check would use."},
    {.name = "agent_interval", POOL(agent_interval_ms), .type = CONFIG_DURATION, .initial = "auto", .zero = "auto", .min = 10, .max = H(24),
     .help = "Time from the start of one call of an agent to the start of the next. auto: check_interval."},
    {.name = "agent_send", POOL(agent_send), .type = CONFIG_PAYLOAD, .max = PAYLOAD_BYTES_MAX,
     .help = "What to send to an agent, written like check_send. Default: nothing."},
    {.name = "check_initial", POOL(check_initial_up), .type = CONFIG_CHOICE, .initial = "up", .choices = "down|up",
     .help = "State of a backend at start. Probes then change it as rise and fall say."},
    {.name = "check_jitter", POOL(check_jitter_percent), .type = CONFIG_PERCENT, .initial = "10%", .max = 50,
     .help = "Random variation of the probe intervals, up or down, so that probes do not all run at the same time."},
    {.name = "slow_start", POOL(slow_start_ms), .type = CONFIG_DURATION, .initial = "off", .zero = "off", .min = 100, .max = H(1),
     .help = "How long the weight and max_connections of a backend grow, from a tenth to all, after it has become usable or was added. Not at the start "
             "of Penstock. off: it has all at once."},
    {.name = "panic_threshold", POOL(panic_threshold_percent), .type = CONFIG_PERCENT, .initial = "off", .zero = "off", .min = 1, .max = 100,
     .help = "If fewer than this share of the primaries are usable (or of the backups, while they serve), health is ignored and all of them take new "
             "sessions, except those that drain or are in maintenance. Also if none is usable. off: only healthy backends take sessions."},
    {.name = "all_down", POOL(all_down), .type = CONFIG_CHOICE, .initial = "fail_closed", .choices = "fail_closed|fail_open",
     .help = "What happens to new sessions if no backend is usable. fail_closed: they are reset. fail_open: all backends take them, whatever their health. "
             "In both cases, if timeouts alone took backends out, these take them."},
    {.name = "connect_timeout", POOL(connect_timeout_ms), .type = CONFIG_DURATION, .initial = "2s", .min = 1, .max = S(600),
     .help = "How long connecting to one backend may take before the next backend is tried."},
    {.name = "first_byte_timeout", POOL(first_byte_timeout_ms), .type = CONFIG_DURATION, .initial = "off", .zero = "off", .min = 10, .max = H(720),
     .help = "A session is ended when the client has sent data, the backend has not sent its first byte, and no byte has moved for this long. If replay "
             "has kept the data, another backend gets it instead. If the backend sends bytes on other sessions during this time, it is busy: then up to four "
             "times as long."},
    {.name = "idle_timeout", POOL(idle_timeout_ms), .type = CONFIG_DURATION, .initial = "1h", .min = 10, .max = H(720),
     .help = "A session is ended when no byte has moved in either direction for this long."},
    {.name = "half_close_timeout", POOL(half_close_timeout_ms), .type = CONFIG_DURATION, .initial = "30s", .min = 10, .max = H(720),
     .help = "Replaces idle_timeout, if it is shorter, after one side has finished sending; but not while that side is a client that waits for the "
             "backend's first byte."},
    {.name = "lifetime", POOL(lifetime_ms), .type = CONFIG_DURATION, .initial = "off", .zero = "off", .min = 10, .max = H(720),
     .help = "Maximum duration of a session from its connection to a backend, so that clients with long-lived connections are balanced again. The "
             "session is ended in the middle of a transfer, unless lifetime_quiet is set."},
    {.name = "lifetime_jitter", POOL(lifetime_jitter_percent), .type = CONFIG_PERCENT, .initial = "10%", .max = 50,
     .help = "Random variation of lifetime, up or down, for each session, so that sessions that began together do not end together."},
    {.name = "lifetime_quiet", POOL(lifetime_quiet_ms), .type = CONFIG_DURATION, .initial = "off", .zero = "off", .min = 10, .max = H(720),
     .help = "The lifetime ends a session only when no byte has moved in either direction for this long and none is in transit. off: at once."},
    {.name = "retries", POOL(retries), .type = CONFIG_NUMBER, .initial = "2", .max = 15,
     .help = "Number of further attempts when connecting to a backend fails. Then the client is reset."},
    {.name = "retry_backend", POOL(retry_backend), .type = CONFIG_CHOICE, .initial = "next", .choices = "next|same",
     .help = "Where a further attempt goes. next: to another backend; each is tried once. same: to the same backend, 100ms later, as long as it is up."},
    {.name = "retry_timeout", POOL(retry_timeout_ms), .type = CONFIG_DURATION, .initial = "off", .zero = "off", .min = 1, .max = H(24),
     .help = "No further attempt begins when this time has passed since the client was accepted. off: no limit."},
    {.name = "replay", POOL(replay_bytes), .type = CONFIG_SIZE, .initial = "off", .zero = "off", .min = KIB(16), .max = KIB(1024),
     .help = "Keep up to so many bytes from the client until the first byte comes from the backend. If the backend closes, resets or times out before that, "
             "the next one gets them instead, as retries allows, and the client notices nothing. A server may then get a request twice. off: keep nothing."},
    {.name = "eject_after", POOL(eject_after), .type = CONFIG_NUMBER, .initial = "5", .zero = "off", .min = 1, .max = 1000,
     .help = "Number of failures in a row, over all workers, after which a backend is ejected: attempts to connect that fail, and sessions that the backend "
             "resets or closes before its first byte. It then gets no new sessions for a while. A lack of descriptors, memory or ports on this machine does "
             "not count. off: only probes decide."},
    {.name = "eject_time", POOL(eject_time_ms), .type = CONFIG_DURATION, .initial = "10s", .min = 10, .max = H(24),
     .help = "How long a backend is ejected the first time. Each further time it takes twice as long, up to eject_time_max. For each eject_time that the "
             "backend is back, one doubling is forgotten. It returns early if no other backend is usable, or if probes that see what is wrong pass again."},
    {.name = "eject_time_max", POOL(eject_time_max_ms), .type = CONFIG_DURATION, .initial = "5m", .min = 10, .max = H(24),
     .help = "How long a backend is ejected at most; or eject_time, if that is longer."},
    {.name = "eject_share", POOL(eject_share_percent), .type = CONFIG_PERCENT, .initial = "50%", .max = 100,
     .help = "Share of the pool's backends, rounded down, that may be ejected at a time. The last usable backend is never ejected."},
    {.name = "drain_timeout", POOL(drain_timeout_ms), .type = CONFIG_DURATION, .initial = "off", .free = "off", .max = H(24),
     .help = "How long a backend that drains waits for its open sessions to end before they are closed. off: until they end. drain_timeout=TIME of a backend "
             "overrides it."},
    {.name = "on_down", POOL(on_down), .type = CONFIG_CHOICE, .initial = "keep", .choices = "keep|close",
     .help = "What happens to the sessions of a backend that goes down or into maintenance. keep: they continue as long as they can. close: they are closed, "
             "so that clients with long connections come to another backend. An ejection alone closes none."},
    {.name = "on_failback", POOL(on_failback), .type = CONFIG_CHOICE, .initial = "keep", .choices = "keep|close",
     .help = "What happens to the sessions of backups when another backend is up again. keep: they continue. close: they are closed, so that their clients "
             "come back to the other backends."},
    {.name = "close_rate", POOL(close_rate), .type = CONFIG_NUMBER, .initial = "100", .zero = "off", .min = 1, .max = 100000,
     .help = "Maximum number of sessions per second, over all workers, that drain_timeout, on_down and on_failback close in this pool, so that not all "
             "clients connect again at once. off: no limit; a worker still closes only a few at a time, so that its other sessions do not wait."},
    {.name = "splice", POOL(splice), .type = CONFIG_CHOICE, .initial = "auto", .choices = "auto|always|never",
     .help = "Whether data is moved inside the kernel (splice) or copied. auto: a direction is spliced while it carries much data."},
    {.name = "udp_idle_timeout", POOL(udp_idle_timeout_ms), .type = CONFIG_DURATION, .initial = "30s", .min = 10, .max = H(720),
     .help = "A UDP flow ends when no datagram has passed in either direction for this long."},
    {.name = "udp_requests", POOL(udp_requests), .type = CONFIG_NUMBER, .initial = "off", .zero = "off", .min = 1, .max = 1000000000,
     .help = "Number of datagrams of a UDP client that go to one backend. The next one begins another flow; replies of the old one are still delivered. "
             "off: no limit."},
    {.name = "udp_responses", POOL(udp_responses), .type = CONFIG_NUMBER, .initial = "auto", .free = "auto", .max = 1000000,
     .help = "Number of replies to each datagram of a UDP client. The flow ends when all have arrived. 0: no replies; each datagram is balanced by "
             "itself, and no flow is kept. auto: not known, so that only udp_idle_timeout ends the flow."},
    {.name = "udp_per_packet", POOL(udp_per_packet), .type = CONFIG_YES_NO, .initial = "no",
     .help = "Balance each datagram of a UDP client by itself instead of all of them together. Replies of all backends reach the client."},
    {.name = "proxy_protocol", POOL(proxy_protocol), .type = CONFIG_CHOICE, .initial = "off", .choices = "off|v2|v2_first",
     .help = "Whether UDP datagrams to backends begin with a PROXY protocol header, version 2, that has the client's address. v2: each datagram. v2_first: "
             "the first one of each flow. A datagram that has no room for it is dropped and counted."},
};

const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);

/* Keys of later versions, so that a file written for one gets the right message. */
static const char *const later_keys[] = {
    "state_file", "dns_servers",
    "hash_load_bound", "prefer_zone", "max_connections", "queue_limit",
    "queue_timeout",
    "source", "transparent",
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

bool config_key_keeps_escapes(const struct config_key *key)
{
    return key->type == CONFIG_PAYLOAD || key->type == CONFIG_EXPECT;
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

void config_choice_format(const char *choices, uint64_t index, char *buffer, size_t size)
{
    while (index-- > 0)
        choices = strchr(choices, '|') + 1;
    snprintf(buffer, size, "%.*s", (int)strcspn(choices, "|"), choices);
}

const char *config_setting_word(const char *name, unsigned value, char *buffer, size_t size)
{
    const struct config_key *key = config_key_find(CONFIG_IN_DEFAULTS, name);

    config_choice_format(key->choices, value, buffer, size);
    return buffer;
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

/* Allowed values of the types that have no bounds. */
static const char *const ranges[] = {
    [CONFIG_YES_NO] = "yes or no",
    [CONFIG_CPUS] = "auto, off, or a list such as 0,2-3",
    [CONFIG_WORD] = "text without blanks",
    [CONFIG_TEXT] = "text",
    [CONFIG_HOST] = "a host name or an IP address",
    [CONFIG_PATH] = "a path with a /",
    [CONFIG_COMMAND] = "a path that begins with /, and arguments",
    [CONFIG_SINK] = "stderr, stdout, syslog[:FACILITY], journal, or a path",
    [CONFIG_URL_PATH] = "a path that begins with /",
    [CONFIG_METHOD] = "a word in capitals",
    [CONFIG_PAYLOAD] = "text, or hex: and digits",
    [CONFIG_EXPECT] = "text, hex: and digits, or regex: and an expression",
    [CONFIG_STATUS] = "codes from 100 to 599, and ranges of them",
    [CONFIG_IP] = "an IPv4 or IPv6 address",
    [CONFIG_ADDRESS] = "an address to listen on",
    [CONFIG_MODE] = "an octal number up to 0777",
    [CONFIG_INCLUDE] = "a path or a pattern",
    [CONFIG_BIND] = "an address with a port or ports",
    [CONFIG_POOL] = "the name of a pool",
    [CONFIG_BACKEND] = "a name, an address, options",
};

const char *config_key_range(const struct config_key *key, char *buffer, size_t size)
{
    char min[DURATION_TEXT_BYTES], max[DURATION_TEXT_BYTES];
    const char *zero = key->zero ? key->zero : "";
    size_t n = 0;

    switch (key->type) {
    case CONFIG_NUMBER:
    case CONFIG_DURATION:
    case CONFIG_DURATION_US:
    case CONFIG_SIZE:
    case CONFIG_PERCENT:
        format_bound(key, key->min, min, sizeof(min));
        format_bound(key, key->max, max, sizeof(max));
        snprintf(buffer, size, "%s%s%s%s%s to %s", zero, key->zero && key->free ? ", " : "", key->free ? key->free : "", key->zero || key->free ? ", or " : "",
                 min, max);
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
        snprintf(buffer, size, "%s%s%s", zero, key->zero ? ", or " : "", ranges[key->type]);
    }
    return buffer;
}
