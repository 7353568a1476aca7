/* base/expect.c: matches an answer with a text, bytes or a regular expression. Any thread; owns the compiled expression. */
#include "base/expect.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGEX "regex:"
#define ANYTHING "^([^a]|a)*("  /* "." would not match a zero byte */

enum {
    REGEX_SIZE_MAX = 1000, /* number of states of the automaton; its memory grows with the square */
    BYTE_DIGITS = 4        /* \xNN */
};

/* An expression that is being translated to what regcomp(3) understands. */
struct translation {
    const char *at;    /* next character to read */
    char out[PAYLOAD_BYTES_MAX + sizeof(ANYTHING ")")];
    size_t bytes;      /* length of `out` */
    size_t before;     /* size of the automaton of the present parentheses, without the last item */
    size_t last;       /* size of the last item, which an operator would repeat */
    size_t depth;      /* number of open parentheses */
    size_t outside[PAYLOAD_BYTES_MAX]; /* `before` of each level around the present one */
};

static void copy_chars(struct translation *t, size_t count)
{
    memcpy(t->out + t->bytes, t->at, count);
    t->bytes += count;
    t->at += count;
}

static const char *take_byte(struct translation *t)
{
    char digits[3] = {t->at[2], t->at[2] != '\0' ? t->at[3] : '\0'};
    unsigned long byte = strtoul(digits, NULL, 16);

    if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]))
        return "after \\x come two hexadecimal digits";
    if (byte == 0)
        return "a regular expression cannot contain a zero byte; use hex:";
    if (ispunct((int)byte))
        return "\\xNN is not for punctuation marks: write the mark, after a \"\\\" if it is an operator";
    t->out[t->bytes++] = (char)byte;
    t->at += BYTE_DIGITS;
    return NULL;
}

/* An escape outside brackets or in them, where a backslash is an ordinary character to regcomp(3). */
static const char *take_escape(struct translation *t, bool in_brackets)
{
    static const char names[] = "rnt", values[] = "\r\n\t";
    char c = t->at[1];
    const char *name = c != '\0' ? strchr(names, c) : NULL;

    if (name) {
        t->out[t->bytes++] = values[name - names];
        t->at += 2;
        return NULL;
    }
    if (c == 'x')
        return take_byte(t);
    if (isdigit((unsigned char)c))
        return "back-references are not possible";
    if (!ispunct((unsigned char)c))
        return "after a \"\\\" comes r, n, t, xNN or a punctuation mark; classes are written [[:digit:]], [[:space:]], [[:alnum:]_]";
    if (in_brackets && c != '\\')
        return "in brackets, a \"\\\" comes only before r, n, t, xNN and \\: put a ] first and a - last";
    if (in_brackets || strchr("<>`'", c)) { /* in front of these, glibc would take the backslash for a part of an operator */
        t->at++;
        copy_chars(t, 1);
    } else {
        copy_chars(t, 2);
    }
    return NULL;
}

/* A bracket expression such as [^]a-z[:digit:]]. */
static const char *take_brackets(struct translation *t)
{
    const char *problem = NULL;

    copy_chars(t, t->at[1] == '^' ? 2 : 1);
    if (*t->at == ']')
        copy_chars(t, 1);
    while (!problem && *t->at != ']') {
        if (*t->at == '\0')
            return "a [ has no ]";
        if (*t->at == '[' && t->at[1] != '\0' && strchr(":.=", t->at[1])) {
            const char end[3] = {t->at[1], ']'}, *found = strstr(t->at + 2, end);
            if (!found)
                return "a [: has no :]";
            copy_chars(t, (size_t)(found + 2 - t->at));
        } else if (*t->at == '\\') {
            problem = take_escape(t, true);
        } else {
            copy_chars(t, 1);
        }
    }
    if (!problem)
        copy_chars(t, 1);
    return problem;
}

static void begin_item(struct translation *t)
{
    t->before += t->last;
    t->last = 1;
}

/* regcomp(3) copies what an operator repeats. */
static void repeat_item(struct translation *t, size_t times)
{
    t->last = times < REGEX_SIZE_MAX && t->last < REGEX_SIZE_MAX ? t->last * times + 1 : REGEX_SIZE_MAX;
}

/* Returns the larger number in {n}, {n,} or {n,m}. */
static size_t read_repeats(const char *at)
{
    char *end;
    size_t least = strtoul(at + 1, &end, 10), most = *end == ',' ? strtoul(end + 1, NULL, 10) : 0;

    if (least > most)
        most = least;
    return most < REGEX_SIZE_MAX ? most + 1 : REGEX_SIZE_MAX;
}

static void open_group(struct translation *t)
{
    begin_item(t);
    t->outside[t->depth++] = t->before;
    t->before = 0;
}

