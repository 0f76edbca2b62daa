/* test/unit/store/store.c - what goes in comes out: changes, tokens by page, objects. */
#include <sys/stat.h>

#include "fixture.h"

struct kept {
    enum change_kind kinds[64];
    uint32_t numbers[64];
    int64_t ends[64];
    size_t count;
};

static enum status
keep(void *context, const struct change *change)
{
    struct kept *kept = context;
    bool token = change->kind == CHANGE_TOKEN_ISSUED || change->kind == CHANGE_TOKEN_ROTATED;

    assert_true(kept->count < 64);
    kept->kinds[kept->count] = change->kind;
    kept->numbers[kept->count] = number_of(token ? &change->token.id : &change->id);
    kept->ends[kept->count] = token ? change->token.expires_at : change->at;
    kept->count++;
    return STATUS_OK;
}

static void
loaded(struct store *store, struct kept *kept)
{
    struct fault fault = { 0 };

    *kept = (struct kept){ 0 };
    assert_int_equal(store_load(store, keep, kept, &fault), STATUS_OK);
}

static enum status
refused(struct store *store, const struct change *change, struct fault *fault)
{
    uint64_t before = store_seq(store), seq = 42;
    struct buffer was = { 0 }, is = { 0 };
    enum status status;

    load_all(store, &was);
    status = store_append(store, change, 1, &seq, fault);
    assert_int_not_equal(status, STATUS_OK);
    assert_int_equal(fault->code, status);
    assert_int_equal(seq, 42);
    assert_int_equal(store_seq(store), before);
    load_all(store, &is);
    assert_true(slice_equal(buffer_slice(&was), buffer_slice(&is)));
    buffer_free(&was);
    buffer_free(&is);
    return status;
}

