/* log/target.c: parses where log lines go. Pure; any thread. */
#include "log/target.h"

#include <stddef.h>
#include <string.h>

/* By number. 0 is the kernel's own, and 12 to 15 have no common name. */
static const char *const facilities[] = {
    NULL, "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", NULL, NULL, NULL, NULL,
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
};

static bool find_facility(const char *name, unsigned *facility)
{
    for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++) {
        if (!facilities[i] || strcmp(facilities[i], name) != 0)
            continue;
        *facility = (unsigned)i;
        return true;
    }
    return false;
}

bool log_target_parse(struct log_target *target, const char *text)
{
    static const char syslog[] = "syslog";

    *target = (struct log_target){.kind = LOG_TARGET_FILE};
    if (strcmp(text, "stderr") == 0) {
        target->kind = LOG_TARGET_STDERR;
        return true;
    }
    if (strcmp(text, "stdout") == 0) {
        target->kind = LOG_TARGET_STDOUT;
        return true;
    }
    if (strcmp(text, "journal") == 0) {
        target->kind = LOG_TARGET_JOURNAL;
        return true;
    }
    if (strncmp(text, syslog, strlen(syslog)) == 0) {
        const char *rest = text + strlen(syslog);

        target->kind = LOG_TARGET_SYSLOG;
        if (*rest == '\0' || *rest == ':')
            return find_facility(*rest == '\0' ? "daemon" : rest + 1, &target->facility);
        target->kind = LOG_TARGET_FILE; /* the path of a file whose name begins so */
    }
    target->path = text;
    return strchr(text, '/') != NULL;
}
