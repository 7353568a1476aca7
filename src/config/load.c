/* config/load.c: loads a configuration and frees it. Thread that loads the configuration; the configuration owns everything that it points to. */
#include "config/load.h"

#include <stdlib.h>
#include <string.h>

#include "config/build.h"

/* Copies the warnings into the configuration, which has no errors. */
static void keep_warnings(struct config_loaded *loaded, struct config_errors *errors)
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

/* Returns the configuration, or NULL after freeing it if there are errors. */
static struct config *finish_loading(struct config_loaded *loaded, const struct config_place *whole, struct config_errors *errors)
{
    config_errors_sort(errors);
    if (config_errors_count(errors) == 0)
        keep_warnings(loaded, errors);
    if (loaded->arena.failed) {
        config_errors_add(errors, whole, "out of memory");
        config_errors_sort(errors);
    }
    if (config_errors_count(errors) == 0)
        return &loaded->config;
    config_free(&loaded->config);
    return NULL;
}

const struct config_loaded *config_loaded_of(const struct config *config)
{
    return (const struct config_loaded *)config; /* its first member */
}

struct config *config_loaded_build(struct config_loaded *loaded, const struct config_place *whole, struct config_errors *errors)
{
    bool all_understood = config_errors_count(errors) == 0;

    config_build(&loaded->config, &loaded->raw, &loaded->arena, errors);
    if (loaded->config.listener_count == 0 && all_understood) /* otherwise the listener may be in a line or a file that was refused */
        config_errors_add(errors, whole, "no [listener NAME] section: there is nothing to do");
    return finish_loading(loaded, whole, errors);
}

static struct config *load_input(const struct config_input *input, struct config_errors *errors)
{
    struct config_source source = {.file = input->name};
    const struct config_place whole = {.source = &source};
    struct config_loaded *loaded = calloc(1, sizeof(*loaded));

    if (!loaded) {
        config_errors_add(errors, &whole, "out of memory");
        return NULL;
    }
    loaded->raw.is_file = !input->text;
    if (!config_file_read(&loaded->raw, input, &loaded->arena, errors))
        return finish_loading(loaded, &whole, errors);
    return config_loaded_build(loaded, &whole, errors);
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
    struct config_loaded *loaded = (struct config_loaded *)config;

    if (!loaded)
        return;
    config_arena_free(&loaded->arena);
    free(loaded);
}
