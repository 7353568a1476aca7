/* config/keys.h: the table of configuration keys. Constant; any thread. */
#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/file.h"

enum config_type {
    CONFIG_NUMBER,
    CONFIG_DURATION, /* milliseconds */
    CONFIG_DURATION_US, /* microseconds */
    CONFIG_SIZE,     /* bytes */
    CONFIG_PERCENT,
    CONFIG_YES_NO,
    CONFIG_CHOICE,   /* value i of `choices` is value i of the enum */
    CONFIG_CPUS,     /* auto, off, or a list */
    CONFIG_WORD,     /* text without blanks */
    CONFIG_TEXT,     /* the rest of the line */
    CONFIG_SINK,     /* stderr or a path */
    CONFIG_URL_PATH,
    CONFIG_METHOD,
    CONFIG_STATUS,   /* N or N-M */
    CONFIG_IP,       /* numeric address without a port */
    CONFIG_INCLUDE,  /* handled while reading */
    CONFIG_BIND,     /* these three are put together in config/build.c */
    CONFIG_POOL,
    CONFIG_BACKEND,
};

struct config_key {
    const char *name;
    enum config_section section; /* one of global, listener, pool */
    enum config_type type;
    bool repeatable;
    bool own_section_only;       /* not taken from [defaults] */
    const char *initial;         /* the default, as it would be written; NULL: none */
    const char *zero;            /* a word that stands for 0 (off, auto); NULL: none */
    const char *free;            /* a word that stands for UINT32_MAX, past `max`: as the program sees fit (auto); NULL: none */
    uint64_t min, max;           /* of NUMBER, DURATION, DURATION_US, SIZE, PERCENT; longest text in bytes of WORD, TEXT, URL_PATH, METHOD */
    uint64_t step;               /* the value is a multiple of this; 0: any */
    const char *choices;         /* of CHOICE, separated by "|" */
    const char *later;           /* further choices, known but not supported by this version */
    const char *used_with;       /* "key=value": has an effect only then; NULL: always */
    size_t offset, bytes;        /* the field of struct config, config_listener or config_pool; 0 bytes: none */
    const char *help;
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* Whether sections of this kind take the key. [defaults] takes those of [listener] and [pool], but for bind, pool and backend. */
bool config_key_is_in(const struct config_key *key, enum config_section section);

/* NULL: sections of this kind take no such key. */
const struct config_key *config_key_find(enum config_section section, const char *name);

/* Whether a later version may have the key, so that its absence is not taken for a misspelling. */
bool config_key_is_later(const char *name);

/* What may be written after the "=", for people: "off, or 1s to 9h". Writes at most `size` bytes to `buffer` and returns it. */
const char *config_key_range(const struct config_key *key, char *buffer, size_t size);

/* Whether `choice` is one of the words in `choices`, which "|" separates; its position goes to `*index`. */
bool config_choice_find(const char *choices, const char *choice, uint64_t *index);

#endif
