/* config/pattern.c: a glob(3) that reports what it could not read. Thread that loads the configuration.
 *
 * glob() skips files and directories that it has no permission to read, with or without GLOB_ERR. We therefore give it functions of our own (a GNU extension),
 * which record the first failure. They get no argument of ours, so the record is thread-local. */
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

/* Records a failure. A path that does not exist or is not a directory simply does not match; any other error may hide a match. */
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

/* Checks that the directory in which the pattern could match exists. */
static int find_folder(const char *pattern)
{
    size_t n = (size_t)(strrchr(pattern, '/') - pattern) + 1;
    char *folder = malloc(n + sizeof("."));
    glob_t found;
    int result;

    if (!folder)
        return GLOB_NOSPACE;
    memcpy(folder, pattern, n);
    memcpy(folder + n, ".", sizeof(".")); /* glob() would accept a file before a trailing "/" as a directory */
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
    if (result != 0 && result != GLOB_NOMATCH) /* without GLOB_ERR, the only other result is GLOB_NOSPACE */
        return -ENOMEM;
    memcpy(matches->unread_path, failure.path, sizeof(failure.path));
    return -failure.error;
}

void config_matches_free(struct config_matches *matches)
{
    globfree(&matches->found);
}
