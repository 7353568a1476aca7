/* test/unit/test_table.c: live objects, publication, reclamation; and readers that walk snapshots while a writer
 * publishes (meant for ThreadSanitizer and AddressSanitizer too). */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"
#include "table/epoch.h"
#include "table/table.h"

enum { POOLS = 3, BACKENDS = 8 };

static struct config_backend backends[BACKENDS];
static struct config_pool pools[POOLS];
static struct config config;
static struct epoch *epoch;
static struct table *table;

/* The position of the pool for which prepare() fails; POOLS: it never fails. */
static size_t failing;

/* Stores a checksum of the usable backends in separate memory, so that a snapshot that is torn or freed too early is detected. */
static int prepare(struct snapshot_pool *pool)
{
    if (failing < POOLS && strcmp(pool->pool->name, pools[failing].name) == 0)
        return -ENOMEM;
    uint32_t *sequence = calloc(BACKENDS, sizeof(*sequence));
    if (!sequence)
        return -ENOMEM;
    for (uint32_t i = 0; i < pool->usable_count; i++)
        sequence[i] = ~pool->usable[i].backend->id;
    pool->sequence = sequence;
    pool->sequence_count = pool->usable_count;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    static const char *const names[BACKENDS] = { "b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7" };
    static const char *const pool_names[POOLS] = { "p0", "p1", "p2" };
    for (size_t i = 0; i < BACKENDS; i++)
        backends[i] = (struct config_backend){ .name = names[i], .settings.weight = (uint32_t)(i + 1), .settings.max_connections = 10 };
    for (size_t i = 0; i < POOLS; i++)
        pools[i] = (struct config_pool){
            .name = pool_names[i], .backends = backends, .backend_count = BACKENDS,
            .settings.check = CONFIG_CHECK_TCP, .settings.check_initial_up = true,
        };
    config = (struct config){ .seed = 77, .pools = pools, .pool_count = POOLS };
    failing = POOLS;
    table = NULL;
    epoch = epoch_new(4);
    return epoch ? 0 : -1;
}

static void open_table(void)
{
    static const struct table_prepare preparing = {.pool = prepare};

    table = table_new(epoch, &preparing);
    assert_non_null(table);
    assert_int_equal(table_apply(table, &config, NULL), 0);
    table_reclaim(table);
}

static void set_up(size_t pool, size_t backend, bool up)
{
    table_set_state(table, table_backend(table, pool, backend), BACKEND_PROBE, up ? BACKEND_PROBE_UP : BACKEND_PROBE_DOWN);
}

static bool is_up(size_t pool, size_t backend)
{
    return backend_standing(table_backend(table, pool, backend)) == BACKEND_USABLE;
}

static int teardown(void **state)
{
    (void)state;
    table_free(table);
    epoch_free(epoch);
    return 0;
}

static void assert_usable(size_t pool, const char *ids)
{
    const struct snapshot_pool *snapshot = table_load(table)->pools[pool];
    assert_int_equal(snapshot->usable_count, strlen(ids));
    for (size_t i = 0; i < strlen(ids); i++) {
        assert_int_equal(snapshot->usable[i].backend->id, ids[i] - '0');
        assert_ptr_equal(snapshot->usable[i].backend, table_backend(table, pool, (size_t)(ids[i] - '0')));
        assert_int_equal(snapshot->usable[i].weight, (ids[i] - '0' + 1) * CAPACITY_WHOLE);
    }
}

static void test_first_publication_shows_the_configuration(void **state)
{
    (void)state;
    open_table();
    const struct snapshot *snapshot = table_load(table);
    assert_int_equal(snapshot->version, 2); /* the first one is empty */
    assert_int_equal(snapshot->slot_count, POOLS);
    for (size_t i = 0; i < POOLS; i++) {
        assert_string_equal(snapshot->pools[i]->pool->name, pools[i].name);
        assert_ptr_equal(snapshot->pools[i]->settings, pool_settings(table_pool(table, i)));
        assert_int_equal(snapshot->pools[i]->hash_seed, 77);
        assert_usable(i, "01234567");
    }
    struct backend *backend = table_backend(table, 1, 5);
    assert_string_equal(backend->name, "b5");
    assert_int_equal(backend->max_connections, 10);
    assert_int_equal((uintptr_t)backend % 64, 0);
    assert_ptr_not_equal(backend, table_backend(table, 0, 5));
}

