/* cli/cmd_save.c: `penstock save`: writes the configuration in force, with what was changed at run time. Main thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/remote.h"
#include "cli/replace.h"

static const char usage[] =
    "usage: penstock save [FILE]\n"
    "\n"
    "Prints the configuration in force as a configuration file, or writes it to FILE: a restart with it gives what runs now.\n"
    "FILE is replaced as a whole, or stays as it was if anything fails. It keeps its mode and owner; a new one has the mode 0644.\n"
    "Comments of the original are lost, and the contents of included files take the place of `include`.\n"
    "\n"
    REMOTE_SOCKET_HELP "\n" REMOTE_EXITS;

static int save_config(struct remote *remote, const char *file)
{
    struct client_answer answer;
    int status = remote_call(remote, "GET", "/v1/config", NULL, &answer), error;

    if (status == 0 && !answer.text)
        status = remote_fail(remote, 1, "the answer at %s is empty", client_socket(remote->client));
    if (status == 0 && !file)
        (void)fwrite(answer.text, 1, answer.text_bytes, stdout); /* main() looks for errors of stdout */
    if (status == 0 && file) {
        const char *step;

        error = replace_file(file, answer.text, answer.text_bytes, &step);
        status = error ? remote_fail(remote, 1, "%s: cannot %s: %s", file, step, strerror(-error)) : 0;
        if (status == 0)
            printf("%s: written\n", file);
    }
    client_answer_clear(&answer);
    return status;
}

int cmd_save(int argc, char **argv)
{
    struct remote remote = {.command = argv[0]};
    const char *operands[1];
    const struct options_row rows[] = {REMOTE_SOCKET_ROWS(&remote)};
    const struct options_syntax syntax = {argv[0], usage, rows, sizeof(rows) / sizeof(rows[0]), "[FILE]", 0, 1};
    int status = remote_begin(&remote, argc, argv, &syntax, operands);

    if (status == REMOTE_GO)
        status = save_config(&remote, operands[0]);
    remote_close(&remote);
    return status;
}