/* Without a "(", glibc would take a ")" for an ordinary character, but the prefix has a "(". */
static const char *close_group(struct translation *t)
{
    if (t->depth == 0)
        return "a ) has no (; write \\) for the mark";
    t->last += t->before;
    t->before = t->outside[--t->depth];
    return NULL;
}

static const char *take_next(struct translation *t)
{
    const char *problem = NULL;

    switch (*t->at) {
    case '\\':
        begin_item(t);
        return take_escape(t, false);
    case '[':
        begin_item(t);
        return take_brackets(t);
    case '(':
        open_group(t);
        break;
    case ')':
        problem = close_group(t);
        break;
    case '*':
    case '?':
        repeat_item(t, 1);
        break;
    case '+':
        repeat_item(t, 2);
        break;
    case '{':
        repeat_item(t, read_repeats(t->at));
        break;
    default:
        begin_item(t);
    }
    copy_chars(t, 1);
    return problem;
}

/* Translates the text after regex:, with `prefix` before it. */
static const char *translate_regex(struct translation *t, const char *text, const char *prefix)
{
    const char *problem = NULL;

    *t = (struct translation){.at = text, .bytes = strlen(prefix)};
    memcpy(t->out, prefix, strlen(prefix));
    if (*text == '\0')
        return "has no expression";
    if (strlen(text) > PAYLOAD_BYTES_MAX)
        return "more than 1024 bytes";
    while (!problem && *t->at != '\0')
        problem = take_next(t);
    if (!problem && (t->before >= REGEX_SIZE_MAX || t->last >= REGEX_SIZE_MAX))
        problem = "too large: written without +, {n} and {n,m}, it would be longer than 1000";
    t->out[t->bytes] = '\0';
    return problem;
}

bool expect_is_regex(const char *text)
{
    return strncmp(text, REGEX, strlen(REGEX)) == 0;
}

static bool check_regex(const char *text, char problem[EXPECT_PROBLEM_BYTES])
{
    struct translation translation;
    const char *wrong = translate_regex(&translation, text, "");
    regex_t regex;

    if (wrong) {
        snprintf(problem, EXPECT_PROBLEM_BYTES, "%s", wrong);
        return false;
    }
    int error = regcomp(&regex, translation.out, REG_EXTENDED | REG_NOSUB);
    if (error != 0) {
        regerror(error, &regex, problem, EXPECT_PROBLEM_BYTES);
        problem[0] = (char)tolower((unsigned char)problem[0]);
        return false;
    }
    regfree(&regex);
    return true;
}

bool expect_validate(const char *text, char problem[EXPECT_PROBLEM_BYTES])
{
    struct payload payload;
    const char *wrong;

    if (expect_is_regex(text))
        return check_regex(text + strlen(REGEX), problem);
    wrong = payload_parse(&payload, text, true);
    if (wrong)
        snprintf(problem, EXPECT_PROBLEM_BYTES, "%s", wrong);
    return !wrong;
}

int expect_init(struct expect *out, const char *text)
{
    struct translation translation;

    out->is_regex = expect_is_regex(text);
    if (!out->is_regex) {
        if (payload_parse(&out->payload, text, true))
            assert(!"not a valid text");
        return 0;
    }
    if (translate_regex(&translation, text + strlen(REGEX), ANYTHING))
        assert(!"not a valid expression");
    strcpy(translation.out + translation.bytes, ")");
    return regcomp(&out->regex, translation.out, REG_EXTENDED | REG_NOSUB) == 0 ? 0 : -ENOMEM;
}

void expect_deinit(struct expect *expect)
{
    if (expect->is_regex)
        regfree(&expect->regex);
}

static enum expect_verdict match_regex(const struct expect *expect, const uint8_t *data, size_t bytes)
{
    regmatch_t range = {.rm_eo = (regoff_t)bytes}; /* REG_STARTEND: the data may contain zero bytes */

    switch (regexec(&expect->regex, (const char *)data, 0, &range, REG_STARTEND)) {
    case 0:
        return EXPECT_MATCH;
    case REG_NOMATCH:
        return bytes < EXPECT_BYTES_MAX ? EXPECT_OPEN : EXPECT_MISMATCH;
    default:
        return EXPECT_NO_MEMORY;
    }
}

enum expect_verdict expect_match(const struct expect *expect, const uint8_t *data, size_t bytes)
{
    if (bytes > EXPECT_BYTES_MAX)
        bytes = EXPECT_BYTES_MAX;
    if (expect->is_regex)
        return match_regex(expect, data, bytes);
    if (!payload_agrees(&expect->payload, data, bytes))
        return EXPECT_MISMATCH;
    return bytes < expect->payload.count ? EXPECT_OPEN : EXPECT_MATCH;
}
