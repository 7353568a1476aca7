/* control/start_log.c: opens the log as configured. Control's thread; owns nothing. */
#include "control/start_log.h"

#include <errno.h>
#include <string.h>

#include "log/log.h"
#include "log/target.h"

static const char *find_advice(const char *target, int error)
{
    struct log_target parsed;

    if (log_target_parse(&parsed, target) && parsed.kind == LOG_TARGET_SYSLOG)
        return "; a syslog daemon must listen on /dev/log";
    if (log_target_parse(&parsed, target) && parsed.kind == LOG_TARGET_JOURNAL)
        return "; systemd-journald must listen on /run/systemd/journal/socket";
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return "; create its directory first";
    case EISDIR:
        return "; name a file in this directory";
    case EACCES:
    case EPERM:
    case EROFS:
        return "; the user that penstock runs as must be able to write there";
    case EMFILE:
        return "; raise the limit on open files (ulimit -n, LimitNOFILE=)";
    default:
        return "";
    }
}

int start_log(const struct config *config)
{
    struct log_options options = {
        .target = config->log,
        .level = (enum log_level)config->log_level,
        .format = (enum log_format)config->log_format,
        .access_target = config->access_log,
        .access_format = (enum log_format)config->access_log_format,
    };
    const char *failed = NULL;
    int result = log_start(&options, &failed);

    if (result == 0)
        return 0;
    if (failed)
        log_error("%s = %s: cannot be written: %s%s", failed == config->access_log ? "access_log" : "log", failed, strerror(-result),
                  find_advice(failed, -result));
    else
        log_error("cannot start the log thread: %s%s", strerror(-result),
                  result == -EMFILE ? "; raise the limit on open files (ulimit -n, LimitNOFILE=)" : "");
    return -1;
}
