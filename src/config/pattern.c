/* config/pattern.c: glob(3) that notices what it could not see. Whoever loads runs it.
 *
 * glob() by itself passes over files and folders that it may not look at, with or without GLOB_ERR; so it is given functions of our own
 * (a GNU extension) that remember the first failure. They get no argument of ours: the memory is the thread's. */
#include "config/pattern.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct failure {
    int error; /* 0: none */
    char path[PATH_MAX];
};

static _Thread_local struct failure failure;

struct folder {
    DIR *dir;
    char path[];
};

/* What is not there, or is not a folder, does not match: anything else hides what might. */
static void note_failure(int error, const char *path)
{
    if (error == ENOENT || error == ENOTDIR || failure.error != 0)
        return;
    failure.error = error;
    snprintf(failure.path, sizeof(failure.path), "%s", path);
}

static void *folder_open(const char *path)
{
    struct folder *folder = malloc(sizeof(*folder) + strlen(path) + 1);

    if (folder) {
        folder->dir = opendir(path);
        memcpy(folder->path, path, strlen(path) + 1);
    }
    if (folder && folder->dir)
        return folder;
    int error = errno;
    note_failure(error, path);
    free(folder);
    errno = error;
    return NULL;
}

static struct dirent *folder_read(void *cookie)
{
    struct folder *folder = cookie;

    errno = 0;
    struct dirent *entry = readdir(folder->dir);
    if (!entry && errno != 0)
        note_failure(errno, folder->path);
    return entry;
}

static void folder_close(void *cookie)
{
    struct folder *folder = cookie;
    closedir(folder->dir);
    free(folder);
}

static int stat_noted(const char *path, struct stat *status)
{
    int result = stat(path, status);
    if (result < 0)
        note_failure(errno, path);
    return result;
}

static int lstat_noted(const char *path, struct stat *status)
{
    int result = lstat(path, status);
    if (result < 0)
        note_failure(errno, path);
    return result;
}

static int match_pattern(const char *pattern, glob_t *found)
{
    *found = (glob_t){
        .gl_opendir = folder_open,
        .gl_readdir = folder_read,
        .gl_closedir = folder_close,
        .gl_stat = stat_noted,
        .gl_lstat = lstat_noted,
    };
    failure = (struct failure){.error = 0};
    return glob(pattern, GLOB_ALTDIRFUNC, NULL, found);
}

/* Whether there is a folder that something could match in. */
static int find_folder(const char *pattern)
{
    size_t n = (size_t)(strrchr(pattern, '/') - pattern) + 1;
    char *folder = malloc(n + sizeof("."));
    glob_t found;
    int result;

    if (!folder)
        return GLOB_NOSPACE;
    memcpy(folder, pattern, n);
    memcpy(folder + n, ".", sizeof(".")); /* with a "/" at the end, glob() would take a file for a folder */
    result = match_pattern(folder, &found);
    globfree(&found);
    free(folder);
    return result;
}

int config_pattern_match(const char *pattern, struct config_matches *matches)
{
    int result = match_pattern(pattern, &matches->found);

    if (result == GLOB_NOMATCH && failure.error == 0 && strchr(pattern, '/')) {
        result = find_folder(pattern);
        if (result == GLOB_NOMATCH && failure.error == 0)
            return -ENOENT;
    }
    if (result != 0 && result != GLOB_NOMATCH) /* GLOB_NOSPACE: there is no third without GLOB_ERR */
        return -ENOMEM;
    memcpy(matches->unread_path, failure.path, sizeof(failure.path));
    return -failure.error;
}

void config_matches_free(struct config_matches *matches)
{
    globfree(&matches->found);
}
