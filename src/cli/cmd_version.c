/* cli/cmd_version.c: `penstock version`: prints the versions of the program, its libraries and the kernel, and the engines that this kernel
 * offers. Main thread. */
#include <curl/curl.h>
#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "io/io.h"

/* liburing 2.3 and inih 55 have no call that returns their version, so print the name of the shared object that was loaded. */
static void show_library(const char *name, const char *symbol)
{
    void *address = dlsym(RTLD_DEFAULT, symbol);
    Dl_info info;
    char *path = address && dladdr(address, &info) && info.dli_fname ? realpath(info.dli_fname, NULL) : NULL;
    const char *file = path && strrchr(path, '/') ? strrchr(path, '/') + 1 : NULL;

    printf("library: %s (%s)\n", name, file && strstr(file, ".so") ? file : "built in");
    free(path);
}

int cmd_version(int argc, char **argv)
{
    enum options_result result = options_parse(argc, argv, NULL);
    struct utsname system;

    if (result == OPTIONS_HELP)
        puts("usage: penstock version\n\nPrints the versions of the program, its libraries and the kernel, and the engines that this kernel offers.");
    if (result != OPTIONS_GO)
        return result == OPTIONS_HELP ? 0 : 2;
    printf("penstock %s\n", PENSTOCK_VERSION);
    show_library("liburing", "io_uring_queue_init_params");
    show_library("inih", "ini_parse_stream");
    printf("library: %s\n", curl_version());
    printf("library: glibc %s\n", gnu_get_libc_version());
    if (uname(&system) == 0)
        printf("kernel: %s %s %s\n", system.sysname, system.release, system.machine);
    io_tiers_print(stdout);
    return 0;
}