static void test_initial_state_is_as_configured(void **state)
{
    (void)state;
    pools[0].settings.check_initial_up = false;
    pools[1].settings.check_initial_up = false;
    pools[1].settings.check = CONFIG_CHECK_NONE;
    open_table();
    assert_usable(0, "");
    assert_false(is_up(0, 0));
    assert_usable(1, "01234567");
    assert_true(is_up(1, 0));
}

static void test_backups_only_when_no_other_is_up(void **state)
{
    (void)state;
    backends[1].settings.backup = backends[6].settings.backup = true;
    open_table();
    assert_usable(0, "023457");
    for (size_t i = 0; i < BACKENDS; i++)
        if (!backends[i].settings.backup && i != 4)
            set_up(0, i, false);
    assert_int_equal(table_publish(table), 0);
    assert_usable(0, "4");
    set_up(0, 4, false);
    assert_int_equal(table_publish(table), 0);
    assert_usable(0, "16");
    set_up(0, 1, false);
    assert_int_equal(table_publish(table), 0);
    assert_usable(0, "6");
    set_up(0, 6, false);
    assert_int_equal(table_publish(table), 0);
    assert_usable(0, "");
    set_up(0, 7, true);
    assert_int_equal(table_publish(table), 0);
    assert_usable(0, "7");
}

static void test_nothing_is_visible_before_publication(void **state)
{
    (void)state;
    open_table();
    const struct snapshot *before = table_load(table);
    set_up(0, 3, false);
    assert_false(is_up(0, 3));
    assert_ptr_equal(table_load(table), before);
    assert_usable(0, "01234567");
    assert_int_equal(table_publish(table), 0);
    assert_usable(0, "0124567");
    assert_int_equal(table_load(table)->version, 3);
}

static void test_only_changed_pools_are_rebuilt(void **state)
{
    (void)state;
    open_table();
    epoch_online(epoch, 0); /* keeps published snapshots alive, so that no address is reused */
    const struct snapshot *before = table_load(table);
    set_up(1, 3, false);
    assert_int_equal(table_publish(table), 0);
    const struct snapshot *after = table_load(table);
    assert_ptr_not_equal(after, before);
    assert_ptr_equal(after->pools[0], before->pools[0]);
    assert_ptr_not_equal(after->pools[1], before->pools[1]);
    assert_ptr_equal(after->pools[2], before->pools[2]);
    assert_ptr_equal(after->pools[1]->pool, before->pools[1]->pool);
    assert_int_equal(table_retired(table), 2); /* one snapshot, one pool */
    epoch_offline(epoch, 0);
}

static void test_what_changes_no_standing_publishes_nothing(void **state)
{
    (void)state;
    open_table();
    const struct snapshot *before = table_load(table);
    assert_int_equal(table_publish(table), 0);
    set_up(1, 3, true);
    table_set_state(table, table_backend(table, 1, 3), BACKEND_PROBE, BACKEND_UNCHECKED);
    assert_int_equal(table_publish(table), 0);
    assert_ptr_equal(table_load(table), before);
    assert_int_equal(before->version, 2);
}

static void test_without_readers_memory_is_freed_at_once(void **state)
{
    (void)state;
    open_table();
    set_up(0, 0, false);
    assert_int_equal(table_publish(table), 0);
    assert_int_equal(table_retired(table), 0);
}

