/* unit/audit/verify.c - what a hand can do to the log, and that it is found. */
#include "rig.h"

enum { LINES = 50 };

/* Segments of ten lines; verification holds before a test does its harm. */
static void
filled(struct rig *rig)
{
    struct audit_verdict verdict;

    rig_open(rig);
    rig->options.segment_lines = 10;
    struct audit *audit = rig_audit(rig);

    for (unsigned i = 0; i < LINES + 5; i++)
        rig_line(audit, i % 4, i);
    audit_close(audit);
    rig_verifies(rig, &verdict);
    assert_int_equal(verdict.lines, LINES + 5);
    assert_int_equal(verdict.first, 1);
    assert_int_equal(verdict.last, LINES + 5);
    assert_int_equal(verdict.segments, 6);
}

static const char *
segment_file(const struct rig *rig, unsigned number)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%06u.seg", rig->dir, number);
    return path;
}

static char *
slurp(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = malloc(1 << 20);

    assert_non_null(file);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static void
spill(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void
broken_as(const struct rig *rig, const char *text)
{
    struct audit_verdict verdict;
    struct fault fault = { 0 };

    assert_int_equal(audit_verify(rig->dir, rig->key, &rig->head, &verdict, &fault),
                     STATUS_CORRUPT);
    if (strstr(fault.text, text) == NULL)
        fail_msg("\"%s\" is not about \"%s\"", fault.text, text);
}

/* Every byte of a segment counts. */
static void
test_changed_bytes(void **state)
{
    struct rig rig;
    struct audit_verdict verdict;
    struct fault fault;
    size_t size;

    filled(&rig);
    char *bytes = slurp(segment_file(&rig, 3), &size);

    for (size_t at = 0; at < size; at += 7) {
        bytes[at] ^= 1;
        spill(segment_file(&rig, 3), bytes, size);
        assert_int_equal(audit_verify(rig.dir, rig.key, NULL, &verdict, &fault), STATUS_CORRUPT);
        bytes[at] ^= 1;
    }
    char *object = memmem(bytes, size, "/v1/orders/23", 13);
    assert_non_null(object);
    object[12] = '4';
    spill(segment_file(&rig, 3), bytes, size);
    broken_as(&rig, "line 24 was changed");
    free(bytes);
    rig_close(&rig);
}

static void
test_removed_line(void **state)
{
    struct rig rig;
    size_t size, line;
    uint32_t first;

    filled(&rig);
    char *bytes = slurp(segment_file(&rig, 2), &size);

    memcpy(&first, bytes + 128, 4);
    line = first + 32;
    memmove(bytes + 128, bytes + 128 + line, size - 128 - line);
    spill(segment_file(&rig, 2), bytes, size - line);
    broken_as(&rig, "line 11 was changed");
    free(bytes);
    rig_close(&rig);
}

static void
test_removed_segments(void **state)
{
    struct rig rig;

    filled(&rig);
    unlink(segment_file(&rig, 1));
    broken_as(&rig, "lines 1 to 10 are missing");
    unlink(segment_file(&rig, 2));
    broken_as(&rig, "lines 1 to 20 are missing");
    rig_close(&rig);

    filled(&rig);
    unlink(segment_file(&rig, 3));
    unlink(segment_file(&rig, 4));
    broken_as(&rig, "lines 21 to 40 are missing");
    rig_close(&rig);

    filled(&rig);
    unlink(segment_file(&rig, 6));
    broken_as(&rig, "the log ends at 50, the store knows 55");
    rig_close(&rig);

    filled(&rig);
    for (unsigned i = 1; i <= 6; i++)
        unlink(segment_file(&rig, i));
    broken_as(&rig, "the log ends at 0, the store knows 55");
    rig_close(&rig);
}

static void
test_cut_end(void **state)
{
    struct rig rig;
    size_t size;
    uint32_t first;

    filled(&rig);
    char *bytes = slurp(segment_file(&rig, 6), &size);

    /* In the middle of a line, and after two whole lines. */
    memcpy(&first, bytes + 128, 4);
    assert_int_equal(truncate(segment_file(&rig, 6), 128 + 2 * (first + 32) + 9), 0);
    broken_as(&rig, "the log ends at 52, the store knows 55");
    assert_int_equal(truncate(segment_file(&rig, 6), 128 + 2 * (first + 32)), 0);
    broken_as(&rig, "the log ends at 52, the store knows 55");
    /* A closed segment has no cut end, whatever the store knows. */
    assert_int_equal(truncate(segment_file(&rig, 5), 400), 0);
    rig.head.seq = 0;
    broken_as(&rig, "segment 5");
    free(bytes);
    rig_close(&rig);
}

static void
test_exchanged_segments(void **state)
{
    struct rig rig;
    char other[128];

    filled(&rig);
    strcpy(other, segment_file(&rig, 9));
    rename(segment_file(&rig, 2), other);
    char second[128];
    strcpy(second, segment_file(&rig, 2));
    rename(segment_file(&rig, 3), second);
    rename(other, segment_file(&rig, 3));
    broken_as(&rig, "segment 2");
    rig_close(&rig);
}

/* A whole log that another key signed, put in the place of this one. */
static void
test_other_key(void **state)
{
    struct rig rig, forger;
    const struct secret seed = { .bytes = { 8 } };
    char path[128];
    size_t size;

    filled(&rig);
    rig_open(&forger);
    signer_free(forger.signer);
    OK(signer_new(&seed, &forger.signer));
    forger.options.signer = forger.signer;
    forger.options.segment_lines = 10;
    struct audit *audit = rig_audit(&forger);
    for (unsigned i = 0; i < LINES + 5; i++)
        rig_line(audit, i % 4, i);
    audit_close(audit);
    for (unsigned i = 1; i <= 6; i++) {
        strcpy(path, segment_file(&rig, i));
        char *bytes = slurp(segment_file(&forger, i), &size);
        spill(path, bytes, size);
        free(bytes);
    }
    broken_as(&rig, "is not signed by this key");
    rig_close(&forger);
    rig_close(&rig);
}

/* The log of another time by the same key: all signatures hold, the head does not. */
static void
test_other_log_same_key(void **state)
{
    struct rig rig;
    struct audit_head head;

    filled(&rig);
    head = rig.head;
    rig_close(&rig);
    filled(&rig);
    rig.head = head;
    broken_as(&rig, "not the one whose head the store knows (line 55)");
    rig_close(&rig);
}

static void
test_retention(void **state)
{
    struct rig rig;
    struct audit_verdict verdict;
    const struct audit_outcome outcome = { .status = 200 };
    char text[128];

    rig_open(&rig);
    rig.options.segment_lines = 10;
    struct audit *audit = rig_audit(&rig);
    for (unsigned i = 0; i < 55; i++) {
        struct audit_event event = rig_event(text, 1, i);

        /* Thirty lines are old. */
        if (i < 30)
            event.at -= 10 * MS_DAY;
        OK(audit_line(audit_journal_of(audit, 0), &event, &outcome));
    }
    audit_close(audit);
    rig.options.retention_ms = 5 * MS_DAY;
    audit = rig_audit(&rig);
    audit_flush(audit);
    rig_line(audit, 1, 99);
    audit_close(audit);
    assert_int_not_equal(access(segment_file(&rig, 3), F_OK), 0);
    assert_int_equal(access(segment_file(&rig, 4), F_OK), 0);
    rig_verifies(&rig, &verdict);
    assert_int_equal(verdict.first, 31);
    assert_int_equal(verdict.last, 56);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ 0 }), 26);
    /* One segment more than the note says. */
    unlink(segment_file(&rig, 4));
    broken_as(&rig, "lines 31 to 40 are missing");
    rig_close(&rig);
}

