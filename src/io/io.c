/* io/io.c: chooses the engine once, by testing it. Control's thread, or any single thread for the self-test; owns nothing.
 *
 * Kernel versions are not checked, because distributions backport features and containers forbid them. Each tier is tested (io/self_test.h), and is chosen only
 * if it moved the right bytes. */
#include <errno.h>
#include <liburing.h>
#include <string.h>

#include "io/kernel.h"
#include "io/self_test.h"

static const char *error_name(int error)
{
    const char *name = strerrorname_np(error);

    return name ? name : "unknown error";
}

static const char *uring_refusal(int error)
{
    switch (error) {
    case EPERM:
    case EACCES:
        return "io_uring is blocked here, by a seccomp filter or kernel.io_uring_disabled";
    case ENOSYS:
        return "this kernel has no io_uring";
    case ENOMEM:
        return "the limit on locked memory is too low for a ring (RLIMIT_MEMLOCK)";
    default:
        return "io_uring failed its self-test";
    }
}

static const struct {
    unsigned setup;
    const char *name;
} setups[] = {
    {IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
     "deferred task work"},
    {IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN, "cooperative task work"},
    {IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE, "plain ring"},
};

/* Finds the best io_uring tier that works. Returns 0, or the negative errno of the last tier tried. */
static int choose_uring(struct io_choice *choice)
{
    int result = -ENOSYS;

    choice->kind = IO_URING;
    for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
        choice->setup = setups[i].setup;
        for (unsigned without = 0; without < 4; without++) { /* gives up the most valuable feature last */
            choice->multishot = !(without & 2);
            choice->gathers = !(without & 1);
            result = io_self_test(choice);
            if (result == 0) {
                (void)snprintf(choice->reason, sizeof(choice->reason), "io_uring (%s, %s, %s)",
                               choice->multishot ? "multishot receive with credit" : "one receive at a time",
                               choice->gathers ? "gathered sends" : "one send at a time", setups[i].name);
                return 0;
            }
            if (result == -EPERM || result == -EACCES || result == -ENOSYS || result == -ENOMEM)
                return result;
        }
    }
    return result;
}

int io_choose(int wanted, struct io_choice *choice)
{
    int result;

    *choice = (struct io_choice){.kind = IO_EPOLL};
    if (wanted == IO_EPOLL) {
        (void)snprintf(choice->reason, sizeof(choice->reason), "epoll (configured)");
        return 0;
    }
    result = choose_uring(choice);
    if (result == 0)
        return 0;
    if (wanted == IO_URING) {
        (void)snprintf(choice->reason, sizeof(choice->reason), "%s (%s)", uring_refusal(-result), error_name(-result));
        return result;
    }
    *choice = (struct io_choice){.kind = IO_EPOLL};
    (void)snprintf(choice->reason, sizeof(choice->reason), "epoll: %s (%s)", uring_refusal(-result), error_name(-result));
    return 0;
}

void io_tiers_print(FILE *out)
{
    struct io_choice choice = {.kind = IO_EPOLL};
    int result = choose_uring(&choice);

    if (result == 0)
        (void)fprintf(out, "engine io_uring: %s\n", choice.reason);
    else
        (void)fprintf(out, "engine io_uring: not available: %s (%s)\n", uring_refusal(-result), error_name(-result));
    choice = (struct io_choice){.kind = IO_EPOLL};
    result = io_self_test(&choice);
    (void)fprintf(out, "engine epoll: %s\n", result == 0 ? "available" : error_name(-result));
    (void)io_choose(-1, &choice);
    (void)fprintf(out, "engine = auto picks %s\n", choice.reason);
}

struct io *io_new(const struct io_choice *choice, const struct io_options *options, int *error)
{
    return choice->kind == IO_URING ? uring_new(choice, options, error) : epoll_new(options, error);
}

void io_free(struct io *io)
{
    if (io)
        io->ops->free(io);
}
