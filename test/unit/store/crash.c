/* test/unit/store/crash.c - killed at any moment, the store keeps what it answered.
 *
 * A child issues, revokes and rotates as fast as it can and tells each answer
 * through a pipe; it is killed without a warning; what it told must be there.
 * WRIT_KILLS says how often (20). */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "fixture.h"

enum { LINES_MAX = 1 << 20, BATCH_MAX = 40 };

enum deed { ISSUED = 1, REVOKED, ROTATED, USED };

/* Small enough that the pipe takes it whole or not at all. */
struct told {
    uint32_t deed, line, newest, value;
};

/* What has been told, over all rounds. */
struct known {
    uint32_t newest; /* 0: never issued */
    uint32_t uses;
    bool revoked;
};
static struct known known[LINES_MAX];
static bool seen[LINES_MAX], seen_revoked[LINES_MAX];
static uint32_t seen_uses[LINES_MAX];
static unsigned dice_state = 1;

static uint32_t
dice(uint32_t sides)
{
    return (uint32_t)rand_r(&dice_state) % sides;
}

static void
tell(int to, struct told told)
{
    if (write(to, &told, sizeof(told)) != (ssize_t)sizeof(told))
        _exit(2);
}

static void
must(struct store *store, const struct change *changes, size_t count)
{
    uint64_t seq;

    if (store_append(store, changes, count, &seq, NULL) != STATUS_OK)
        _exit(3);
}

/* Runs until it is killed. Lines begin at `next`; each is issued, perhaps used or
 * rotated, and often revoked at once. */
static void
child_run(int to, uint32_t next)
{
    struct store *store = NULL;
    struct change batch[BATCH_MAX];

    if (store_open(&(struct store_options){ .path = path }, &store, NULL) != STATUS_OK)
        _exit(4);
    tell(to, (struct told){ 0 });
    for (;;) {
        uint32_t count = 1 + dice(3) * dice(BATCH_MAX / 3), line = next;

        for (uint32_t i = 0; i < count; i++)
            batch[i] = issued(next + i);
        next += count;
        must(store, batch, count);
        for (uint32_t i = 0; i < count; i++)
            tell(to, (struct told){ ISSUED, line + i, line + i, 0 });
        if (dice(2) == 0) {
            batch[0] = rotated(next, line, line, 2000000);
            must(store, batch, 1);
            tell(to, (struct told){ ROTATED, line, next++, 0 });
        }
        if (dice(2) == 0) {
            batch[0] = line_used(line, 1 + dice(1000), 5);
            must(store, batch, 1);
            tell(to, (struct told){ USED, line, 0, batch[0].uses });
        }
        if (dice(2) == 0) {
            for (uint32_t i = 0; i < count; i++)
                batch[i] = line_revoked(line + i, 9);
            must(store, batch, count);
            for (uint32_t i = 0; i < count; i++)
                tell(to, (struct told){ REVOKED, line + i, 0, 0 });
        }
    }
}

static void
remember(const struct told *told)
{
    struct known *line = &known[told->line];

    switch (told->deed) {
    case ISSUED:
    case ROTATED:
        line->newest = told->newest;
        break;
    case REVOKED:
        line->revoked = true;
        break;
    case USED:
        line->uses = told->value;
        break;
    }
}

/* Reads until the child is dead and the pipe empty; kills it after a random time
 * that starts once it works. Returns the answers heard. */
static unsigned
listen_and_kill(int from, pid_t child)
{
    struct timespec start, now;
    long patience_us = (long)dice(60000);
    struct told told;
    unsigned heard = 0;
    bool killed = false;

    assert_int_equal(read(from, &told, sizeof(told)), (ssize_t)sizeof(told));
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        struct pollfd wait = { .fd = from, .events = POLLIN };

        clock_gettime(CLOCK_MONOTONIC, &now);
        if (!killed &&
            (now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 >=
                patience_us) {
            kill(child, SIGKILL);
            killed = true;
        }
        if (poll(&wait, 1, killed ? -1 : 1) <= 0)
            continue;
        if (read(from, &told, sizeof(told)) != (ssize_t)sizeof(told))
            return heard;
        assert_true(told.line < LINES_MAX && told.newest < LINES_MAX);
        remember(&told);
        heard++;
    }
}

static enum status
look(void *context, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_TOKEN_ISSUED:
    case CHANGE_TOKEN_ROTATED:
        seen[number_of(&change->token.id)] = true;
        break;
    case CHANGE_LINE_REVOKED:
        seen_revoked[number_of(&change->id)] = true;
        break;
    case CHANGE_LINE_USED:
        seen_uses[number_of(&change->id)] = change->uses;
        break;
    default:
        fail_msg("unexpected %s", change_kind_name(change->kind));
    }
    return STATUS_OK;
}

/* Returns the first number that was never used. */
static uint32_t
check(void)
{
    struct store *store = opened();
    struct fault fault = { 0 };
    uint32_t next = 1;

    memset(seen, 0, sizeof(seen));
    memset(seen_revoked, 0, sizeof(seen_revoked));
    memset(seen_uses, 0, sizeof(seen_uses));
    if (store_load(store, look, NULL, &fault) != STATUS_OK)
        fail_msg("%s", fault.text);
    for (uint32_t i = 1; i < LINES_MAX; i++) {
        if (seen[i])
            next = i + 1;
        if (known[i].newest == 0)
            continue;
        if (!seen[i] || !seen[known[i].newest])
            fail_msg("token %u was answered and is gone", i);
        if (known[i].revoked && !seen_revoked[i])
            fail_msg("the revocation of %u was answered and is undone", i);
        if (known[i].uses > seen_uses[i])
            fail_msg("uses of %u went back", i);
    }
    store_close(store);
    return next;
}

static void
what_was_answered_is_there(void **state)
{
    const char *wish = getenv("WRIT_KILLS");
    int kills = wish == NULL ? 20 : atoi(wish);
    unsigned heard = 0;
    uint32_t next = 1;

    for (int round = 0; round < kills; round++) {
        int ends[2], result;
        pid_t child;

        assert_int_equal(pipe(ends), 0);
        dice_state += 7919;
        child = fork();
        if (child == 0) {
            close(ends[0]);
            child_run(ends[1], next);
        }
        assert_true(child > 0);
        close(ends[1]);
        heard += listen_and_kill(ends[0], child);
        close(ends[0]);
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
        next = check();
        assert_true(next < LINES_MAX / 2);
    }
    assert_true(heard > 0);
    printf("%d kills, %u answers, all there\n", kills, heard);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_answered_is_there, place_make, place_clear),
    };
    const char *seed = getenv("WRIT_SEED");

    dice_state = seed == NULL ? (unsigned)clock_wall_ms() : (unsigned)strtoul(seed, NULL, 10);
    printf("WRIT_SEED=%u\n", dice_state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