static void test_a_stuck_reader_holds_everything_since_back(void **state)
{
    (void)state;
    open_table();
    epoch_online(epoch, 2);
    const struct snapshot *held = table_load(table);
    for (int i = 0; i < 100; i++) {
        set_up(0, 0, i % 2);
        assert_int_equal(table_publish(table), 0);
    }
    assert_int_equal(table_retired(table), 200);
    table_reclaim(table);
    assert_int_equal(table_retired(table), 200);
    assert_int_equal(held->version, 2);
    assert_int_equal(held->pools[0]->usable_count, BACKENDS);
    assert_int_equal(held->pools[0]->sequence[7], ~UINT32_C(7));

    epoch_pass(epoch, 2);
    assert_int_equal(table_retired(table), 200); /* the writer frees, not the reader */
    table_reclaim(table);
    assert_int_equal(table_retired(table), 0);
    epoch_offline(epoch, 2);
}

static void test_a_pass_frees_what_was_retired_before_it(void **state)
{
    (void)state;
    open_table();
    epoch_online(epoch, 0);
    set_up(0, 0, false);
    assert_int_equal(table_publish(table), 0);
    epoch_pass(epoch, 0);
    set_up(0, 1, false);
    set_up(2, 1, false);
    assert_int_equal(table_publish(table), 0);
    assert_int_equal(table_retired(table), 3); /* from the second change: one snapshot, two pools */
    epoch_offline(epoch, 0);
    table_reclaim(table);
    assert_int_equal(table_retired(table), 0);
}

static void test_out_of_memory_keeps_the_old_snapshot_and_the_change(void **state)
{
    (void)state;
    open_table();
    const struct snapshot *before = table_load(table);
    set_up(0, 2, false);
    set_up(1, 2, false);
    failing = 1; /* after pool 0 was built */
    assert_int_equal(table_publish(table), -ENOMEM);
    assert_ptr_equal(table_load(table), before);
    assert_usable(0, "01234567");
    assert_int_equal(table_retired(table), 0);
    failing = POOLS;
    assert_int_equal(table_publish(table), 0);
    assert_usable(0, "0134567");
    assert_usable(1, "0134567");
    assert_int_equal(table_load(table)->version, 3);
}

static void test_what_cannot_be_published_stays_due(void **state)
{
    (void)state;
    failing = 2;
    open_table();
    assert_int_equal(table_load(table)->slot_count, 0);
    assert_int_equal(table_publish(table), -ENOMEM);
    failing = POOLS;
    assert_int_equal(table_publish(table), 0);
    assert_usable(2, "01234567");
    table_free(NULL);
}

