/* unit/audit/journal.c - lines from the lane to the log: ends, folds, full journals,
 * full disks, killed processes. */
#include "rig.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static const struct audit_outcome fine = {
    .status = 200, .bytes_in = 1, .bytes_out = 2, .duration_us = 3
};

static void
rest(long ms)
{
    const struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000 };

    nanosleep(&span, NULL);
}

static json_int_t
number(const json_t *found, size_t at, const char *name)
{
    return json_integer_value(
        json_object_get(json_array_get(json_object_get(found, "items"), at), name));
}

static void
test_begin_and_end(void **state)
{
    struct rig rig;
    struct audit_verdict verdict;
    audit_ticket ticket;
    char text[128];
    struct audit_event event;

    rig_open(&rig);
    struct audit *audit = rig_audit(&rig);
    struct audit_journal *journal = audit_journal_of(audit, 0);

    event = rig_event(text, 1, 42);
    assert_true(audit_ready(journal));
    OK(audit_begin(journal, &event, &ticket));
    assert_int_not_equal(ticket, 0);
    audit_end(journal, ticket, &fine);
    audit_flush(audit);

    json_t *found = rig_search(&rig, &(struct audit_query){ 0 });
    json_t *item = json_array_get(json_object_get(found, "items"), 0);
    assert_int_equal(number(found, 0, "status"), 200);
    assert_int_equal(number(found, 0, "seq"), 1);
    assert_string_equal(json_string_value(json_object_get(item, "peer")), "127.0.0.1:4711");
    assert_string_equal(json_string_value(json_object_get(item, "node")), "n1");
    assert_string_equal(json_string_value(json_object_get(item, "object")), "/v1/orders/42");
    assert_true(json_is_null(json_object_get(item, "label")));
    assert_int_equal(strlen(json_string_value(json_object_get(item, "hash"))), 64);
    json_decref(found);
    audit_close(audit);
    rig_verifies(&rig, &verdict);
    assert_int_equal(verdict.lines, 1);
    assert_int_equal(verdict.signed_to, 1);
    assert_int_equal(rig.head.seq, 1);
    rig_close(&rig);
}

/* Within a second, without a flush. */
static void
test_searchable_soon(void **state)
{
    struct rig rig;
    audit_ticket ticket;
    char text[128];
    struct audit_event event;

    rig_open(&rig);
    struct audit *audit = rig_audit(&rig);

    event = rig_event(text, 1, 1);
    OK(audit_begin(audit_journal_of(audit, 0), &event, &ticket));
    rig_line(audit, 2, 2);
    rest(900);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ 0 }), 2);
    audit_close(audit);
    rig_close(&rig);
}

static void
test_open_line_ends_later(void **state)
{
    struct rig rig;
    struct audit_verdict verdict;
    audit_ticket ticket;
    char text[128];
    struct audit_event event;

    rig_open(&rig);
    struct audit *audit = rig_audit(&rig);
    struct audit_journal *journal = audit_journal_of(audit, 0);

    event = rig_event(text, 1, 42);
    OK(audit_begin(journal, &event, &ticket));
    audit_flush(audit);
    json_t *found = rig_search(&rig, &(struct audit_query){ 0 });
    assert_true(json_is_null(
        json_object_get(json_array_get(json_object_get(found, "items"), 0), "status")));
    json_decref(found);
    for (unsigned i = 0; i < 10; i++)
        rig_line(audit, 2, i);
    audit_end(journal, ticket, &fine);
    audit_flush(audit);
    found = rig_search(&rig, &(struct audit_query){ .subject = SLICE_LITERAL("subject-1") });
    assert_int_equal(json_array_size(json_object_get(found, "items")), 1);
    assert_int_equal(number(found, 0, "status"), 200);
    assert_int_equal(number(found, 0, "bytes_out"), 2);
    json_decref(found);
    audit_close(audit);
    rig_verifies(&rig, &verdict);
    assert_int_equal(verdict.lines, 11);
    rig_close(&rig);
}

