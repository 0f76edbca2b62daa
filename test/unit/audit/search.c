/* unit/audit/search.c - finding lines through indexes, paging, following; that a
 * damaged index does no harm; the access map. */
#include "rig.h"

static size_t
items(const json_t *found)
{
    return json_array_size(json_object_get(found, "items"));
}

static json_int_t
seq_at(const json_t *found, size_t at)
{
    return json_integer_value(
        json_object_get(json_array_get(json_object_get(found, "items"), at), "seq"));
}

/* Seven subjects, 1,000 lines, segments of 100 and one that is not closed. */
static void
filled(struct rig *rig)
{
    const struct audit_outcome outcome = { .status = 200 };
    char text[128];

    rig_open(rig);
    rig->options.segment_lines = 100;
    struct audit *audit = rig_audit(rig);

    for (unsigned i = 0; i < 1050; i++) {
        struct audit_event event = rig_event(text, i % 7, i);

        event.at = 1700000000000 + i * 1000;
        if (i % 50 == 0) {
            event.decision = AUDIT_DENY;
            event.action = SLICE_LITERAL("DELETE");
            event.reason = SLICE_LITERAL("not \xff utf-8");
        }
        if (i == 333)
            event.token = SLICE_LITERAL("token4/abcd");
        OK(audit_line(audit_journal_of(audit, 0), &event, &outcome));
    }
    audit_close(audit);
}

static void
test_filters(void **state)
{
    struct rig rig;
    const int64_t base = 1700000000000;

    filled(&rig);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ .limit = 10000 }), 1050);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ 0 }), 100);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ .subject = SLICE_LITERAL("subject-3"),
                                                            .limit = 10000 }),
                     150);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ .subject = SLICE_LITERAL("subject-3"),
                                                            .decision = SLICE_LITERAL("deny"),
                                                            .action = SLICE_LITERAL("DELETE"),
                                                            .limit = 10000 }),
                     3);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ .subject = SLICE_LITERAL("subject-3"),
                                                            .token = SLICE_LITERAL("token4") }),
                     0);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ .subject = SLICE_LITERAL("subject") }),
                     0);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ .resource = SLICE_LITERAL("orders"),
                                                            .since = base + 500 * 1000,
                                                            .until = base + 599 * 1000,
                                                            .limit = 10000 }),
                     100);
    /* A token's hops are found with it, and alone. */
    assert_int_equal(
        rig_count(&rig, &(struct audit_query){ .token = SLICE_LITERAL("token4"), .limit = 10000 }),
        151 - 1);
    assert_int_equal(
        rig_count(&rig, &(struct audit_query){ .token = SLICE_LITERAL("token4/abcd") }), 1);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ .token = SLICE_LITERAL("token4/ab") }),
                     0);
    rig_close(&rig);
}

static void
test_wrong_queries(void **state)
{
    struct rig rig;
    json_t *found;
    struct fault fault;

    filled(&rig);
    assert_int_equal(audit_search(rig.dir, &(struct audit_query){ .limit = 10001 }, &found, &fault),
                     STATUS_LIMIT);
    assert_int_equal(audit_search(rig.dir,
                                  &(struct audit_query){ .decision = SLICE_LITERAL("maybe") },
                                  &found, &fault),
                     STATUS_INVALID);
    assert_int_equal(audit_search("/nowhere", &(struct audit_query){ 0 }, &found, &fault),
                     STATUS_NOT_FOUND);
    rig_close(&rig);
}

static void
test_paging(void **state)
{
    struct rig rig;
    struct audit_query query = { .subject = SLICE_LITERAL("subject-2"), .limit = 7 };
    size_t seen = 0;
    json_int_t last = INT64_MAX;

    filled(&rig);
    for (bool more = true; more;) {
        json_t *found = rig_search(&rig, &query);
        const json_t *next = json_object_get(found, "next");

        for (size_t i = 0; i < items(found); i++) {
            assert_true(seq_at(found, i) < last);
            last = seq_at(found, i);
        }
        seen += items(found);
        more = json_is_integer(next);
        query.before_seq = (uint64_t)json_integer_value(next);
        json_decref(found);
    }
    assert_int_equal(seen, 150);
    rig_close(&rig);
}

static void
test_following(void **state)
{
    struct rig rig;
    struct audit_query query = { .after_seq = 180, .oldest_first = true, .limit = 50 };
    uint64_t expected = 181;

    filled(&rig);
    while (true) {
        json_t *found = rig_search(&rig, &query);
        size_t count = items(found);

        for (size_t i = 0; i < count; i++)
            assert_int_equal(seq_at(found, i), expected++);
        json_decref(found);
        if (count == 0)
            break;
        query.after_seq = expected - 1;
    }
    assert_int_equal(expected, 1051);
    rig_close(&rig);
}