static void
a_new_store_is_empty_and_private(void **state)
{
    struct store *store = opened();
    struct stat info;

    assert_int_equal(store_seq(store), 0);
    assert_int_equal(load_count(store), 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    store_close(store);
}

static void
changes_survive_in_an_order_that_can_be_applied(void **state)
{
    static const enum change_kind order[] = {
        CHANGE_KEY_PUT,       CHANGE_UPSTREAM_PUT,   CHANGE_ROLE_PUT,   CHANGE_SUBJECT_PUT,
        CHANGE_TOKEN_ISSUED,  CHANGE_TOKEN_ROTATED,  CHANGE_LINE_USED,  CHANGE_LINE_REVOKED,
        CHANGE_HOP_REVOKED,   CHANGE_POLICY_APPLIED, CHANGE_AUDIT_HEAD, CHANGE_ANSWER_KEPT,
        CHANGE_TOOL_APPROVED,
    };
    struct store *store = opened();
    struct change changes[] = {
        named(CHANGE_TOOL_APPROVED, "srv/add", "12345678901234567890123456789012{}"),
        named(CHANGE_POLICY_APPLIED, "abc", ""),
        named(CHANGE_SUBJECT_PUT, "amara", "{\"type\":\"user\"}"),
        named(CHANGE_ROLE_PUT, "support", "{}"),
        named(CHANGE_AUDIT_HEAD, "n1", "12345678abcdefghabcdefghabcdefghabcdefgh"),
        named(CHANGE_UPSTREAM_PUT, "orders", "{}"),
        named(CHANGE_KEY_PUT, "mac/1", "sealed"),
        issued(1),
        rotated(2, 1, 1, 2000000),
        line_used(1, 3, 77),
        hop_revoked(2, 9, TIME_NEVER),
        line_revoked(1, 88),
        { .kind = CHANGE_ANSWER_KEPT, .name = SLICE_LITERAL("\xff\0x"), .id = id_of(1), .at = 3 },
    };
    struct buffer was = { 0 }, is = { 0 };
    struct kept kept;
    uint64_t seq;

    assert_int_equal(store_append(store, changes, 13, &seq, NULL), STATUS_OK);
    assert_int_equal(seq, 13);
    assert_int_equal(store_seq(store), 13);
    load_all(store, &was);
    store_close(store);

    store = opened();
    assert_int_equal(store_seq(store), 13);
    load_all(store, &is);
    assert_true(slice_equal(buffer_slice(&was), buffer_slice(&is)));
    loaded(store, &kept);
    assert_int_equal(kept.count, 13);
    for (size_t i = 0; i < 13; i++)
        assert_int_equal(kept.kinds[i], order[i]);
    assert_int_equal(kept.ends[4], 2000000); /* the predecessor's present end */
    buffer_free(&was);
    buffer_free(&is);
    store_close(store);
}

static void
nothing_of_a_refused_batch_stays(void **state)
{
    struct store *store = opened();
    struct change first = issued(1);
    struct change batch[] = { issued(2), named(CHANGE_ROLE_PUT, "r", "{}"), issued(1) };
    struct change wrong = { .kind = CHANGE_KINDS };
    struct fault fault = { 0 };
    uint64_t seq = 42;

    append(store, &first, 1);
    assert_int_equal(store_append(store, batch, 3, &seq, &fault), STATUS_CONFLICT);
    assert_non_null(strstr(fault.text, "already"));
    assert_int_equal(seq, 42);
    assert_int_equal(store_seq(store), 1);
    assert_int_equal(load_count(store), 1);
    append(store, batch, 2);
    assert_int_equal(store_seq(store), 3);
    assert_int_equal(refused(store, &wrong, &fault), STATUS_INVALID);
    wrong = line_revoked(99, 5);
    assert_int_equal(refused(store, &wrong, &fault), STATUS_NOT_FOUND);
    wrong = hop_revoked(99, 1, 5);
    assert_int_equal(refused(store, &wrong, &fault), STATUS_NOT_FOUND);
    wrong = rotated(5, 99, 99, 5);
    assert_int_equal(refused(store, &wrong, &fault), STATUS_NOT_FOUND);
    wrong = named(CHANGE_ROLE_PUT, "", "{}");
    assert_int_equal(refused(store, &wrong, &fault), STATUS_INVALID);
    wrong = issued(7);
    wrong.token.id = (struct token_id){ 0 };
    assert_int_equal(refused(store, &wrong, &fault), STATUS_INVALID);
    store_close(store);
}

static enum status
life_take(void *context, const struct store_token *token)
{
    *(struct token_life *)context = token->life;
    return STATUS_OK;
}

static struct token_life
life_of(struct store *store, uint32_t number)
{
    struct token_id id = id_of(number);
    struct token_life life;

    assert_int_equal(store_token_get(store, &id, life_take, &life), STATUS_OK);
    return life;
}

static void
life_never_goes_back(void **state)
{
    struct store *store = opened();
    struct change changes[] = {
        issued(1),           rotated(2, 1, 1, 1500000), line_used(1, 5, 100), line_used(1, 3, 200),
        line_used(1, 4, 50), line_revoked(1, 300),      line_revoked(1, 400), line_used(77, 1, 1),
    };
    struct change late[] = { rotated(3, 1, 2, TIME_NEVER), line_revoked(1, 299) };
    struct change member = line_revoked(2, 1);
    struct token_life life;
    struct fault fault;

    append(store, changes, 8);
    life = life_of(store, 1);
    assert_int_equal(life.uses, 5);
    assert_int_equal(life.last_used, 200);
    assert_int_equal(life.revoked_at, 300);
    assert_int_equal(life.expires_at, 1500000);
    life = life_of(store, 2);
    assert_int_equal(life.revoked_at, 300);
    assert_true(life.expires_at == 1000002 + MS_DAY);
    append(store, late, 2);
    assert_true(life_of(store, 2).expires_at == 1000002 + MS_DAY); /* not prolonged */
    assert_int_equal(life_of(store, 3).revoked_at, 299);
    /* A later member's id is no line: taken as one, it would revoke nothing. */
    assert_int_equal(refused(store, &member, &fault), STATUS_NOT_FOUND);
    store_close(store);
}

static void
a_line_lives_until_its_last_member_goes(void **state)
{
    struct store *store = opened();
    struct change changes[] = { issued(1),
                                rotated(2, 1, 1, 1500000),
                                line_revoked(1, 300),
                                hop_revoked(1, 4, TIME_NEVER),
                                forgotten(1),
                                forgotten(55) };
    struct change again[] = { line_revoked(1, 250), line_used(1, 2, 9) };
    struct change last = forgotten(2);
    struct token_id id = id_of(1);
    struct token_life life;
    struct kept kept;
    struct fault fault;

    append(store, changes, 6);
    assert_int_equal(store_token_get(store, &id, life_take, &life), STATUS_NOT_FOUND);
    assert_int_equal(life_of(store, 2).revoked_at, 300);
    append(store, again, 2); /* by the line's name, though its first member is gone */
    assert_int_equal(life_of(store, 2).revoked_at, 250);
    loaded(store, &kept);
    assert_int_equal(kept.count, 3);
    append(store, &last, 1);
    assert_int_equal(load_count(store), 0);
    assert_int_equal(refused(store, again, &fault), STATUS_NOT_FOUND);
    store_close(store);
}

struct page {
    uint32_t numbers[256];
    size_t count;
};

static enum status
page_take(void *context, const struct store_token *token)
{
    struct page *page = context;

    page->numbers[page->count++] = number_of(&token->record.id);
    return STATUS_OK;
}

/* All pages of a query, with a change in between that may not disturb them. */
static void
pages_read(struct store *store, struct store_token_query query, struct page *page)
{
    struct buffer next = { 0 }, cursor = { 0 };
    size_t before;

    page->count = 0;
    do {
        before = page->count;
        buffer_clear(&cursor);
        put_slice(&cursor, buffer_slice(&next));
        query.cursor = buffer_slice(&cursor);
        assert_int_equal(store_tokens(store, &query, page_take, page, &next), STATUS_OK);
        assert_true(page->count - before <= query.limit);
    } while (next.size > 0);
    buffer_free(&next);
    buffer_free(&cursor);
}

static void
expect(struct store *store, struct store_token_query query, size_t count, const uint32_t *numbers)
{
    static const size_t limits[] = { 1, 2, 3, 100 };
    struct page page;

    for (size_t i = 0; i < 4; i++) {
        query.limit = limits[i];
        pages_read(store, query, &page);
        assert_int_equal(page.count, count);
        assert_memory_equal(page.numbers, numbers, count * sizeof(*numbers));
    }
}
#define EXPECT(store, query, ...)                                                                  \
    expect(store, (struct store_token_query)query,                                                 \
           sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t),                                 \
           (const uint32_t[]){ __VA_ARGS__ })
