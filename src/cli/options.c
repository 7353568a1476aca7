/* cli/options.c: reads the options and operands of a subcommand by getopt_long(). Main thread. */
#include "cli/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "config/suggest.h"

/* What getopt_long() returns for row i of the syntax. It is above any letter. */
enum { ROW = 0x100, HELP = ROW + OPTIONS_ROWS_MAX };

/* The tables of getopt_long(). */
struct tables {
    struct option names[OPTIONS_ROWS_MAX + 2];
    char letters[2 * OPTIONS_ROWS_MAX + 3];
};

static void fill_tables(struct tables *tables, const struct options_syntax *syntax)
{
    struct option *name = tables->names;
    char *letter = tables->letters;

    *letter++ = ':'; /* a missing value is reported as ':' */
    *letter++ = 'h';
    *name++ = (struct option){"help", no_argument, NULL, HELP};
    for (size_t i = 0; i < syntax->row_count; i++) {
        const struct options_row *row = &syntax->rows[i];
        if (row->name)
            *name++ = (struct option){row->name, row->form ? required_argument : no_argument, NULL, ROW + (int)i};
        if (row->letter != 0) {
            *letter++ = row->letter;
            if (row->form)
                *letter++ = ':';
        }
    }
    *name = (struct option){0};
    *letter = '\0';
}

/* Returns the row that getopt_long() means by the number or letter `option`. */
static const struct options_row *find_row(const struct options_syntax *syntax, int option)
{
    if (option >= ROW && option < HELP)
        return &syntax->rows[option - ROW];
    for (size_t i = 0; i < syntax->row_count; i++)
        if (option != 0 && syntax->rows[i].letter == option)
            return &syntax->rows[i];
    return NULL;
}

/* Writes how a row is given, such as "-c" or "--json", to `text`. */
static const char *row_text(const struct options_row *row, char *text, size_t size)
{
    if (row->name)
        (void)snprintf(text, size, "--%s", row->name);
    else
        (void)snprintf(text, size, "-%c", row->letter);
    return text;
}

static enum options_result unknown_option(const struct options_syntax *syntax, char **argv)
{
    struct suggest suggest = {0};
    const char *word = argv[optind - 1]; /* getopt_long() is already past a long option, but not past a group of short ones */

    if (optopt != 0 && optopt < ROW && strncmp(word, "--", 2) != 0) {
        fprintf(stderr, "penstock %s: unknown option -%c; see penstock %s --help\n", syntax->command, optopt, syntax->command);
        return OPTIONS_WRONG;
    }
    if (optopt >= ROW) {
        fprintf(stderr, "penstock %s: %s: this option takes no value\n", syntax->command, word);
        return OPTIONS_WRONG;
    }
    suggest_offer(&suggest, word + strspn(word, "-"), "help");
    for (size_t i = 0; i < syntax->row_count; i++)
        if (syntax->rows[i].name)
            suggest_offer(&suggest, word + strspn(word, "-"), syntax->rows[i].name);
    if (suggest.nearest)
        fprintf(stderr, "penstock %s: unknown option %s; did you mean --%s?\n", syntax->command, word, suggest.nearest);
    else
        fprintf(stderr, "penstock %s: unknown option %s; see penstock %s --help\n", syntax->command, word, syntax->command);
    return OPTIONS_WRONG;
}

/* Stores one option. */
static enum options_result take_option(const struct options_syntax *syntax, const struct options_row *row, const char *value)
{
    char text[40];

    if (row->form ? *row->value != NULL : *row->flag) {
        fprintf(stderr, "penstock %s: %s is given twice\n", syntax->command, row_text(row, text, sizeof(text)));
        return OPTIONS_WRONG;
    }
    if (row->form)
        *row->value = value;
    else
        *row->flag = true;
    return OPTIONS_GO;
}

/* Stores the operands, which getopt_long() has moved to the end. */
static enum options_result take_operands(int argc, char **argv, const struct options_syntax *syntax, const char **operands)
{
    size_t count = (size_t)(argc - optind);

    if (count > syntax->operands_max) {
        fprintf(stderr, "penstock %s: \"%s\" is not expected here%s\n", syntax->command, argv[(size_t)optind + syntax->operands_max],
                syntax->operands_max == 0 && find_row(syntax, 'c') ? "; a configuration file is named with -c FILE" : "");
        return OPTIONS_WRONG;
    }
    if (count < syntax->operands_min) {
        fprintf(stderr, "penstock %s: too few arguments: penstock %s %s\n", syntax->command, syntax->command, syntax->operands);
        return OPTIONS_WRONG;
    }
    for (size_t i = 0; i < syntax->operands_max; i++)
        operands[i] = i < count ? argv[(size_t)optind + i] : NULL;
    return OPTIONS_GO;
}

enum options_result options_read(int argc, char **argv, const struct options_syntax *syntax, const char **operands)
{
    struct tables tables;
    int option;

    assert(syntax->row_count <= OPTIONS_ROWS_MAX && syntax->operands_max <= OPTIONS_OPERANDS_MAX);
    fill_tables(&tables, syntax);
    optind = 0; /* glibc: 0 makes getopt_long() reinitialise its state */
    opterr = 0; /* getopt_long() prints nothing; the messages here also say what to do */
    while ((option = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1) {
        const struct options_row *row = find_row(syntax, option == ':' ? optopt : option);
        char text[40];

        if (option == 'h' || option == HELP) {
            if (syntax->usage)
                puts(syntax->usage);
            return OPTIONS_HELP;
        }
        if (option == '?' || !row)
            return unknown_option(syntax, argv);
        if (option == ':') {
            fprintf(stderr, "penstock %s: %s needs a value: %s %s\n", syntax->command, row_text(row, text, sizeof(text)), text, row->form);
            return OPTIONS_WRONG;
        }
        if (take_option(syntax, row, optarg) != OPTIONS_GO)
            return OPTIONS_WRONG;
    }
    return take_operands(argc, argv, syntax, operands);
}

enum options_result options_parse(int argc, char **argv, const char **file)
{
    const char *given = NULL;
    const struct options_row rows[] = {{'c', NULL, "FILE", &given, NULL}};
    const struct options_syntax syntax = {.command = argv[0], .rows = rows, .row_count = file ? 1 : 0, .operands = ""};
    enum options_result result = options_read(argc, argv, &syntax, NULL);

    if (file)
        *file = given ? given : OPTIONS_DEFAULT_FILE;
    return result;
}
