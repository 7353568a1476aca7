/* config/config.h: the configuration as the rest of the program uses it.
 *
 * It is immutable after it was built: any thread may read it without locks while its owner, control, keeps it. Every number has the unit that ends its name
 * and was range-checked. 0 means "off" or "not set" where the comment says so. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "config/settings.h"

#define CONFIG_PROBES_MAX 4096 /* the greatest probes_max: the health thread has an event for each on its stack */

enum config_engine { CONFIG_ENGINE_AUTO, CONFIG_ENGINE_IO_URING, CONFIG_ENGINE_EPOLL };
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARN, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum config_affinity { CONFIG_AFFINITY_AUTO, CONFIG_AFFINITY_OFF, CONFIG_AFFINITY_LIST };

/* One address to bind. A port range has one of these for each port, and `*:PORT` has two. */
struct config_bind {
    struct addr addr;
    bool udp;          /* a UDP socket, otherwise TCP or UNIX */
    bool optional;     /* the IPv6 half of `*`: skipped on a machine without IPv6 */
    const char *file;  /* place in the configuration, for errors when it is bound */
    unsigned line;
};

struct config_listener {
    const char *name;
    const struct config_bind *binds; /* at least one */
    size_t bind_count;
    size_t pool;                     /* index into config.pools */
    struct listener_settings settings;
};

struct config_backend {
    const char *name;
    struct addr addr;
    struct backend_settings settings;
};

struct config_pool {
    const char *name;
    const struct config_backend *backends; /* at least one, in the order of the file */
    size_t backend_count;
    struct pool_settings settings;
};

struct config {
    uint32_t workers; /* with auto: the number of CPUs that this process may run on */
    enum config_affinity affinity;
    const int *affinity_cpus; /* CONFIG_AFFINITY_LIST: worker i runs on affinity_cpus[i % affinity_count] */
    size_t affinity_count;
    enum config_engine engine;
    uint32_t busy_poll_us;    /* how long a worker busy-polls before it sleeps; 0: off; UINT32_MAX: auto */
    uint32_t max_connections; /* 0: derived from the limit on open descriptors */
    uint32_t max_flows;       /* 0: derived from the limit on open descriptors */
    uint32_t probes_max;      /* probes in flight, 1 to CONFIG_PROBES_MAX */
    uint64_t seed;            /* of the keyed hash; load balancers with the same seed choose the same backends */
    uint32_t drain_timeout_ms;
    const char *log;          /* as log/target.h parses it */
    enum config_log_level log_level;
    enum config_log_format log_format;
    const char *access_log;   /* NULL: off; else as `log` */
    enum config_log_format access_log_format;
    uint8_t access_log_sample_percent;
    bool access_log_open;
    bool access_log_tcp_info;
    uint32_t access_log_every_ms; /* 0: off */
    const char *user, *group; /* NULL: no change */
    struct addr admin;        /* a UNIX socket; no address: off */
    bool admin_is_default;    /* the file does not say where it is: Penstock runs without it if it cannot be opened */
    uint32_t admin_mode;      /* permissions of the socket */
    const char *admin_group;  /* NULL: the group of the process */
    struct addr http;         /* no address: off */
    uint32_t lame_duck_ms;
    bool allow_exec;          /* check = exec is allowed */

    const struct config_listener *listeners; /* at least one */
    size_t listener_count;
    const struct config_pool *pools; /* at least one */
    size_t pool_count;

    const char *const *warnings; /* about values that are allowed but probably not intended: "file:line: warning: message", at most 51 lines */
    size_t warning_count;
};

/* Precedes the message of every warning. */
#define CONFIG_WARNING "warning: "

struct config_errors;

/* Reads and checks the file at `path` and the files that it includes. Returns the configuration, or NULL after filling `errors`: one "file:line: message" or
 * "file: message" for each error, in the order of the files, followed by the warnings. The caller frees both. Blocks on file reads. Any thread. */
struct config *config_load(const char *path, struct config_errors *errors);

/* Frees the configuration, which no thread may read any more. Accepts NULL. */
void config_free(struct config *config);

struct config_errors *config_errors_new(void);
void config_errors_free(struct config_errors *errors);
/* Returns how many errors were found. */
size_t config_errors_count(const struct config_errors *errors);
/* Returns the number of lines to print: the first 50 errors, a line that says how many more were found, and then the warnings in the same way. */
size_t config_errors_lines(const struct config_errors *errors);
/* Returns the text of line `i`, without a newline. `errors` owns it. */
const char *config_errors_text(const struct config_errors *errors, size_t i);

#endif
