/* cli/remote.h: what the subcommands that talk to a running Penstock have in common: their options, the calls, and the messages for failures. Main thread. */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/client.h"
#include "cli/options.h"

enum { REMOTE_TIMEOUT_MS = 15000 }; /* of a call; the server itself gives up after a few seconds, and says why */

/* All zero at first, except `command`. */
struct remote {
    const char *command;      /* for messages, such as "backend add" */
    const char *socket, *file; /* values of -s and -c */
    bool json;                /* --json: print the answer of the API */
    struct client *client;    /* owned; NULL before remote_begin() */
};

/* The rows of these options (cli/options.h), without and with --json. */
#define REMOTE_SOCKET_ROWS(remote) {'s', NULL, "SOCKET", &(remote)->socket, NULL}, {'c', NULL, "FILE", &(remote)->file, NULL}
#define REMOTE_ROWS(remote) REMOTE_SOCKET_ROWS(remote), {0, "json", NULL, NULL, &(remote)->json}

/* The part of a --help text that explains them. */
#define REMOTE_SOCKET_HELP "  -s SOCKET   the admin socket (" CLIENT_DEFAULT_SOCKET ")\n" \
                           "  -c FILE     take the admin socket from this configuration file\n"
#define REMOTE_HELP REMOTE_SOCKET_HELP \
                    "  --json      print JSON, as etc/openapi.yaml describes it\n"

/* The last line of a --help text. */
#define REMOTE_EXITS "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 nothing answers at the socket."

#define REMOTE_GO (-1)

/* Reads the arguments (cli/options.h) and finds the socket; nothing is connected yet. Returns REMOTE_GO, or the exit status after a message or --help. The
 * caller calls remote_close() in both cases. */
int remote_begin(struct remote *remote, int argc, char **argv, const struct options_syntax *syntax, const char **operands);
/* Safe twice. */
void remote_close(struct remote *remote);

/* Makes a call and waits for its answer. `path` may be NULL: out of memory. Returns 0, or the exit status after a message. The caller clears `answer` in
 * both cases. */
int remote_call(struct remote *remote, const char *method, const char *path, const json_t *body, struct client_answer *answer);

/* The same for an answer that must be JSON. Sets `*json`, which the caller owns; NULL unless 0 is returned. */
int remote_json(struct remote *remote, const char *method, const char *path, const json_t *body, json_t **json);

/* Prints a message on standard error, after "penstock COMMAND: ". Returns `status`. */
int remote_fail(const struct remote *remote, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Prints JSON on standard output, indented. Returns the exit status. */
int remote_print(const struct remote *remote, const json_t *json);

/* Returns a path, to be freed. Each %s in the format is replaced by a percent-encoded argument; nothing else may follow a %. NULL: out of memory. */
char *remote_path(const char *format, ...);

/* Returns the path with `name=value` added to its query, to be freed. Takes `path` over. Nothing is added if `value` is NULL. NULL: out of memory, or `path`
 * was NULL. */
char *remote_add(char *path, const char *name, const char *value);

#endif