#define Q(...)                                                                                     \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void
tokens_come_by_page_newest_first(void **state)
{
    struct store *store = opened();
    struct change changes[] = { issued(1),         issued(2), issued(3),
                                issued(4),         issued(5), rotated(6, 2, 2, 1000500),
                                line_revoked(4, 9) };

    changes[1].token.subject = SLICE_LITERAL("amara");
    changes[2].token.roles = SLICE_LITERAL("admin support");
    changes[3].token.roles = SLICE_LITERAL("admin");
    changes[4].token.issued_at = changes[0].token.issued_at; /* the same moment as 1 */
    changes[4].token.parent_line = id_of(2);
    changes[4].token.expires_at = 1000100;
    changes[5].token.subject = SLICE_LITERAL("amara");
    append(store, changes, 7);

    EXPECT(store, Q(0), 6, 4, 3, 2, 5, 1);
    EXPECT(store, Q(.subject = SLICE_LITERAL("amara")), 6, 2);
    EXPECT(store, Q(.role = SLICE_LITERAL("admin")), 4, 3);
    EXPECT(store, Q(.role = SLICE_LITERAL("support")), 6, 3, 2, 5, 1);
    EXPECT(store, Q(.role = SLICE_LITERAL("support"), .subject = SLICE_LITERAL("amara")), 6, 2);
    EXPECT(store, Q(.line = id_of(2)), 6, 2);
    EXPECT(store, Q(.line = id_of(1)), 1);
    EXPECT(store, Q(.parent_line = id_of(2)), 5);
    EXPECT(store, Q(.parent_line = id_of(2), .role = SLICE_LITERAL("support")), 5);
    EXPECT(store, Q(.line = id_of(2), .subject = SLICE_LITERAL("amara")), 6, 2);
    EXPECT(store, Q(.issued_before = 1000003), 2, 5, 1);
    EXPECT(store, Q(.issued_before = 1000003, .subject = SLICE_LITERAL("nightly")), 5, 1);
    EXPECT(store, Q(.live_only = true, .now = 1000050), 6, 3, 2, 5, 1);
    EXPECT(store, Q(.live_only = true, .now = 1000100), 6, 3, 2, 1);
    EXPECT(store, Q(.live_only = true, .now = 1000500), 6, 3, 1);
    expect(store, (struct store_token_query){ .subject = SLICE_LITERAL("nobody") }, 0, NULL);
    expect(store, (struct store_token_query){ .role = SLICE_LITERAL("suppor") }, 0, NULL);
    expect(store, (struct store_token_query){ .line = id_of(6) }, 0, NULL);
    expect(store,
           (struct store_token_query){ .parent_line = id_of(2), .role = SLICE_LITERAL("admin") }, 0,
           NULL);
    store_close(store);
}