static void
test_bad_bytes_become_text(void **state)
{
    struct rig rig;

    filled(&rig);
    json_t *found = rig_search(&rig, &(struct audit_query){ .decision = SLICE_LITERAL("deny") });
    assert_int_equal(items(found), 21);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(found, "items"), 0), "reason")),
                        "not \xef\xbf\xbd utf-8");
    json_decref(found);
    rig_close(&rig);
}

/* Each byte of an index in turn: the answer stays the same. */
static void
test_damaged_index(void **state)
{
    struct rig rig;
    const struct audit_query query = { .subject = SLICE_LITERAL("subject-2"),
                                       .decision = SLICE_LITERAL("allow"),
                                       .limit = 10000 };
    char path[128];
    static char bytes[1 << 17];
    size_t size, expected;

    filled(&rig);
    expected = rig_count(&rig, &query);
    snprintf(path, sizeof path, "%s/000004.idx", rig.dir);
    FILE *file = fopen(path, "rb");
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t at = 0; at < size; at += at < 1000 ? 3 : 131) {
        bytes[at] ^= 0x10;
        file = fopen(path, "wb");
        fwrite(bytes, 1, size, file);
        fclose(file);
        bytes[at] ^= 0x10;
        assert_int_equal(rig_count(&rig, &query), expected);
    }
    unlink(path);
    assert_int_equal(rig_count(&rig, &query), expected);
    assert_int_equal(access(path, F_OK), 0);
    rig_close(&rig);
}

/* By what is read, not by time: a search for what one segment holds reads a few
 * pages of each of the others. bench/audit.c measures the time over millions. */
static void
test_effort(void **state)
{
    struct rig rig;
    struct audit_effort effort;

    rig_open(&rig);
    rig.options.journal_size = 8 << 20;
    rig.options.segment_lines = 2000;
    struct audit *audit = rig_audit(&rig);
    for (unsigned i = 0; i < 40000; i++) {
        rig_line(audit, i == 20000 ? 999 : i % 50, i);
        if (i % 10000 == 0)
            audit_flush(audit);
    }
    audit_close(audit);
    assert_int_equal(
        rig_count(&rig, &(struct audit_query){ .subject = SLICE_LITERAL("subject-999") }), 1);
    audit_effort(&effort);
    assert_int_equal(effort.lines, 1);
    /* 20 segments: 512 bytes of header, a directory, a page. */
    assert_true(effort.bytes < 20 * (512 + 4096 + 1000) + 2000);
    assert_int_equal(rig_count(&rig, &(struct audit_query){ .subject = SLICE_LITERAL("subject-7"),
                                                            .limit = 100 }),
                     100);
    audit_effort(&effort);
    assert_true(effort.lines < 110);
    rig_close(&rig);
}

static void
test_map(void **state)
{
    struct rig rig;
    json_t *map;
    struct fault fault;
    json_int_t allowed = 0, denied = 0;

    filled(&rig);
    OK(audit_map(rig.dir, 0, &map, &fault));
    assert_int_equal(items(map), 7);
    for (size_t i = 0; i < 7; i++) {
        const json_t *item = json_array_get(json_object_get(map, "items"), i);

        allowed += json_integer_value(json_object_get(item, "allowed"));
        denied += json_integer_value(json_object_get(item, "denied"));
    }
    assert_int_equal(allowed, 1029);
    assert_int_equal(denied, 21);
    const json_t *last = json_array_get(json_object_get(map, "items"), 6);
    assert_string_equal(json_string_value(json_object_get(last, "subject")), "subject-6");
    assert_string_equal(json_string_value(json_object_get(last, "token")), "token6");
    json_decref(map);
    /* From the middle of a segment on. */
    OK(audit_map(rig.dir, 1700000000000 + 950 * 1000, &map, &fault));
    allowed = denied = 0;
    for (size_t i = 0; i < items(map); i++) {
        const json_t *item = json_array_get(json_object_get(map, "items"), i);

        allowed += json_integer_value(json_object_get(item, "allowed"));
        denied += json_integer_value(json_object_get(item, "denied"));
    }
    assert_int_equal(allowed + denied, 100);
    json_decref(map);
    rig_close(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_wrong_queries),
        cmocka_unit_test(test_paging),
        cmocka_unit_test(test_following),
        cmocka_unit_test(test_bad_bytes_become_text),
        cmocka_unit_test(test_damaged_index),
        cmocka_unit_test(test_effort),
        cmocka_unit_test(test_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
