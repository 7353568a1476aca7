/* main.c: penstock-bench, the load generator and test server. Has the table of its subcommands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/descriptors.h"
#include "load.h"
#include "net.h"
#include "options.h"
#include "protocol.h"
#include "serve.h"
#include "udp_load.h"
#include "udp_serve.h"

static const struct {
    const char *name, *protocol; /* the protocol is a second word, NULL for streams */
    int (*run)(char **argv);     /* argv[0] is the last word of the subcommand; returns the exit status */
    const char *help;
} commands[] = {
    {"load", "udp", udp_load_main, "load udp TARGET [options]   send datagrams, verify the replies, count what is lost, repeated or misdelivered"},
    {"load", NULL, load_main, "load TARGET [options]       send load, verify every byte of the replies, measure latency"},
    {"serve", "udp", udp_serve_main, "serve udp [options]         return datagrams to their senders"},
    {"serve", NULL, serve_main, "serve [options]             run a test server: echo, sink, source or rpc"},
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static int print_help(void)
{
    puts("usage: penstock-bench COMMAND; penstock-bench COMMAND --help lists the options");
    for (int i = 0; i < COMMANDS; i++)
        printf("  %s\n", commands[i].help);
    return 0;
}

int main(int argc, char **argv)
{
    if (!descriptors_open_standard("penstock-bench"))
        return 1;
    if (argc < 2)
        options_refuse("which command? 'load' or 'serve' (--help)");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help();
    for (int i = 0; i < COMMANDS; i++) {
        const char *protocol = commands[i].protocol;
        if (strcmp(argv[1], commands[i].name) != 0 || (protocol && (!argv[2] || strcmp(argv[2], protocol) != 0)))
            continue;
        signal(SIGPIPE, SIG_IGN);
        net_raise_descriptor_limit();
        protocol_init();
        return commands[i].run(protocol ? argv + 2 : argv + 1);
    }
    options_refuse("unknown command '%s': 'load' or 'serve'", argv[1]);
}