static void
a_page_is_stable_while_tokens_come_and_go(void **state)
{
    struct store *store = opened();
    struct store_token_query query = { .limit = 3 };
    struct buffer next = { 0 }, cursor = { 0 };
    struct page page = { .count = 0 };
    uint32_t expected = 20;

    for (uint32_t i = 1; i <= 20; i++) {
        struct change change = issued(i);

        append(store, &change, 1);
    }
    do {
        struct change between[] = { issued(100 + expected), forgotten(expected) };

        buffer_clear(&cursor);
        put_slice(&cursor, buffer_slice(&next));
        query.cursor = buffer_slice(&cursor);
        assert_int_equal(store_tokens(store, &query, page_take, &page, &next), STATUS_OK);
        expected -= 3;
        append(store, between, 2);
    } while (next.size > 0);
    assert_int_equal(page.count, 20);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(page.numbers[i], 20 - i);
    buffer_free(&next);
    buffer_free(&cursor);
    store_close(store);
}

static void
a_wrong_cursor_or_limit_is_refused(void **state)
{
    struct store *store = opened();
    struct buffer next = { 0 };
    struct page page = { .count = 0 };
    struct store_token_query query = { .limit = 0 };
    static const char *const wrong[] = { "x", "AAAA", "not a cursor!", "AAAAAAAAAAAAAAAAAAAAAAA",
                                         "' OR 1=1 --" };

    assert_int_equal(store_tokens(store, &query, page_take, &page, &next), STATUS_INVALID);
    query.limit = SIZE_MAX;
    assert_int_equal(store_tokens(store, &query, page_take, &page, &next), STATUS_INVALID);
    query.limit = 10;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        query.cursor = slice_text(wrong[i]);
        assert_int_equal(store_tokens(store, &query, page_take, &page, &next), STATUS_INVALID);
    }
    query.cursor = (struct slice){ 0 };
    query.subject = SLICE_LITERAL("' OR 1=1 --");
    assert_int_equal(store_tokens(store, &query, page_take, &page, &next), STATUS_OK);
    assert_int_equal(page.count, 0);
    buffer_free(&next);
    store_close(store);
}

static enum status
name_take(void *context, const struct change *change)
{
    put_slice(context, change->name);
    put_text(context, "=");
    put_slice(context, change->body);
    put_text(context, "@");
    put_slice(context, change->owner);
    put_text(context, " ");
    return STATUS_OK;
}

static void
objects_come_by_name_and_by_page(void **state)
{
    struct store *store = opened();
    struct change changes[] = {
        named(CHANGE_ROLE_PUT, "b", "1"),    named(CHANGE_ROLE_PUT, "a", "2"),
        named(CHANGE_ROLE_PUT, "c", "3"),    named(CHANGE_SUBJECT_PUT, "a", "4"),
        named(CHANGE_ROLE_PUT, "b", "5"),    named(CHANGE_ROLE_DROPPED, "c", ""),
        named(CHANGE_ROLE_DROPPED, "d", ""),
    };
    struct buffer seen = { 0 };

    append(store, changes, 7);
    assert_int_equal(store_objects(store, CHANGE_ROLE_PUT, SLICE_LITERAL(""), 10, name_take, &seen),
                     STATUS_OK);
    assert_true(slice_is(buffer_slice(&seen), "a=2@policy.yaml b=5@policy.yaml "));
    buffer_clear(&seen);
    assert_int_equal(store_objects(store, CHANGE_ROLE_PUT, SLICE_LITERAL(""), 1, name_take, &seen),
                     STATUS_OK);
    assert_int_equal(store_objects(store, CHANGE_ROLE_PUT, SLICE_LITERAL("a"), 1, name_take, &seen),
                     STATUS_OK);
    assert_int_equal(store_objects(store, CHANGE_ROLE_PUT, SLICE_LITERAL("b"), 1, name_take, &seen),
                     STATUS_OK);
    assert_true(slice_is(buffer_slice(&seen), "a=2@policy.yaml b=5@policy.yaml "));
    buffer_clear(&seen);
    assert_int_equal(
        store_object_get(store, CHANGE_SUBJECT_PUT, SLICE_LITERAL("a"), name_take, &seen),
        STATUS_OK);
    assert_true(slice_is(buffer_slice(&seen), "a=4@policy.yaml "));
    assert_int_equal(store_object_get(store, CHANGE_ROLE_PUT, SLICE_LITERAL("c"), name_take, &seen),
                     STATUS_NOT_FOUND);
    buffer_free(&seen);
    store_close(store);
}

