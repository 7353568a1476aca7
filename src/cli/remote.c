/* cli/remote.c: calls the admin API for a subcommand. Main thread. The caller owns the struct, which owns the client. */
#include "cli/remote.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/load.h"
#include "config/config.h"



int remote_fail(const struct remote *remote, int status, const char *format, ...)
{
    va_list values;

    fprintf(stderr, "penstock %s: ", remote->command);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    return status;
}

/* The path of a socket, which may be written as in the configuration file. */
static const char *socket_path(const char *text)
{
    return strncmp(text, "unix:", 5) == 0 ? text + 5 : text;
}

/* Makes the client. Returns 0, or the exit status after a message. */
static int open_client(struct remote *remote)
{
    const char *socket = remote->socket ? socket_path(remote->socket) : CLIENT_DEFAULT_SOCKET;
    struct config *config = NULL;
    int status = 0;

    if (remote->socket && remote->file)
        return remote_fail(remote, 2, "-s and -c exclude each other: both say which socket");
    if (remote->file) {
        config = cli_load(remote->command, remote->file);
        if (!config)
            return 1;
        socket = addr_family(&config->admin) == AF_UNIX ? config->admin.un.sun_path : NULL;
    }
    if (!socket)
        status = remote_fail(remote, 1, "%s has no admin socket (admin = off)", remote->file);
    else if (!(remote->client = client_new(socket)))
        status = remote_fail(remote, 1, "out of memory");
    config_free(config);
    return status;
}

int remote_begin(struct remote *remote, int argc, char **argv, const struct options_syntax *syntax, const char **operands)
{
    enum options_result result = options_read(argc, argv, syntax, operands);
    int status;

    if (result != OPTIONS_GO)
        return result == OPTIONS_HELP ? 0 : 2;
    status = open_client(remote);
    return status == 0 ? REMOTE_GO : status;
}

void remote_close(struct remote *remote)
{
    client_free(remote->client);
    remote->client = NULL;
}

int remote_call(struct remote *remote, const char *method, const char *path, const json_t *body, struct client_answer *answer)
{
    enum client_result result;

    *answer = (struct client_answer){0};
    if (!path)
        return remote_fail(remote, 1, "out of memory");
    result = client_call(remote->client, method, path, body, REMOTE_TIMEOUT_MS, answer);
    if (result == CLIENT_DONE)
        return 0;
    return remote_fail(remote, (int)result, "%s", answer->error);
}

int remote_json(struct remote *remote, const char *method, const char *path, const json_t *body, json_t **json)
{
    struct client_answer answer;
    int status = remote_call(remote, method, path, body, &answer);

    *json = NULL;
    if (status == 0 && !json_is_object(answer.json))
        status = remote_fail(remote, 1, "the answer at %s is not that of a penstock", client_socket(remote->client));
    if (status == 0)
        *json = json_incref(answer.json);
    client_answer_clear(&answer);
    return status;
}

int remote_print(const struct remote *remote, const json_t *json)
{
    if (json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10)) != 0)
        return remote_fail(remote, 1, "cannot print the answer");
    putchar('\n');
    return 0;
}

char *remote_path(const char *format, ...)
{
    char *path = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&path, &bytes);
    bool complete = out != NULL;
    va_list values;

    if (!out)
        return NULL;
    va_start(values, format);
    for (const char *at = format; *at != '\0'; at++) {
        char *encoded;

        if (*at != '%') {
            fputc(*at, out);
            continue;
        }
        at++; /* the s */
        encoded = client_encode(va_arg(values, const char *));
        complete = complete && encoded;
        fputs(encoded ? encoded : "", out);
        free(encoded);
    }
    va_end(values);
    if (fclose(out) == 0 && complete)
        return path;
    free(path);
    return NULL;
}

char *remote_add(char *path, const char *name, const char *value)
{
    char *encoded, *longer = NULL;

    if (!path || !value)
        return path;
    encoded = client_encode(value);
    if (encoded && asprintf(&longer, "%s%c%s=%s", path, strchr(path, '?') ? '&' : '?', name, encoded) < 0)
        longer = NULL;
    free(encoded);
    free(path);
    return longer;
}