/* One line, sealed open in between or not, stands for more of the same. */
static void
test_lines_count_the_same(void **state)
{
    struct rig rig;
    struct audit_verdict verdict;
    audit_ticket quick, slow;
    char text[128], other[128];

    rig_open(&rig);
    struct audit *audit = rig_audit(&rig);
    struct audit_journal *journal = audit_journal_of(audit, 0);
    struct audit_event first = rig_event(text, 1, 1), second = rig_event(other, 2, 2);

    OK(audit_begin(journal, &first, &slow));
    audit_flush(audit); /* the log holds it as open */
    OK(audit_begin(journal, &second, &quick));
    for (int i = 0; i < 3; i++)
        audit_more(journal, quick);
    audit_more(journal, slow);
    audit_end(journal, quick, &fine);
    audit_end(journal, slow, &fine);
    audit_more(journal, quick); /* it has ended: nothing */
    audit_more(journal, 0);
    audit_flush(audit);
    json_t *found =
        rig_search(&rig, &(struct audit_query){ .subject = SLICE_LITERAL("subject-2") });
    assert_int_equal(number(found, 0, "count"), 4);
    json_decref(found);
    found = rig_search(&rig, &(struct audit_query){ .subject = SLICE_LITERAL("subject-1") });
    assert_int_equal(number(found, 0, "count"), 2);
    assert_int_equal(number(found, 0, "status"), 200);
    json_decref(found);
    audit_close(audit);
    rig_verifies(&rig, &verdict);
    assert_int_equal(verdict.lines, 2);
    rig_close(&rig);
}

static void
test_refusals_fold(void **state)
{
    struct rig rig;
    char text[128];
    struct audit_event event;
    json_int_t sum = 0;

    rig_open(&rig);
    struct audit *audit = rig_audit(&rig);
    struct audit_journal *journal = audit_journal_of(audit, 0);

    event = rig_event(text, 1, 42);
    event.token = event.subject = (struct slice){ 0 };
    event.decision = AUDIT_DENY;
    event.reason = SLICE_LITERAL("no token");
    /* A second that is not over soon. */
    event.at = (event.at / 1000 + 1) * 1000;
    for (unsigned i = 0; i < 1000; i++) {
        OK(audit_line(journal, &event, &(struct audit_outcome){ .status = 401 }));
        /* The count goes on after the line is sealed for the first time. */
        if (i == 500)
            audit_flush(audit);
    }
    event.reason = SLICE_LITERAL("expired");
    OK(audit_line(journal, &event, &(struct audit_outcome){ .status = 401 }));
    rest(2100);
    audit_flush(audit);
    json_t *found = rig_search(&rig, &(struct audit_query){ 0 });
    assert_int_equal(json_array_size(json_object_get(found, "items")), 2);
    assert_int_equal(number(found, 1, "status"), 401);
    sum = number(found, 1, "count");
    assert_int_equal(sum, 1000);
    assert_null(json_object_get(json_array_get(json_object_get(found, "items"), 0), "count"));
    json_decref(found);
    audit_close(audit);
    rig_close(&rig);
}

/* The lane writes faster than the sealer may look: nothing is lost, no line twice. */
struct lane {
    struct audit_journal *journal;
    unsigned lines, number;
};

static void *
write_lines(void *context)
{
    struct lane *lane = context;
    audit_ticket open[16] = { 0 };

    for (unsigned i = 0; i < lane->lines; i++) {
        char text[128];
        struct audit_event event = rig_event(text, lane->number, i);
        audit_ticket ticket;

        while (audit_begin(lane->journal, &event, &ticket) != STATUS_OK)
            rest(1);
        audit_end(lane->journal, open[i % 16], &fine);
        open[i % 16] = ticket;
    }
    for (unsigned i = 0; i < 16; i++)
        audit_end(lane->journal, open[i], &fine);
    return NULL;
}