static void
small_things_are_found_again(void **state)
{
    struct store *store = opened();
    struct change changes[] = {
        named(CHANGE_POLICY_APPLIED, "d1g3st", ""),
        { .kind = CHANGE_ANSWER_KEPT, .name = SLICE_LITERAL("k\0y"), .id = id_of(4), .at = 99 },
        { .kind = CHANGE_AUDIT_HEAD,
          .name = SLICE_LITERAL("n1"),
          .body = SLICE_LITERAL("\0\0\0\0\0\0\1\2abcdefghijklmnopqrstuvwxyzabcdef") },
    };
    struct change gone = { .kind = CHANGE_ANSWER_FORGOTTEN, .name = SLICE_LITERAL("k\0y") };
    struct token_id id = { 0 };
    uint8_t hash[32] = { 0 };
    uint64_t seq = 0;
    int64_t at = 0;
    bool applied = true;

    append(store, changes, 3);
    assert_int_equal(store_policy_applied(store, SLICE_LITERAL("other"), &applied), STATUS_OK);
    assert_false(applied);
    assert_int_equal(store_policy_applied(store, SLICE_LITERAL("d1g3st"), &applied), STATUS_OK);
    assert_true(applied);
    assert_int_equal(store_answer(store, SLICE_LITERAL("k"), &id, &at), STATUS_NOT_FOUND);
    assert_int_equal(store_answer(store, SLICE_LITERAL("k\0y"), &id, &at), STATUS_OK);
    assert_int_equal(number_of(&id), 4);
    assert_int_equal(at, 99);
    assert_int_equal(store_audit_head(store, SLICE_LITERAL("n2"), &seq, hash), STATUS_NOT_FOUND);
    assert_int_equal(store_audit_head(store, SLICE_LITERAL("n1"), &seq, hash), STATUS_OK);
    assert_int_equal(seq, 258);
    assert_memory_equal(hash, "abcdefghijklmnopqrstuvwxyzabcdef", 32);
    append(store, &gone, 1);
    assert_int_equal(store_answer(store, SLICE_LITERAL("k\0y"), &id, &at), STATUS_NOT_FOUND);
    store_close(store);
}

static enum status
stop(void *context, const struct change *change)
{
    return ++*(int *)context == 2 ? STATUS_LIMIT : STATUS_OK;
}

static void
a_reader_that_stops_is_heard(void **state)
{
    struct store *store = opened();
    struct change changes[] = { issued(1), issued(2), issued(3) };
    struct fault fault = { 0 };
    int seen = 0;

    append(store, changes, 3);
    assert_int_equal(store_load(store, stop, &seen, &fault), STATUS_LIMIT);
    assert_int_equal(fault.code, STATUS_LIMIT);
    assert_int_equal(seen, 2);
    assert_int_equal(load_count(store), 3);
    store_close(store);
}

static void
the_log_does_not_grow_forever(void **state)
{
    enum { BATCH = 4096, ROUNDS = 40 };
    static struct change uses[BATCH];
    struct store *store = opened();
    struct change changes[] = { issued(1), hop_revoked(1, 1, 1000), hop_revoked(1, 2, TIME_NEVER) };
    struct stat early, late;

    append(store, changes, 3);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < BATCH; i++)
            uses[i] = line_used(1, round * BATCH + i, 2000000 + round);
        append(store, uses, BATCH);
        if (round == ROUNDS / 2) {
            store_close(store);
            assert_int_equal(stat(path, &early), 0);
            store = opened();
        }
    }
    assert_int_equal(store_seq(store), 3 + BATCH * ROUNDS);
    assert_int_equal(load_count(store), 3); /* the hop whose time is over went, too */
    store_close(store);
    assert_int_equal(stat(path, &late), 0);
    assert_true(late.st_size < early.st_size + early.st_size / 8);
}

int
main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_clear)
    const struct CMUnitTest tests[] = {
        WITH_PLACE(a_new_store_is_empty_and_private),
        WITH_PLACE(changes_survive_in_an_order_that_can_be_applied),
        WITH_PLACE(nothing_of_a_refused_batch_stays),
        WITH_PLACE(life_never_goes_back),
        WITH_PLACE(a_line_lives_until_its_last_member_goes),
        WITH_PLACE(tokens_come_by_page_newest_first),
        WITH_PLACE(a_page_is_stable_while_tokens_come_and_go),
        WITH_PLACE(a_wrong_cursor_or_limit_is_refused),
        WITH_PLACE(objects_come_by_name_and_by_page),
        WITH_PLACE(small_things_are_found_again),
        WITH_PLACE(a_reader_that_stops_is_heard),
        WITH_PLACE(the_log_does_not_grow_forever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
