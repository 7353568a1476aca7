/* log/target.h: where log lines go, as the configuration says it. Pure; any thread. */
#ifndef LOG_TARGET_H
#define LOG_TARGET_H

#include <stdbool.h>

enum log_target_kind {
    LOG_TARGET_FILE,
    LOG_TARGET_STDERR,
    LOG_TARGET_STDOUT,
    LOG_TARGET_SYSLOG,  /* datagrams to the local syslog daemon */
    LOG_TARGET_JOURNAL, /* datagrams to systemd-journald */
};

struct log_target {
    enum log_target_kind kind;
    unsigned facility;  /* SYSLOG: the number in RFC 3164, section 4.1.1 */
    const char *path;   /* FILE: in the text that was parsed; else NULL */
};

/* Parses "stderr", "stdout", "syslog", "syslog:FACILITY" (without one: daemon), "journal", or a path with a "/". Returns false if the text is none of these. */
bool log_target_parse(struct log_target *target, const char *text);

#endif
