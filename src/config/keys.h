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
    CONFIG_CHOICE,   /* word i of `choices` is value i of the enum */
    CONFIG_CPUS,     /* auto, off, or a list */
    CONFIG_WORD,     /* text without blanks */
    CONFIG_TEXT,     /* the rest of the line */
    CONFIG_HOST,     /* a host name or an IP address, without a port */
    CONFIG_PATH,     /* of a file */
    CONFIG_COMMAND,  /* absolute path of a program, and arguments */
    CONFIG_SINK,     /* as log/target.h parses it */
    CONFIG_URL_PATH,
    CONFIG_METHOD,
    CONFIG_PAYLOAD,  /* bytes in the notation of base/payload.h, which resolves the escapes in it */
    CONFIG_EXPECT,   /* what base/expect.h accepts */
    CONFIG_STATUS,   /* a list as in base/status_list.h */
    CONFIG_IP,       /* numeric address without a port */
    CONFIG_ADDRESS,  /* to listen on: what addr_parse() reads; the field is a struct addr */
    CONFIG_MODE,     /* permissions of a file, octal */
    CONFIG_INCLUDE,  /* handled by the reader */
    CONFIG_BIND,     /* this and the next two are handled in config/build.c */
    CONFIG_POOL,
    CONFIG_BACKEND,
};

struct config_key {
    const char *name;
    enum config_section section; /* one of global, listener, pool */
    enum config_type type;
    bool repeatable;
    bool own_section_only;       /* not taken from [defaults] */
    const char *initial;         /* the default, as written in a file; NULL: none */
    const char *zero;            /* word for 0 (off, auto); NULL: none */
    const char *free;            /* word for UINT32_MAX, which is above `max`: the program decides (auto); NULL: none */
    uint64_t min, max;           /* bounds of numeric types; `max` is the longest text in bytes of the types that are texts */
    uint64_t step;               /* the value must be a multiple of this; 0: any */
    const char *choices;         /* words of a CHOICE, separated by "|" */
    const char *later;           /* choices of later versions, which this version refuses by name */
    const char *used_with;       /* "key=value", or "key=one|another": the key has an effect only with this; NULL: always */
    size_t offset, bytes;        /* of the field in struct config, config_listener or config_pool; 0 bytes: no field */
    const char *help;
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* Whether sections of this kind accept the key. [defaults] accepts those of [listener] and [pool], except bind, pool and backend. */
bool config_key_is_in(const struct config_key *key, enum config_section section);

/* Returns the key, or NULL if sections of this kind do not accept it. */
const struct config_key *config_key_find(enum config_section section, const char *name);

/* Whether a later version has the key, so that it is not reported as a spelling mistake. */
bool config_key_is_later(const char *name);

/* Writes the allowed values for a reader, such as "off, or 1s to 9h", to `buffer`, at most `size` bytes, and returns it. */
const char *config_key_range(const struct config_key *key, char *buffer, size_t size);

/* Whether the reader leaves the escapes in the key's value to base/payload.h or base/expect.h. */
bool config_key_keeps_escapes(const struct config_key *key);

/* Whether `choice` is one of the words in `choices`, separated by "|". Sets `*index` to its position. */
bool config_choice_find(const char *choices, const char *choice, uint64_t *index);
/* Writes the word at that position. */
void config_choice_format(const char *choices, uint64_t index, char *buffer, size_t size);

#endif