static void
test_lanes_race_the_sealer(void **state)
{
    struct rig rig;
    struct audit_verdict verdict;
    struct audit_stats stats;
    enum { LANES = 2, LINES = 12000 };
    pthread_t thread[LANES];
    struct lane lane[LANES];

    rig_open(&rig);
    rig.options.journals = LANES;
    rig.options.segment_lines = 5000;
    struct audit *audit = rig_audit(&rig);

    for (unsigned i = 0; i < LANES; i++) {
        lane[i] = (struct lane){ audit_journal_of(audit, i), LINES, i };
        assert_int_equal(pthread_create(&thread[i], NULL, write_lines, &lane[i]), 0);
    }
    for (unsigned i = 0; i < 20; i++) {
        (void)rig_count(&rig, &(struct audit_query){ .limit = 10 });
        audit_flush(audit);
    }
    for (unsigned i = 0; i < LANES; i++)
        pthread_join(thread[i], NULL);
    audit_flush(audit);
    audit_flush(audit);
    audit_stats(audit, &stats);
    assert_int_equal(stats.sealed, LANES * LINES);
    assert_int_equal(stats.lost, 0);
    audit_close(audit);
    rig_verifies(&rig, &verdict);
    assert_int_equal(verdict.lines, LANES * LINES);
    assert_int_equal(verdict.signed_to, LANES * LINES);
    for (unsigned i = 0; i < LANES; i++) {
        char subject[32];
        json_t *found;
        struct audit_query query = { .limit = 10000 };

        query.subject = slice_of(subject, (size_t)sprintf(subject, "subject-%u", i));
        found = rig_search(&rig, &query);
        for (unsigned j = 0; j < 10000; j++)
            assert_int_equal(number(found, j, "status"), 200);
        assert_int_equal(json_array_size(json_object_get(found, "items")), 10000);
        query.before_seq = (uint64_t)json_integer_value(json_object_get(found, "next"));
        json_decref(found);
        assert_int_equal(rig_count(&rig, &query), LINES - 10000);
    }
    rig_close(&rig);
}

static uint64_t
file_size(const struct rig *rig, const char *name)
{
    char path[128];
    struct stat stat_out;

    snprintf(path, sizeof path, "%s/%s", rig->dir, name);
    return stat(path, &stat_out) == 0 ? (uint64_t)stat_out.st_size : 0;
}

/* The disk is full: strict refuses once the journal is, and all that was begun is
 * sealed when there is room again. */
static void
disk_full(enum audit_mode mode)
{
    struct rig rig;
    struct audit_stats stats;
    struct audit_verdict verdict;
    struct rlimit before, low;
    unsigned begun = 0, refused = 0;

    rig_open(&rig);
    rig.options.mode = mode;
    rig.options.journal_size = 1 << 17;
    struct audit *audit = rig_audit(&rig);
    struct audit_journal *journal = audit_journal_of(audit, 0);

    rig_line(audit, 1, 1);
    audit_flush(audit);
    getrlimit(RLIMIT_FSIZE, &before);
    low = before;
    low.rlim_cur = file_size(&rig, "000001.seg") + 500;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    for (unsigned i = 0; i < 2000; i++) {
        char text[128];
        struct audit_event event = rig_event(text, 2, i);

        if (audit_line(journal, &event, &fine) == STATUS_OK)
            begun++;
        else
            refused++;
    }
    audit_flush(audit);
    audit_stats(audit, &stats);
    assert_true(stats.failing);
    if (mode == AUDIT_STRICT) {
        assert_true(refused > 0);
        assert_false(audit_ready(journal));
        assert_int_equal(stats.refused, refused);
    } else {
        assert_int_equal(refused, 0);
        assert_true(stats.lost > 0);
        assert_true(audit_ready(journal));
        begun -= (unsigned)stats.lost;
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    audit_flush(audit);
    audit_stats(audit, &stats);
    assert_false(stats.failing);
    assert_int_equal(stats.sealed, begun + 1);
    audit_close(audit);
    rig_verifies(&rig, &verdict);
    assert_int_equal(verdict.lines, begun + 1);
    rig_close(&rig);
}

static void
test_disk_full_strict(void **state)
{
    disk_full(AUDIT_STRICT);
}

static void
test_disk_full_lossy(void **state)
{
    disk_full(AUDIT_LOSSY);
}

/* The child writes, ends half of its lines, and kills itself; what it began stands
 * in the log afterwards, once. How far the sealer came differs from run to run. */
static void
killed(unsigned lines, long pause_ms, bool half_flushed)
{
    struct rig rig;
    struct audit_verdict verdict;
    int result;
    size_t ended = 0;

    rig_open(&rig);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct audit *audit = rig_audit(&rig);
        struct audit_journal *journal = audit_journal_of(audit, 0);

        for (unsigned i = 0; i < lines; i++) {
            char text[128];
            struct audit_event event = rig_event(text, i % 3, i);
            audit_ticket ticket;

            if (audit_begin(journal, &event, &ticket) != STATUS_OK)
                _exit(1);
            if (half_flushed && i == lines / 2)
                audit_flush(audit);
            if (i % 2 == 0)
                audit_end(journal, ticket, &fine);
        }
        rest(pause_ms);
        raise(SIGKILL);
        _exit(2);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result));
    struct audit *audit = rig_audit(&rig);
    audit_flush(audit);
    json_t *found = rig_search(&rig, &(struct audit_query){ .limit = 10000 });
    const json_t *items = json_object_get(found, "items");
    assert_int_equal(json_array_size(items), lines);
    for (size_t i = 0; i < lines; i++) {
        const json_t *item = json_array_get(items, lines - 1 - i);
        char object[32];

        snprintf(object, sizeof object, "/v1/orders/%zu", i);
        assert_string_equal(json_string_value(json_object_get(item, "object")), object);
        assert_int_equal(json_is_integer(json_object_get(item, "status")), i % 2 == 0);
        ended += json_is_integer(json_object_get(item, "status")) != 0;
    }
    assert_int_equal(ended, (lines + 1) / 2);
    json_decref(found);
    /* It goes on as if nothing had happened. */
    rig_line(audit, 9, 9);
    audit_close(audit);
    audit = rig_audit(&rig);
    audit_close(audit);
    rig_verifies(&rig, &verdict);
    assert_int_equal(verdict.lines, lines + 1);
    /* A new start is no reason to close a segment. */
    assert_int_equal(verdict.segments, 1);
    rig_close(&rig);
}