/* Runs `action` in a child and returns whether it was stopped by an assertion. */
static bool aborts(void (*action)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        action();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void release_untaken(void)
{
    backend_release(table_backend(table, 0, 0));
}

static void free_while_reserved(void)
{
    backend_reserve(table_backend(table, 2, 7));
    table_free(table);
}

static void pass_while_offline(void)
{
    epoch_pass(epoch, 0);
}

static void reserve_and_release(void)
{
    backend_reserve(table_backend(table, 2, 7));
    backend_release(table_backend(table, 2, 7));
}

static void test_our_own_mistakes_are_caught(void **state)
{
    (void)state;
    open_table();
    assert_true(aborts(release_untaken));
    assert_true(aborts(free_while_reserved));
    assert_true(aborts(pass_while_offline));
    assert_false(aborts(reserve_and_release));
}

/* Stress test. In every published state exactly one of the backends 2k and 2k + 1 is up, and it is the same one in
 * pools 0 and 2. */
enum { READERS = 4, PUBLICATIONS_MIN = 2000, WALKS_MIN = 2000, PUBLICATIONS_MAX = 2000000 };

static _Atomic bool stop;

struct reader {
    unsigned number;
    _Atomic unsigned walks;
    const char *_Atomic wrong;
};

static const char *check_pool(const struct snapshot_pool *pool)
{
    if (pool->usable_count != BACKENDS / 2 || pool->sequence_count != BACKENDS / 2)
        return "half a state";
    for (uint32_t i = 0; i < pool->usable_count; i++) {
        uint32_t id = pool->usable[i].backend->id;
        if (id / 2 != i || pool->usable[i].weight != (id + 1) * CAPACITY_WHOLE)
            return "not one of each pair";
        if (pool->sequence[i] != ~id)
            return "bad checksum";
    }
    return NULL;
}

static const char *check_snapshot(const struct snapshot *snapshot, uint64_t *version)
{
    if (snapshot->version < *version)
        return "went back";
    *version = snapshot->version;
    if (snapshot->slot_count != POOLS)
        return "pool count";
    for (size_t i = 0; i < POOLS; i++) {
        const char *wrong = check_pool(snapshot->pools[i]);
        if (wrong)
            return wrong;
    }
    for (uint32_t i = 0; i < BACKENDS / 2; i++)
        if (snapshot->pools[0]->usable[i].backend->id != snapshot->pools[2]->usable[i].backend->id)
            return "pools of different states";
    return NULL;
}

/* Checks each snapshot twice, sometimes yielding in between: the snapshot must not change until epoch_pass(). */
static void *read_on(void *argument)
{
    struct reader *self = argument;
    uint64_t version = 0;
    for (unsigned turn = 0; !stop; turn++) {
        epoch_online(epoch, self->number);
        for (unsigned walk = 0; walk <= turn % 3; walk++) {
            const struct snapshot *snapshot = table_load(table);
            const char *wrong = check_snapshot(snapshot, &version);
            if (turn % 64 == 0)
                sched_yield();
            if (!wrong)
                wrong = check_snapshot(snapshot, &version);
            if (wrong)
                self->wrong = wrong;
            self->walks++;
            epoch_pass(epoch, self->number);
        }
        epoch_offline(epoch, self->number);
    }
    return NULL;
}

static void flip(size_t pool, size_t pair)
{
    bool up = is_up(pool, 2 * pair);
    set_up(pool, 2 * pair, !up);
    set_up(pool, 2 * pair + 1, up);
}

static bool all_walked(struct reader *readers)
{
    for (int i = 0; i < READERS; i++)
        if (readers[i].walks < WALKS_MIN)
            return false;
    return true;
}

static void test_readers_see_only_complete_states(void **state)
{
    (void)state;
    open_table();
    for (size_t pool = 0; pool < POOLS; pool++)
        for (size_t i = 1; i < BACKENDS; i += 2)
            set_up(pool, i, false);
    assert_int_equal(table_publish(table), 0);

    stop = false;
    struct reader readers[READERS];
    memset(readers, 0, sizeof(readers));
    pthread_t threads[READERS];
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &readers[i]), 0);
    }
    int error = 0;
    size_t published = 0, retired = 0;
    while (!error && published < PUBLICATIONS_MAX && (published < PUBLICATIONS_MIN || !all_walked(readers))) {
        flip(0, published % (BACKENDS / 2));
        flip(2, published % (BACKENDS / 2));
        if (published % 3 == 0)
            flip(1, published % (BACKENDS / 2));
        error = table_publish(table);
        retired += 3 + (published % 3 == 0);
        published++;
    }
    bool reclaimed = table_retired(table) < retired;
    bool walked = all_walked(readers);
    stop = true;
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);

    assert_int_equal(error, 0);
    for (int i = 0; i < READERS; i++)
        if (readers[i].wrong)
            fail_msg("reader %d: %s", i, readers[i].wrong);
    assert_true(walked);
    assert_true(reclaimed);
    assert_int_equal(table_load(table)->version, published + 3);
    table_reclaim(table);
    assert_int_equal(table_retired(table), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_first_publication_shows_the_configuration),
        CASE(test_initial_state_is_as_configured),
        CASE(test_backups_only_when_no_other_is_up),
        CASE(test_nothing_is_visible_before_publication),
        CASE(test_only_changed_pools_are_rebuilt),
        CASE(test_what_changes_no_standing_publishes_nothing),
        CASE(test_without_readers_memory_is_freed_at_once),
        CASE(test_a_stuck_reader_holds_everything_since_back),
        CASE(test_a_pass_frees_what_was_retired_before_it),
        CASE(test_out_of_memory_keeps_the_old_snapshot_and_the_change),
        CASE(test_what_cannot_be_published_stays_due),
        CASE(test_our_own_mistakes_are_caught),
        CASE(test_readers_see_only_complete_states),
    };
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
