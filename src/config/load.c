/* config/load.c: loads a configuration and frees it. Thread that loads the configuration; the configuration owns everything that it points to. */
#include "config/load.h"

#include <stdlib.h>
#include <string.h>

#include "config/build.h"

struct loaded {
    struct config config; /* first member: config_free() casts it back */
    struct config_arena arena;
};

/* Copies the warnings into the configuration, which has no errors. */
static void keep_warnings(struct loaded *loaded, struct config_errors *errors)
{
    size_t count = config_errors_lines(errors);
    const char **warnings = config_arena_alloc(&loaded->arena, count * sizeof(*warnings));

    for (size_t i = 0; i < count && warnings; i++) {
        const char *text = config_errors_text(errors, i);
        warnings[i] = config_arena_copy(&loaded->arena, text, strlen(text));
    }
    loaded->config.warnings = warnings;
    loaded->config.warning_count = count;
}

static struct config *load_input(const struct config_input *input, struct config_errors *errors)
{
    struct config_source whole = {.file = input->name};
    const struct config_place place = {.source = &whole};
    struct config_raw raw = {.is_file = !input->text};
    struct loaded *loaded = calloc(1, sizeof(*loaded));

    if (!loaded) {
        config_errors_add(errors, &place, "out of memory");
        return NULL;
    }
    if (config_file_read(&raw, input, &loaded->arena, errors)) {
        bool all_understood = config_errors_count(errors) == 0;
        config_build(&loaded->config, &raw, &loaded->arena, errors);
        if (loaded->config.listener_count == 0 && all_understood) /* otherwise the listener may be in a line or a file that was refused */
            config_errors_add(errors, &place, "no [listener NAME] section: there is nothing to do");
    }
    config_errors_sort(errors);
    if (config_errors_count(errors) == 0)
        keep_warnings(loaded, errors);
    if (loaded->arena.failed) {
        config_errors_add(errors, &place, "out of memory");
        config_errors_sort(errors);
    }
    if (config_errors_count(errors) == 0)
        return &loaded->config;
    config_free(&loaded->config);
    return NULL;
}

struct config *config_load(const char *path, struct config_errors *errors)
{
    return load_input(&(struct config_input){.name = path}, errors);
}

struct config *config_load_text(const char *name, const char *text, size_t bytes, struct config_errors *errors)
{
    return load_input(&(struct config_input){.name = name, .text = text, .bytes = bytes}, errors);
}

void config_free(struct config *config)
{
    struct loaded *loaded = (struct loaded *)config;
    if (!loaded)
        return;
    config_arena_free(&loaded->arena);
    free(loaded);
}