static void
test_killed(void **state)
{
    killed(1, 0, false);
    killed(1001, 0, false);
    killed(1001, 30, true);
    killed(501, 700, false);
}

/* Killed between the write of a batch and the release of its lines: the journal is
 * put back to how it stood before the pass. */
static void
test_killed_before_release(void **state)
{
    struct rig rig;
    struct audit_verdict verdict;
    char path[128], copy[128], command[300];
    audit_ticket ticket;
    char text[128];

    rig_open(&rig);
    struct audit *audit = rig_audit(&rig);
    struct audit_journal *journal = audit_journal_of(audit, 0);

    rig_line(audit, 0, 0);
    audit_flush(audit);
    struct audit_event event = rig_event(text, 1, 1);
    OK(audit_begin(journal, &event, &ticket));
    for (unsigned i = 0; i < 20; i++)
        rig_line(audit, 2, i);
    audit_ticket second;
    event = rig_event(text, 3, 3);
    OK(audit_begin(journal, &event, &second));
    audit_end(journal, second, &fine);
    snprintf(path, sizeof path, "%s/journal-0", rig.dir);
    snprintf(copy, sizeof copy, "%s/copy", rig.dir);
    snprintf(command, sizeof command, "cp %s %s", path, copy);
    assert_int_equal(system(command), 0);
    audit_flush(audit);
    audit_close(audit);
    snprintf(command, sizeof command, "mv %s %s", copy, path);
    assert_int_equal(system(command), 0);
    audit = rig_audit(&rig);
    audit_close(audit);
    rig_verifies(&rig, &verdict);
    assert_int_equal(verdict.lines, 23);
    json_t *found =
        rig_search(&rig, &(struct audit_query){ .subject = SLICE_LITERAL("subject-3") });
    assert_int_equal(json_array_size(json_object_get(found, "items")), 1);
    assert_int_equal(number(found, 0, "status"), 200);
    json_decref(found);
    rig_close(&rig);
}

static void
test_one_writer(void **state)
{
    struct rig rig;
    struct audit *second;
    struct fault fault;

    rig_open(&rig);
    struct audit *audit = rig_audit(&rig);
    assert_int_equal(audit_open(&rig.options, &second, &fault), STATUS_CONFLICT);
    rig_line(audit, 1, 1);
    audit_close(audit);
    /* Fewer and other journals are no matter. */
    rig.options.journals = 3;
    rig.options.journal_size = 1 << 18;
    audit = rig_audit(&rig);
    assert_non_null(audit_journal_of(audit, 2));
    assert_null(audit_journal_of(audit, 3));
    audit_close(audit);
    rig_close(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin_and_end),
        cmocka_unit_test(test_searchable_soon),
        cmocka_unit_test(test_open_line_ends_later),
        cmocka_unit_test(test_refusals_fold),
        cmocka_unit_test(test_lines_count_the_same),
        cmocka_unit_test(test_lanes_race_the_sealer),
        cmocka_unit_test(test_disk_full_strict),
        cmocka_unit_test(test_disk_full_lossy),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_killed_before_release),
        cmocka_unit_test(test_one_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