/* A crash tears the newest segment: the end is cut off, the log goes on. */
static void
test_torn_end(void **state)
{
    struct rig rig;
    struct audit_verdict verdict;
    size_t size;

    filled(&rig);
    char *bytes = slurp(segment_file(&rig, 6), &size);
    FILE *file = fopen(segment_file(&rig, 6), "ab");

    fwrite(bytes + 128, 1, 100, file);
    fclose(file);
    struct audit *audit = rig_audit(&rig);
    rig_line(audit, 1, 1);
    audit_close(audit);
    rig_verifies(&rig, &verdict);
    assert_int_equal(verdict.last, 56);
    free(bytes);
    rig_close(&rig);
}

/* What is signed was synced: if it is broken, no crash did it, and nothing is cut
 * off to mend it. */
static void
test_changed_line_is_kept(void **state)
{
    struct rig rig;
    struct audit *audit;
    struct fault fault;
    size_t size;

    filled(&rig);
    char *bytes = slurp(segment_file(&rig, 6), &size);
    bytes[300] ^= 1;
    spill(segment_file(&rig, 6), bytes, size);
    assert_int_equal(audit_open(&rig.options, &audit, &fault), STATUS_CORRUPT);
    assert_non_null(strstr(fault.text, "line 51"));
    free(bytes);
    rig_close(&rig);
}

/* A segment whose beginning was all that a crash left. */
static void
test_stub(void **state)
{
    struct rig rig;
    struct audit_verdict verdict;

    rig_open(&rig);
    rig.options.segment_lines = 10;
    struct audit *audit = rig_audit(&rig);
    for (unsigned i = 0; i < 20; i++)
        rig_line(audit, 1, i);
    audit_close(audit);
    assert_int_not_equal(access(segment_file(&rig, 3), F_OK), 0);
    spill(segment_file(&rig, 3), "WRITAUD1", 8);
    rig_verifies(&rig, &verdict);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ 0 }), 20);
    audit = rig_audit(&rig);
    rig_line(audit, 1, 20);
    audit_close(audit);
    rig_verifies(&rig, &verdict);
    assert_int_equal(verdict.last, 21);
    rig_close(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_removed_line),
        cmocka_unit_test(test_removed_segments),
        cmocka_unit_test(test_cut_end),
        cmocka_unit_test(test_exchanged_segments),
        cmocka_unit_test(test_other_key),
        cmocka_unit_test(test_other_log_same_key),
        cmocka_unit_test(test_retention),
        cmocka_unit_test(test_torn_end),
        cmocka_unit_test(test_changed_line_is_kept),
        cmocka_unit_test(test_stub),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
