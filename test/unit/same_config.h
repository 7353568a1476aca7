/* same_config.h: whether two configurations are equal, and whether the text of one is a configuration that is. For unit tests and the fuzzer. */
#ifndef TEST_UNIT_SAME_CONFIG_H
#define TEST_UNIT_SAME_CONFIG_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/load.h"
#include "config/show.h"
#include "config/text.h"

/* The caller frees it. */
static inline char *same_config_shown(const struct config *config)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    config_show(config, out);
    return fclose(out) == 0 ? text : NULL;
}

static inline bool same_config_pool(const struct config_pool *a, const struct config_pool *b)
{
    if (strcmp(a->name, b->name) != 0 || !pool_settings_equal(&a->settings, &b->settings) || a->backend_count != b->backend_count)
        return false;
    for (size_t i = 0; i < a->backend_count; i++) {
        const struct config_backend *x = &a->backends[i], *y = &b->backends[i];
        if (strcmp(x->name, y->name) != 0 || !addr_equal(&x->addr, &y->addr) || !backend_settings_equal(&x->settings, &y->settings))
            return false;
    }
    return true;
}

static inline bool same_config_listener(const struct config_listener *a, const struct config_listener *b)
{
    if (strcmp(a->name, b->name) != 0 || a->pool != b->pool || !listener_settings_equal(&a->settings, &b->settings) || a->bind_count != b->bind_count)
        return false;
    for (size_t i = 0; i < a->bind_count; i++) {
        const struct config_bind *x = &a->binds[i], *y = &b->binds[i];
        if (!addr_equal(&x->addr, &y->addr) || x->udp != y->udp || x->optional != y->optional)
            return false;
    }
    return true;
}

/* The settings of [global] are compared as they are shown. */
static inline bool same_config(const struct config *a, const struct config *b)
{
    char *shown_a = same_config_shown(a), *shown_b = same_config_shown(b);
    bool same = shown_a && shown_b && strcmp(shown_a, shown_b) == 0 && a->pool_count == b->pool_count && a->listener_count == b->listener_count;

    for (size_t i = 0; same && i < a->pool_count; i++)
        same = same_config_pool(&a->pools[i], &b->pools[i]);
    for (size_t i = 0; same && i < a->listener_count; i++)
        same = same_config_listener(&a->listeners[i], &b->listeners[i]);
    free(shown_a);
    free(shown_b);
    return same;
}

/* Whether the text of a configuration is read without errors, as an equal configuration with the same text. Otherwise prints why not. */
static inline bool same_config_from_text(const struct config *config)
{
    struct config_errors *errors = config_errors_new();
    char *text = config_text(config), *again = NULL;
    struct config *copy = config_load_text("text", text, strlen(text), errors);
    bool good = false;

    if (!copy) {
        printf("%s\n%s\n", config_errors_text(errors, 0), text);
    } else {
        again = config_text(copy);
        good = strcmp(text, again) == 0 && same_config(config, copy);
        if (!good)
            printf("wrote\n%s\nand then\n%s\n", text, again);
    }
    free(text);
    free(again);
    config_free(copy);
    config_errors_free(errors);
    return good;
}

#endif
